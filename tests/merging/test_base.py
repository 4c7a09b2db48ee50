"""Bases by all of their tensors, and by name only where nothing more is known."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.errors import WeightsError
from taskspace.merging import TaskVector
from taskspace.merging.base import Base


def part(base, name, where="base"):
    """A difference in one tensor only, to a base in a folder of that name."""
    tuned = {**base, name: base[name] + np.float32(1)}
    others = [other for other in base if other != name]
    return TaskVector.diff(tuned, where, ignore=others)


@pytest.fixture
def folders(base, tmp_path):
    """One base in two places, and another one in a folder of the first one's name."""
    other = {**base, "scale": np.asarray(base["scale"] + 1, np.float32)}
    for where, tensors in (("base", base), ("copy", base), ("elsewhere/base", other)):
        (tmp_path / where).mkdir(parents=True)
        save_file(tensors, tmp_path / where / "model.safetensors")
    return tmp_path


def test_one_base_under_two_names_is_one(base, folders):
    both = part(base, "a.weight", folders / "base") + part(base, "b.bias", folders / "copy")
    assert set(both.layout) == {"a.weight", "b.bias"}
    assert both.base.whole


def test_two_bases_under_one_name_are_two(base, folders, one_sentence):
    mine = part(base, "a.weight", folders / "base")
    with pytest.raises(WeightsError, match="combine differences from one base") as caught:
        mine + part(base, "b.bias", folders / "elsewhere" / "base")
    assert one_sentence(caught.value)


def test_names_decide_where_one_knows_no_more(base, folders):
    mine = part(base, "a.weight", folders / "base")
    named = [TaskVector(part(base, "b.bias", folders / "base").carrier, {}, Base(name)) for name in ("base", "copy")]
    assert (mine + named[0]).base.name == "base"
    with pytest.raises(WeightsError, match="taken from copy and base"):
        mine + named[1]
