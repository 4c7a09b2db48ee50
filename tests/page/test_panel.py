"""What the panel says of a task, and of two; the heat map."""

from __future__ import annotations

import re

import numpy as np
import pytest

from taskspace.atlas import Atlas


def number(text):
    return float(text.replace("\u2212", "-"))


def test_a_card_reads_well(woods, visit):
    page = visit(f"{woods}#name=film-1")
    page.locator(".facts").wait_for()
    facts = dict(
        zip(page.locator(".facts dt").all_inner_texts(), page.locator(".facts dd").all_inner_texts(), strict=True)
    )
    assert facts["Rows"] == "120"
    assert facts["Labels"] == "2 classes"
    assert facts["Skill"].startswith("0.25")
    assert facts["Coverage"].replace("\u202f", " ") == "88 % of the texts were answered"
    assert facts["Comes from"] == "model owner/film-1"
    assert page.locator(".description").inner_text() == "A made-up task about film-1."
    page.click(".record summary")
    assert "content of film-1" in page.locator(".record dl").inner_text()


def test_neighbours_are_those_of_plain_numpy(woods, visit, nearest):
    page = visit(f"{woods}#name=news-2")
    rows = page.locator(".near li")
    rows.first.wait_for()
    names = rows.locator(".named").all_inner_texts()
    scores = [number(text) for text in rows.locator(".number").all_inner_texts()]
    expected = nearest("news-2")
    assert names == [name for name, _ in expected]
    np.testing.assert_allclose(scores, [score for _, score in expected], atol=0.0051)


def test_the_ranking_shows_gains_with_intervals_and_the_line_of_not_transferring(build, serve, visit):
    path = build()
    with Atlas(path) as atlas:
        expected = atlas.rank("film-3", k=10)
    assert expected.calibrated
    with serve(path) as address:
        page = visit(f"{address}#name=film-3")
        rows = page.locator(".ranking > li")
        rows.first.wait_for()
        assert rows.count() == len(expected)
        told = page.locator("#panel .measure").all_inner_texts()
        assert {f"Score: {expected.measure}.", *(f"Note: {note}." for note in expected.notes)} <= set(told)
        for i, hit in enumerate(expected):
            row = rows.nth(i)
            if hit.kind == "none":
                assert row.inner_text().strip().startswith("Do not transfer")
                continue
            assert row.locator(".named").inner_text() == hit.name
            assert number(row.locator(".number").inner_text()) == pytest.approx(hit.gain.mean, abs=6e-4)
            low, high = row.locator(".range").inner_text().split(" to ")
            assert (number(low), number(high)) == pytest.approx((hit.gain.low, hit.gain.high), abs=6e-4)
            line = [float(x) for x in re.findall(r"[\d.]+", row.locator(".spread").get_attribute("d").split("M")[1])]
            middle = float(row.locator("circle").get_attribute("cx"))
            share = (hit.gain.mean - hit.gain.low) / (hit.gain.high - hit.gain.low)
            assert (middle - line[0]) / (line[2] - line[0]) == pytest.approx(share, abs=0.02)


def test_without_measured_transfers_it_says_that_no_gain_is_predicted(build, serve, visit):
    bare = build(lambda _: None, "bare.db")
    with Atlas(build()) as atlas, Atlas(bare) as other:
        other.add(*(atlas.get(entry.name) for entry in atlas.entries()))
    with serve(bare) as address:
        page = visit(f"{address}#name=film-3")
        page.get_by_text("No gain can be predicted yet").wait_for()
        assert page.locator(".ranking").count() == 0
        page.get_by_text("None from it or to it were noted").wait_for()


def test_what_says_nothing_is_said_to(woods, visit):
    page = visit(f"{woods}#name=says-nothing")
    page.locator(".warning", has_text="says nothing").wait_for()


def test_measured_transfers_are_listed_with_their_gains(woods, visit):
    page = visit(f"{woods}#name=film-0")
    rows = page.locator(".measured tbody tr")
    rows.first.wait_for()
    told = {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in rows.all()}
    assert told["film-1"] == "▲ +0.050"
    assert told["news-1"] == "▽ \u22120.034"


def test_compares_two_by_choosing_the_other_on_the_map(woods, visit, place, cosine):
    page = visit(f"{woods}#name=film-0")
    page.locator("button.compare").click()
    page.locator("#notice").wait_for()
    page.fill("#search", "film-2")
    page.keyboard.press("Enter")
    page.locator(".likeness").wait_for()
    assert "name=film-0" in page.url
    assert "with=film-2" in page.url
    assert number(page.locator(".large").inner_text()) == pytest.approx(cosine("film-0", "film-2"), abs=6e-4)
    assert page.locator("#notice").is_hidden()
    cells = [row.split("\t")[1:] for row in page.locator(".sides tbody tr").all_inner_texts()]
    assert ["A made-up task about film-0.", "A made-up task about film-2."] in cells
    assert "▲ +0.050" in page.locator(".between").inner_text()
    page.keyboard.press("Escape")
    page.locator("#title", has_not_text=" and ").wait_for()
    assert page.locator("#title").inner_text() == "film-0"


def test_shared_neighbours_are_those_of_plain_numpy(woods, visit, nearest):
    page = visit(f"{woods}#name=film-0&with=news-0")
    page.locator(".likeness").wait_for()
    second = {name for name, _ in nearest("news-0")}
    assert page.locator(".shared .named").all_inner_texts() == [n for n, _ in nearest("film-0") if n in second]


def test_shift_and_click_compares(woods, visit, place):
    page = visit(f"{woods}#name=film-0")
    page.locator(".facts").wait_for()
    page.wait_for_timeout(300)
    page.keyboard.down("Shift")
    page.mouse.click(*place(page, "chat-0"))
    page.keyboard.up("Shift")
    page.locator(".likeness").wait_for()
    assert page.locator("#title").inner_text() == "film-0 and chat-0"


def test_the_heat_map_tells_each_cell_and_opens_the_comparison(woods, visit, cosine):
    page = visit(f"{woods}#show=heat")
    page.locator("#heat-about", has_text="25 tasks").wait_for()
    read = page.locator("#heat-read")
    page.focus("#heat")
    page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    first, second, value = re.match(r"(.+) and (.+): (.+)", read.inner_text()).groups()
    assert number(value) == pytest.approx(cosine(first, second), abs=6e-4)
    box = page.locator("#heat").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 30, box["y"] + box["height"] - 100)
    first, second, value = re.match(r"(.+) and (.+): (.+)", read.inner_text()).groups()
    assert number(value) == pytest.approx(cosine(first, second), abs=6e-4)
    page.mouse.down()
    page.mouse.up()
    page.locator(".likeness").wait_for()
    assert page.locator("#title").inner_text() == f"{first} and {second}"


def test_the_heat_map_shows_the_filter(woods, visit):
    page = visit(f"{woods}#show=heat&hide=dataset&hide=model")
    page.locator("#heat-about", has_text="8 tasks").wait_for()
