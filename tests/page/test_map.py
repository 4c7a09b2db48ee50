"""The map in a browser: search, filter, click, keys, deep links, themes, spaces and projections."""

from __future__ import annotations

import re

from taskspace.atlas import Atlas

NASTY = "<img src=x onerror=\"document.title='owned'\"></script>"


def title(page):
    return page.locator("#title")


def overlay_pixels(page, colour):
    """How many pixels above the points have about the colour of that name in the style sheet."""
    return page.evaluate(
        """(name) => {
          const probe = document.body.appendChild(document.createElement("span"));
          probe.style.color = `var(--${name})`;
          const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
          probe.remove();
          const canvas = document.querySelector("#frame canvas:nth-child(3)");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let p = 0; p < data.length; p += 4) {
            const near = [0, 1, 2].every((channel) => Math.abs(data[p + channel] - wanted[channel]) < 4);
            count += data[p + 3] > 250 && near ? 1 : 0;
          }
          return count;
        }""",
        colour,
    )


def test_says_what_it_shows_and_how_much_it_keeps(woods, visit):
    page = visit(woods)
    assert page.locator("#atlas").inner_text() == "woods.db"
    assert re.match(r"PCA keeps \d+\s%", page.locator("#caption").inner_text())
    kinds = page.locator("#kinds label").all_inner_texts()
    assert [re.split(r"\s*\n\s*", line.strip()) for line in kinds] == [
        ["Data sets", "14"], ["Models", "4"], ["Prompts", "4"], ["Adapters", "4"],
    ]  # fmt: skip
    assert page.locator("#frame").get_attribute("aria-label") == (
        "Map of 26 tasks: 14 data sets, 4 models, 4 prompts, 4 adapters"
    )


def test_a_click_opens_the_card_of_the_point_under_it(woods, visit, place):
    page = visit(woods)
    for name in ("film-0", "news-3", "pairs-5"):
        page.mouse.click(*place(page, name))
        title(page).wait_for()
        assert title(page).inner_text() == name
        assert f"name={name}" in page.url
        page.keyboard.press("Escape")
        page.locator("#panel").wait_for(state="hidden")


def test_a_point_keeps_under_the_pointer_when_zoomed_and_moved(woods, visit, place):
    page = visit(woods)
    left, top = place(page, "chat-0")
    page.mouse.move(left, top)
    for _ in range(3):
        page.mouse.wheel(0, -300)
    page.mouse.move(left + 30, top + 40)
    page.mouse.down()
    page.mouse.move(left + 80, top + 10, steps=4)
    page.mouse.move(left + 130, top - 20, steps=4)
    page.mouse.up()
    page.mouse.click(left + 100, top - 60)
    title(page).wait_for()
    assert title(page).inner_text() == "chat-0"
    page.wait_for_url(re.compile("at="))


def test_search_finds_as_one_types_and_is_used_by_keys_alone(woods, visit):
    page = visit(woods)
    page.keyboard.press("/")
    page.keyboard.type("NEWS")
    options = page.locator("#found [role=option]")
    assert [text.split("\n")[0] for text in options.all_inner_texts()] == [f"news-{i}" for i in range(6)]
    assert page.locator("#search").get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    active = page.locator("#search").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    title(page).wait_for()
    assert title(page).inner_text() == "news-2"
    assert page.locator("#found").is_hidden()


def test_search_says_when_there_is_nothing_and_escape_leaves_it(woods, visit):
    page = visit(woods)
    page.fill("#search", "no such thing")
    assert "Nothing here" in page.locator("#found").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#found").is_hidden()
    assert page.input_value("#search") == ""


def test_filters_by_kind_and_family_and_keeps_that_in_the_address(woods, visit, place):
    page = visit(woods)
    page.locator("#kinds label", has_text="Models").click()
    assert page.locator("#shown").inner_text() == "22 of 26 shown"
    families = page.locator("#families label")
    names = [text.split("\n")[0] for text in families.all_inner_texts()]
    of_news = next(i for i, name in enumerate(names) if name.startswith("news"))
    size = int(families.nth(of_news).locator(".number").inner_text())
    families.nth(of_news).click()
    shown = int(page.locator("#shown").inner_text().split()[0])
    assert 22 - size <= shown < 22
    page.mouse.click(*place(page, "film-1"))  # a model: not there to be clicked
    page.reload()
    page.wait_for_selector("#kinds label")
    assert not page.locator("#kinds label", has_text="Models").locator("input").is_checked()
    page.click("#reset")
    assert page.locator("#shown").inner_text() == ""
    assert "hide=" not in page.url


def test_arrow_keys_go_to_the_nearest_point_that_way(woods, visit, place):
    page = visit(woods)
    page.focus("#frame")
    page.keyboard.press("ArrowRight")
    title(page).wait_for()
    for key, axis, sign in (("ArrowLeft", 0, -1), ("ArrowUp", 1, -1), ("ArrowRight", 0, 1), ("ArrowDown", 1, 1)):
        before = title(page).inner_text()
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        after = title(page).inner_text()
        if after == before:
            continue  # nothing lies that way
        way = place(page, after)[axis] - place(page, before)[axis]
        assert way * sign > 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "title"
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()
    assert "name=" not in page.url


