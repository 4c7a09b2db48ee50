"""The page: what stands on it, that it holds no script, and that nothing of a file becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from taskspace.report import _words as words
from taskspace.report import render, report_of
from taskspace.task import Task

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

VOID = {"meta", "br", "hr", "rect", "link", "img", "use", "path"}


class Page(HTMLParser):
    """The text of each element, and whether tags nest as they should."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1] not in ("style",):
            self.texts.append(" ".join(data.split()))

    @property
    def text(self):
        return " ".join(self.texts)


@pytest.fixture
def undrawn(monkeypatch):
    """For speed: pages on which figures do not matter."""
    for draw in ("ranking_svg", "map_svg"):
        monkeypatch.setattr(f"taskspace.report._render.{draw}", lambda *_: "<svg></svg>")


def sections(page):
    return [value for name, value in page.attributes if name == "id" and value in (
        "task", "start", "place", "cost", "uncertain")]  # fmt: skip


def test_a_calibrated_page_has_every_part(calibrated):
    report = report_of(calibrated, "target", parameters=1000, rate=1e9)
    html = report.to_html()
    page = Page(html)
    assert sections(page) == ["task", "start", "place", "cost", "uncertain"]
    gain = report.candidates[0].hit.gain
    for said in (
        "Start target from friend.", f"{100 * gain.mean:+.1f}", "do not transfer", "Why in this order", "t3",
        "predicted gain", "Measured before on other targets", "1,000 parameters", "taskspace",
        "response on no/such-model",
    ):  # fmt: skip
        assert said in page.text, said
    assert page.tags.count("svg") == 2
    assert_still(page, html)


def assert_still(page, html):
    """Nothing is fetched and nothing runs."""
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    addresses = [v for name, v in page.attributes if name in ("href", "xlink:href", "src")]
    assert all(address.startswith("#") for address in addresses)
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html


HOSTILE = '<script>alert("x")</script>'


def test_names_labels_texts_and_descriptions_are_escaped(opened):
    texts = [f"{HOSTILE} sun", "the rain & <b>fog</b>", "red {{ 7 * 7 }} snow"]
    task = Task(texts, [HOSTILE, "a&b", HOSTILE], name=HOSTILE, description=f"what {HOSTILE} is")
    html = report_of(opened, task, examples=3, command=f"taskspace {HOSTILE}", date=HOSTILE).to_html()
    assert "<script" not in html.lower()
    page = Page(html)
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) >= 5
    assert "the rain & <b>fog</b>" in page.text
    assert "{{ 7 * 7 }}" in page.text


def test_candidates_and_copies_are_escaped(uncalibrated, embed):
    uncalibrated.add(embed(HOSTILE, np.eye(12)[0]), embed("$x_1$ <i>", np.eye(12)[2]))
    html = report_of(uncalibrated, "target").to_html()
    assert "<script" not in html.lower()
    assert HOSTILE in Page(html).text
    assert "$x_1$ <i>" in Page(html).text


def test_an_uncalibrated_page_promises_nothing(uncalibrated, undrawn):
    page = Page(report_of(uncalibrated, "target").to_html())
    assert "Order of likeness; no gain is predicted" in page.text
    assert "likeness is not a gain" in page.text
    assert "90 % interval" not in page.text
    assert "Why in this order" not in page.text
    assert "no FLOPs known" not in page.text
    assert "not known" in page.text


def test_a_page_on_a_lone_entry(atlas, embed):
    atlas.add(embed("alone", np.eye(12)[0]))
    page = Page(report_of(atlas, "alone").to_html())
    assert "There is no candidate in this atlas." in page.text
    assert "svg" not in page.tags
    assert "place" not in sections(page)


def test_a_page_on_one_candidate(atlas, embed, undrawn):
    atlas.add(embed("a", np.eye(12)[0]), embed("b", np.eye(12)[1]))
    page = Page(report_of(atlas, "a").to_html())
    assert "b is most like a; whether it helps is not known." in page.text
    assert "1 candidate." in page.text


def test_a_model_may_be_a_target(calibrated, undrawn):
    page = Page(report_of(calibrated, "cousin").to_html())
    assert "texts answered" in page.text
    assert "were not at hand" not in page.text


