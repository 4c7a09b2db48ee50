"""Colours that everybody can tell apart, names that any script may be in, and files that are whole or not there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from taskspace.errors import AtlasError, SettingError
from taskspace.pictures import ENDINGS, FAMILIES, blank, heading, write_figure
from taskspace.pictures._style import shown, signed

SIGHTS = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""What is left of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1)."""


def linear(colour):
    part = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(light):
    """CIELAB of linear sRGB under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratio = (np.clip(light, 0, 1) @ np.transpose(to_xyz)) / [0.9505, 1.0, 1.089]
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHTS)
def test_families_stay_apart_for_every_kind_of_sight(sight):
    """A difference of 2 can just be seen; 25 is hard to overlook."""
    seen = [lab(linear(colour) @ np.transpose(SIGHTS[sight])) for colour in FAMILIES]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 25


def test_families_are_eight_greys():
    greys = sorted(lab(linear(colour))[0] for colour in FAMILIES)
    assert len(greys) == 8
    assert np.diff(greys).min() > 7


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("sst2", "sst2"),
        ("glue/sst2", "glue/sst2"),
        ("a-rather-long-owner/and-a-long-name", "and-a-long-name"),
        ("x" * 40, "x" * 21 + "…xxxx"),
        ("two\n lines\t here", "two lines here"),
        ("情感 $x^2$", "□□ $x^2$"),
        ("", ""),
        ("owner/", "owner/"),
    ],
)
def test_names_as_they_are_drawn(name, drawn):
    assert shown(name) == drawn
    assert len(shown(name)) <= 26


def test_signs():
    assert [signed(value) for value in (0.0314, -0.02, 0.0, -0.0001)] == ["+0.031", "−0.020", "0.000", "0.000"]


@pytest.mark.parametrize(
    ("ending", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")]
)
def test_the_ending_says_what_is_written(tmp_path, ending, begins):
    figure = blank(2, 2)
    heading(figure.subplots(), "a $title$ 情")
    assert write_figure(figure, tmp_path / "sub" / f"picture{ending}") == tmp_path / "sub" / f"picture{ending}"
    assert (tmp_path / "sub" / f"picture{ending}").read_bytes().startswith(begins)
    assert ENDINGS == (".png", ".svg", ".pdf")


def test_another_ending_or_place_is_refused(tmp_path, one_sentence):
    with pytest.raises(SettingError, match="no picture by its ending") as ending:
        write_figure(blank(1, 1), tmp_path / "picture.gif")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AtlasError, match="choose another place") as place:
        write_figure(blank(1, 1), tmp_path / "file" / "picture.png")
    assert one_sentence(ending.value)
    assert one_sentence(place.value)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
