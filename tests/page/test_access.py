"""For people who do not see it, or see it otherwise: roles and names, contrast, colours, keys, little motion."""

from __future__ import annotations

import re
from itertools import combinations, product

import numpy as np
import pytest

from taskspace.page import assets

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "usual": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
    "tritanopia": np.array([
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ]),
}  # fmt: skip
LAB_FROM_LMS = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip
LMS_FROM_RGB = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip


def colours():
    """Name to linear RGB, for each theme."""
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", assets()["css/base.css"][1].decode())
    themes = {"light": {}, "dark": {}}
    for name, light, dark in found:
        themes["light"][name], themes["dark"][name] = linear(light), linear(dark)
    return themes


def linear(colour):
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    """WCAG 2.2: from 1 to 21."""
    lighter, darker = sorted((float(c @ [0.2126, 0.7152, 0.0722]) for c in (first, second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def oklab(colour):
    return LAB_FROM_LMS @ np.cbrt(np.clip(LMS_FROM_RGB @ np.clip(colour, 0, 1), 0, None))


THEMES = ("light", "dark")
TEXT = ("ink", "soft", "quiet", "accent", "gain", "loss")
FAMILIES = [f"family-{i}" for i in range(8)]


@pytest.mark.parametrize(("theme", "text", "ground"), list(product(THEMES, TEXT, ("paper", "well"))))
def test_text_stands_out(theme, text, ground):
    known = colours()[theme]
    assert contrast(known[text], known[ground]) >= 4.5


@pytest.mark.parametrize(("theme", "mark"), list(product(THEMES, [*FAMILIES, "none", "edge"])))
def test_points_and_edges_stand_out(theme, mark):
    known = colours()[theme]
    assert contrast(known[mark], known["paper"]) >= 3


@pytest.mark.parametrize(("theme", "eye"), list(product(THEMES, VISION)))
def test_families_are_told_apart_by_every_eye(theme, eye):
    known = colours()[theme]
    seen = {name: oklab(VISION[eye] @ known[name]) for name in FAMILIES}
    least = min(float(np.linalg.norm(seen[a] - seen[b])) for a, b in combinations(FAMILIES, 2))
    assert least > 0.08  # Okabe and Ito's seven come to 0.076 under the same measure


def test_has_the_roles_and_names_that_a_screen_reader_needs(woods, visit):
    page = visit(woods)
    page.locator("#outline caption").wait_for(state="attached")
    tree = page.locator("body").aria_snapshot().replace("'", "")
    for line in (
        '- heading "taskspace" [level=1]',
        '- combobox "Search tasks by name"',
        '- button "Map" [pressed]',
        '- button "Dark theme"',
        '- complementary "Legend and filter"',
        '- combobox "Projection"',
        '- heading "Kind" [level=2]',
        '- checkbox "Data sets 14" [checked]',
        '- region "Map"',
        '- application "Map of 26 tasks: 14 data sets, 4 models, 4 prompts, 4 adapters"',
        '- table "26 tasks on the screen"',
        '- rowheader "film-0"',
        '- button "Closer"',
    ):
        assert line in tree, line
    assert "- main" in tree
    assert "- banner" in tree


def test_the_panel_has_headings_and_named_buttons(woods, visit):
    page = visit(f"{woods}#name=film-3")
    for kind in (".facts", ".near li", ".ranking li", "#panel section .quiet"):
        page.locator(kind).first.wait_for()
    tree = page.locator("#panel").aria_snapshot()
    for line in (
        '- heading "film-3" [level=2]',
        '- heading "What to start from" [level=3]',
        '- heading "Nearest" [level=3]',
        '- heading "Measured transfers" [level=3]',
        '- button "Close"',
    ):
        assert line in tree, line
    assert page.evaluate("[...document.querySelectorAll('button')].every((b) => (b.ariaLabel || b.textContent).trim())")


def test_says_what_was_selected(woods, visit):
    page = visit(woods)
    page.focus("#frame")
    page.keyboard.press("ArrowRight")
    page.locator("#say", has_text=re.compile(r"^.+, (data set|model|prompt|adapter), around ")).wait_for(
        state="attached"
    )


def test_every_control_is_reached_by_tab_and_shows_it(woods, visit):
    page = visit(woods)
    page.focus("#search")
    page.keyboard.press("Shift+Tab")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(
            """() => {
              const e = document.activeElement;
              const style = getComputedStyle(e);
              const name = e.id || e.ariaLabel || e.type || e.textContent;
              return [name, style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        ))  # fmt: skip
        if seen[-1][0] == "all of the map" or seen[-1][0] == "All of the map":
            break
    reached = [name for name, _, _ in seen]
    for wanted in ("search", "theme", "methods", "checkbox", "frame", "Closer", "Farther", "All of the map"):
        assert wanted in reached
    assert all(style != "none" and width >= 2 for name, style, width in seen if name != "")


def test_who_asked_for_less_motion_sees_none(woods, visit):
    page = visit(woods, reduced_motion="reduce")
    page.focus("#frame")
    page.evaluate(
        """() => {
          window.seen = [];
          const canvas = () => document.querySelector("#frame canvas:not(.behind)").style.transform;
          const note = () => { window.seen.push(canvas()); requestAnimationFrame(note); };
          note();
        }"""
    )
    page.keyboard.press("+")
    page.wait_for_timeout(500)
    scales = {round(float(re.match(r"matrix\(([\d.]+)", each)[1]), 3) for each in page.evaluate("window.seen")}
    assert scales <= {1.0, 1.5}  # from the one to the other at once


@pytest.mark.parametrize("size", [(390, 844), (1280, 800), (1920, 1080)])
def test_nothing_is_cut_off(woods, visit, size):
    page = visit(f"{woods}#name=film-0", viewport={"width": size[0], "height": size[1]})
    page.locator(".near li").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.querySelector('#panel').scrollWidth <= document.querySelector('#panel').clientWidth")
    box = page.locator("#frame").bounding_box()
    assert box["width"] > 300
    assert box["height"] > 180


def test_on_a_phone_the_filter_opens_and_closes(woods, visit):
    page = visit(woods, viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.locator("#legend").is_hidden()
    page.tap("#filters")
    page.locator("#kinds label", has_text="Models").tap()
    page.tap("#filters")
    assert page.locator("#legend").is_hidden()
    page.locator("#frame[aria-label]").wait_for()
    assert "hide=model" in page.url