def test_the_rows_of_a_file_are_told_of(opened, undrawn):
    texts = ["red sun", "blue sun", "green fog", "the rain is here"]
    page = Page(report_of(opened, Task(texts, ["a", "b", "a", "a"], name="new")).to_html())
    assert "Rows per label" in page.text
    assert "75 %" in page.text
    assert "Example rows" not in page.text
    assert not any(text in page.text for text in texts)


def test_only_examples_that_were_asked_for_are_shown(opened, undrawn):
    texts = ["red sun", "blue sun", "green fog", "the rain is here"]
    page = Page(report_of(opened, Task(texts, ["a", "b", "a", "a"], name="new"), examples=1).to_html())
    assert sum(text in page.text for text in texts) == 1


def test_numbers_are_told_as_numbers(opened, tasks, undrawn):
    page = Page(report_of(opened, tasks["degree"]).to_html())
    assert "Labels are numbers from 0.01 to 1.01" in page.text


def test_the_same_report_gives_the_same_bytes(calibrated):
    report = report_of(calibrated, "target")
    assert render(report) == render(report_of(calibrated, "target"))


def test_pictures_take_the_colours_of_the_page(calibrated):
    html = report_of(calibrated, "target").to_html()
    drawn = re.findall(r"<svg class.*?</svg>", html, re.S)
    used = {name for svg in drawn for name in re.findall(r"var\(--(\w+)\)", svg)}
    assert {"ink", "grid", "paper", "family0"} <= used
    assert used <= set(re.findall(r"--(\w+):", html))
    for svg in drawn:
        assert not re.search(r"#(222222|000000|ffffff)\b", svg)
    identities = re.findall(r'\bid="([^"]+)"', html)
    assert len(identities) == len(set(identities))
    for used_id in re.findall(r'(?:href="|url\()#([^")]+)', html):
        assert used_id in identities


def test_a_page_in_the_units_of_the_scores_where_they_are_no_shares(uncalibrated, embed, undrawn):
    for i in range(3):
        uncalibrated.add(embed(f"t{i}", np.eye(12)[6 + i] + 0.1 * (i + 1) * np.eye(12)[0]))
        for j, source in enumerate(("friend", "stranger", "foe")):
            uncalibrated.observe(source=source, target=f"t{i}", score=70.0 + j + 0.1 * i, baseline=60.0, metric="bleu")
    report = report_of(uncalibrated, "target")
    assert (report.unit, report.hundredths) == ("bleu", False)
    assert f"{report.candidates[0].hit.gain.mean:+.4f}" in Page(report.to_html()).text


@pytest.mark.parametrize(
    ("value", "hundredths", "said"),
    [
        (0.0396, True, "+4.0"), (-0.0171, True, "−1.7"), (0.0001, True, "0.0"), (0.0396, False, "+0.0396"),
        (-1.0, False, "−1.0000"),
    ],
)  # fmt: skip
def test_gains_in_words(value, hundredths, said):
    assert words.signed(value, hundredths=hundredths) == said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.share(0.876), "88 %"), (words.share(0.001), "under 1 %"), (words.share(0.999), "over 99 %"),
        (words.share(0.0), "0 %"), (words.share(1.0), "100 %"), (words.large(22_713_216), "22.7 million"),
        (words.large(7e9), "7 billion"), (words.large(512), "512"), (words.power(6.7e12), "6.7 × 10¹²"),
        (words.power(9.96e13), "1.0 × 10¹⁴"), (words.power(1234.0), "1,234"), (words.times(1 / 9), "1/9"),
        (words.times(6.3), "6.3"), (words.times(917.2), "917"), (words.times(1.0), "1"),
        (words.lasting(7200), "2 hours"), (words.lasting(90), "90 seconds"), (words.lasting(0.0079), "0.0079 seconds"),
        (words.lasting(259200), "3 days"), (words.counted(1, "row"), "1 row"),
        (words.counted(2000, "row"), "2,000 rows"),
        (words.counted(3, "entry", "entries"), "3 entries"),
    ],
)  # fmt: skip
def test_numbers_in_words(said, expected):
    assert said == expected
