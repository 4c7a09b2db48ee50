"""An atlas that changes while the page is open, an empty one, and a server that goes and comes back."""

from __future__ import annotations

from urllib.parse import urlsplit

from taskspace.atlas import Atlas

NOW = "window.dispatchEvent(new Event('focus'))"
"""Coming back to the page makes it ask at once."""


def test_offers_the_new_map_and_keeps_selection_and_view(build, serve, visit):
    path = build()
    with serve(path) as address:
        page = visit(f"{address}#name=film-0&at=0.1,0.05,1.1")
        page.locator(".facts").wait_for()
        with Atlas(path) as atlas:
            known = atlas.get("film-0")
            atlas.remove("pairs-5")
            atlas.rename("pairs-4", "pairs-new")
        assert known.name == "film-0"
        page.evaluate(NOW)
        page.locator("#notice", has_text="The atlas has changed.").wait_for()
        page.locator("#notice button").click()
        page.locator("#frame[aria-label^='Map of 25 tasks']").wait_for()
        page.locator("#notice").wait_for(state="hidden")
        assert page.locator("#title").inner_text() == "film-0"
        page.wait_for_timeout(500)
        assert "at=0.1,0.05,1.1" in page.url.replace("%2C", ",")
        page.fill("#search", "pairs-new")
        assert page.locator("#found [role=option]").count() == 1


def test_what_was_removed_is_no_longer_selected(build, serve, visit):
    path = build()
    with serve(path) as address:
        page = visit(f"{address}#name=pairs-5")
        page.locator(".facts").wait_for()
        with Atlas(path) as atlas:
            atlas.remove("pairs-5")
        page.evaluate(NOW)
        page.locator("#notice button").click()
        page.locator("#notice", has_text="There is no pairs-5").wait_for()
        assert page.locator("#panel").is_hidden()


def test_an_empty_atlas_says_what_to_do_and_fills_by_itself(build, serve, visit, atlas_of):
    path = build(lambda _: None)
    with serve(path) as address:
        page = visit(address, ready="#empty:visible")
        assert "taskspace embed" in page.locator("#empty").inner_text()
        assert page.locator("#frame").is_hidden()
        with Atlas(path) as atlas:
            atlas_of(atlas)
        page.evaluate(NOW)
        page.locator("#frame[aria-label^='Map of 26 tasks']").wait_for()
        assert page.locator("#empty").is_hidden()


def test_says_when_the_server_is_gone_and_when_it_is_back(build, serve, visit):
    path = build()
    with serve(path) as address:
        page = visit(f"{address}#name=film-0", ignoring=["ERR_CONNECTION", "Failed to load resource"])
        page.locator(".near li").first.wait_for()
    page.evaluate(NOW)
    page.locator("#notice", has_text="does not answer").wait_for()
    assert page.locator("#title").inner_text() == "film-0"  # what is shown stays
    page.locator(".near .named").first.click()
    page.locator("#panel .warning").first.wait_for()
    with serve(path, port=urlsplit(address).port):
        page.evaluate(NOW)
        page.locator("#notice", has_text="answers again").wait_for()
        page.locator("#notice").wait_for(state="hidden")
        page.locator(".measured, .near li").first.wait_for()
