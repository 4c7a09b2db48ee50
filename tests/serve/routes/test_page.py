"""The page comes from memory; what is asked for is never looked up on disk."""

from __future__ import annotations

import sys
from urllib.parse import quote

import pytest

from taskspace.page import assets


def test_the_page_and_all_of_its_files(client):
    held = assets()
    page = client.get("/")
    assert page.content == held["index.html"][1]
    assert page.headers["content-type"] == held["index.html"][0]
    for path, (media_type, content) in held.items():
        answer = client.get(f"/static/{path}")
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-type"] == media_type
        again = client.get(f"/static/{path}", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304


def test_the_page_asks_for_nothing_that_its_policy_forbids(client):
    text = client.get("/").text
    assert "<style" not in text
    assert " style=" not in text
    for part in text.split("<script")[1:]:
        assert "src=" in part.partition(">")[0]
    for origin in ("http://", "https://", "//cdn"):
        assert f'src="{origin}' not in text
        assert f'href="{origin}' not in text


def test_what_is_asked_for_never_reaches_the_disk(client, refused, monkeypatch, tmp_path):
    (tmp_path / "secret.txt").write_text("not for you")
    monkeypatch.chdir(tmp_path)
    paths = [
        "secret.txt", "./secret.txt", "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "....//secret.txt",
        str(tmp_path / "secret.txt"), quote(str(tmp_path / "secret.txt"), safe=""), "/etc/passwd", "..%5csecret.txt",
        "%00", "index.html%00.js", "js/../../_assets.py", "file:///etc/passwd", "~/.bashrc", "a" * 3000, "con", "",
    ]  # fmt: skip
    for path in paths:
        answer = client.get(f"/static/{path}")
        refused(answer, 404)
        assert "not for you" not in answer.text


@pytest.fixture(scope="session")
def touched():
    """What Python has opened, listed or connected to since this was emptied; a hook stays for good."""
    seen, events = [], ("open", "os.listdir", "os.scandir", "sqlite3.connect", "import", "subprocess.Popen")
    sys.addaudithook(lambda event, words: seen.append(repr(words)) if event in events else None)
    return seen


@pytest.mark.parametrize("name", ["../../etc/passwd", "x'; DROP TABLE embeddings; --", "file:///etc/passwd?mode=rw"])
def test_names_are_only_names(client, name, touched):
    assert client.get("/v1/tasks").json()["total"] == 16
    touched.clear()
    for path in ("/v1/task", "/v1/near", "/v1/rank", "/v1/transfers", "/v1/similarities"):
        key = "source" if path == "/v1/transfers" else "name"
        assert client.get(path, params={key: name, "space": "response"}).status_code in (200, 404)
    assert [words for words in touched if "passwd" in words or "DROP" in words] == []
    assert client.get("/v1/tasks").json()["total"] == 16
