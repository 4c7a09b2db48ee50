from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from taskspace.atlas import Atlas
from taskspace.page import document_of, standalone

NASTY = "<img src=x onerror=\"document.title='owned'\"></script>"


class Parts(HTMLParser):
    """What a browser takes for scripts, styles and meta elements."""

    def __init__(self, text):
        super().__init__()
        self.parts, self.metas, self.tags = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.parts.append((tag, dict(attrs), ""))
        if tag == "meta":
            self.metas[dict(attrs).get("http-equiv")] = dict(attrs).get("content")

    def handle_data(self, data):
        if self.lasttag in ("script", "style") and self.parts:
            tag, attrs, before = self.parts[-1]
            self.parts[-1] = (tag, attrs, before + data)

    def handle_endtag(self, tag):
        self.lasttag = None


@pytest.fixture
def document(build):
    with Atlas(build()) as atlas:
        return document_of(atlas)


@pytest.fixture
def file(document, tmp_path):
    path = tmp_path / "map.html"
    path.write_text(standalone(document), encoding="utf-8")
    return path


def test_the_document_comes_out_as_it_went_in_and_is_no_markup(document):
    parts = Parts(standalone(document)).parts
    [data] = [text for tag, attrs, text in parts if attrs.get("type") == "application/json"]
    assert json.loads(data) == json.loads(json.dumps(document))
    assert NASTY in json.loads(data)["map"]["names"]
    assert not re.search(r"[<>&]", data)


def test_needs_no_other_file(document):
    parsed = Parts(standalone(document))
    assert not [attrs for _, attrs in parsed.tags if "src" in attrs or attrs.get("href", "#")[0] != "#"]


def test_admits_by_hash_what_it_holds_and_nothing_else(document):
    parsed = Parts(standalone(document))
    policy = dict(rule.split(" ", 1) for rule in parsed.metas["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        texts = [text for kind, attrs, text in parsed.parts if kind == tag and attrs.get("type") != "application/json"]
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert policy[rule].split() == [f"'sha256-{digest}'" for digest in digests]
        assert texts


def test_is_the_same_page_from_disk(file, visit, nearest, cosine):
    page = visit(f"{file.as_uri()}#name=film-3")
    page.locator(".near li").first.wait_for()
    assert page.locator(".near .named").all_inner_texts() == [name for name, _ in nearest("film-3")]
    assert page.locator(".ranking .nothing").count() == 1
    assert "made-up task about film-3" in page.locator(".description").inner_text()
    page.locator(".near .versus").first.click(force=True)
    page.locator(".likeness").wait_for()
    other = nearest("film-3")[0][0]
    assert float(page.locator(".large").inner_text()) == pytest.approx(cosine("film-3", other), abs=1e-3)
    page.click("[data-show=heat]")
    page.locator("#heat-about", has_text="25 tasks").wait_for()
    page.keyboard.press("Escape")
    page.fill("#search", "onerror")
    page.keyboard.press("Enter")
    page.locator("#title", has_text="onerror").wait_for()
    assert page.title() != "owned"


def test_a_map_alone_says_what_it_does_not_hold(document, tmp_path, visit):
    file = tmp_path / "bare.html"
    file.write_text(standalone({key: document[key] for key in ("map",)}), encoding="utf-8")
    page = visit(f"{file.as_uri()}#name=film-3")
    page.get_by_text("this file holds no card of film-3").wait_for()
    page.click("[data-show=heat]")
    page.get_by_text("this file holds no similarities").wait_for()