def test_keys_zoom_and_show_all_again(woods, visit):
    page = visit(woods)
    page.focus("#frame")
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.wait_for_url(re.compile(r"at="))
    page.keyboard.press("0")
    page.wait_for_url(lambda url: "at=" not in url)


def test_arrows_show_measured_transfers_by_colour_and_can_be_switched_off(woods, visit):
    page = visit(f"{woods}#name=film-0")
    boxes = page.locator(".arrows input")
    boxes.first.wait_for()
    page.wait_for_timeout(400)
    gains, losses = overlay_pixels(page, "gain"), overlay_pixels(page, "loss")
    assert gains > 20
    assert losses > 20
    for i in range(boxes.count()):
        boxes.nth(i).uncheck()
    page.wait_for_timeout(400)
    assert overlay_pixels(page, "loss") == 0
    assert overlay_pixels(page, "gain") == 0


def test_a_deep_link_opens_what_it_names_and_back_goes_back(woods, visit):
    page = visit(f"{woods}#name=chat-1&space=response")
    title(page).wait_for()
    assert title(page).inner_text() == "chat-1"
    page.locator(".near .named").first.click()
    page.wait_for_url(lambda url: "name=chat-1" not in url)
    assert title(page).inner_text() != "chat-1"
    page.go_back()
    page.wait_for_url(re.compile("name=chat-1"))
    page.locator("#title", has_text="chat-1").wait_for()


def test_a_link_to_what_is_not_there_says_so(woods, visit):
    page = visit(f"{woods}#name=film-99")
    page.locator("#notice", has_text="There is no film-99 in this space.").wait_for()


def test_a_name_that_is_markup_stays_a_name(woods, visit):
    page = visit(f"{woods}#name=film-0")
    page.fill("#search", "onerror")
    page.keyboard.press("Enter")
    page.locator("#title", has_text="onerror").wait_for()
    assert title(page).inner_text() == NASTY
    page.locator(".facts").wait_for()
    page.click("[data-show=list]")
    page.locator("#list th", has_text="onerror").wait_for()
    assert page.locator("img").count() == 0
    assert page.title() != "owned"


def test_the_theme_follows_the_system_until_it_is_chosen_and_then_is_remembered(woods, visit):
    page = visit(woods, color_scheme="dark")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(paper)
    assert page.locator("#theme").get_attribute("aria-pressed") == "true"
    page.click("#theme")
    light = page.evaluate(paper)
    assert sum(map(int, re.findall(r"\d+", light))) > 600 > 150 > sum(map(int, re.findall(r"\d+", dark)))
    plate = """() => {
      const canvas = document.querySelector("#frame canvas:not(.behind)");
      return [...canvas.getContext("2d").getImageData(5, 5, 1, 1).data].slice(0, 3).join(", ");
    }"""
    page.wait_for_timeout(500)
    assert page.evaluate(plate) in light  # the canvas changes with the style sheet
    page.reload()
    page.wait_for_selector("#kinds label")
    assert page.evaluate(paper) == light


def test_another_projection_says_what_it_keeps(woods, visit):
    page = visit(woods)
    page.select_option("#methods", "mds")
    page.locator("#caption", has_text="MDS keeps").wait_for()
    assert "method=mds" in page.url


def test_a_projection_that_is_refused_says_why_and_the_map_stays(woods, visit):
    page = visit(woods, ignoring=["400"])
    answer = {"error": {"kind": "SettingError", "sentence": "there are too many points; choose pca"}}
    page.route(re.compile("method=umap"), lambda route: route.fulfill(status=400, json=answer))
    page.select_option("#methods", "umap")
    page.locator("#notice", has_text="there are too many points; choose pca").wait_for()
    assert page.input_value("#methods") == "pca"
    assert "method" not in page.url
    assert page.locator("#caption").inner_text().startswith("PCA keeps")


def test_offers_the_spaces_where_there_are_several(build, serve, visit, atlas_of):
    from dataclasses import replace

    def two(atlas):
        atlas_of(atlas)
        other = replace(atlas.space_id(), learner="text")
        atlas.add(*(replace(atlas.get(name), space=other) for name in ("film-0", "news-0", "chat-0")))

    with serve(build(two)) as address:
        page = visit(address)
        labels = page.locator("#spaces option").all_inner_texts()
        assert labels == ["response on tiny, 26 tasks", "text on tiny, 3 tasks"]
        page.select_option("#spaces", label=labels[1])
        page.locator("#frame[aria-label^='Map of 3 tasks']").wait_for()
        with Atlas(build(lambda _: None)) as atlas:  # the same file again
            assert f"space={atlas.space_id('text').fingerprint[:12]}" in page.url


def test_the_list_holds_what_is_shown(woods, visit):
    page = visit(f"{woods}#show=list&hide=dataset")
    page.locator("#list tbody tr").first.wait_for()
    kinds = page.locator("#list tbody td:nth-child(2)").all_inner_texts()
    assert sorted(set(kinds)) == ["adapter", "model", "prompt"]
    assert len(kinds) == 12
    page.locator("#list .named", has_text="chat-1").click()
    title(page).wait_for()
    assert title(page).inner_text() == "chat-1"
