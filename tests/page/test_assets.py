from __future__ import annotations

import re
from posixpath import dirname, join, normpath

import pytest

from taskspace.page import assets

IMPORT = re.compile(r'from "([^"]+)"')
REFERENCE = re.compile(r'(?:src|href)="([^"]+)"')


def text(path):
    return assets()[path][1].decode()


def of_type(ending):
    return [path for path in assets() if path.endswith(ending)]


def test_holds_a_page_scripts_styles_and_an_icon_with_their_media_types():
    types = {path.rpartition(".")[2]: kind for path, (kind, _) in assets().items()}
    assert types == {
        "html": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
    assert "index.html" in assets()


def test_cannot_be_changed_by_who_serves_it():
    with pytest.raises(TypeError):
        assets()["index.html"] = ("text/plain", b"")


def test_the_page_refers_to_files_that_are_there_and_to_nothing_else():
    for reference in REFERENCE.findall(text("index.html")):
        assert reference.startswith("static/")
        assert reference.removeprefix("static/") in assets()


@pytest.mark.parametrize("path", of_type(".js"))
def test_a_module_imports_files_that_are_there_in_one_form(path):
    script = text(path)
    assert all(normpath(join(dirname(path), other)) in assets() for other in IMPORT.findall(script))
    statements = re.findall(r"^import .*$", script, re.M)
    assert all(re.fullmatch(r'import \{[^}]+\} from "\./[^"]+";', statement) for statement in statements)
    assert "export default" not in script
    assert not re.search(r"^export \{", script, re.M)


@pytest.mark.parametrize("path", of_type(".js"))
def test_a_module_never_makes_markup_of_text(path):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text(path))


def test_every_module_is_reached_from_the_page():
    reached, waiting = set(), [r.removeprefix("static/") for r in REFERENCE.findall(text("index.html"))]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += [normpath(join(dirname(path), other)) for other in IMPORT.findall(text(path))]
    assert reached | {"index.html"} == set(assets())


def test_works_where_nothing_inline_is_allowed():
    page = text("index.html")
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\son\w+=", page)
    assert "<style" not in page
    assert "style=" not in page


@pytest.mark.parametrize("path", sorted(assets()))
def test_names_no_other_host(path):
    found = re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"')]*", text(path))
    assert set(found) <= {"http://www.w3.org/2000/svg"}
