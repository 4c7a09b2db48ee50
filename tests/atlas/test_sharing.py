"""What may leave the machine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.atlas.sharing import shared_identity, shared_options, shared_provenance


def origin(text):
    return shared_provenance({"origin": text}, "ann/map")["origin"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("/home/ann/clients/acme/reviews.jsonl", "reviews.jsonl"),
        ("~/reviews.csv.gz", "reviews.csv.gz"),
        ("../secret/reviews.jsonl", "reviews.jsonl"),
        ("acme/reviews.jsonl", "reviews.jsonl"),
        (r"C:\Users\ann\reviews.csv", "reviews.csv"),
        (r"\\server\share\reviews.csv", "reviews.csv"),
        ("file:///home/ann/reviews.csv", "reviews.csv"),
        ("/home/ann/folder/", "folder"),
        ("reviews.jsonl", "reviews.jsonl"),
        ("nyu-mll/glue", "nyu-mll/glue"),
        ("hub:ann/judge@v1", "hub:ann/judge@v1"),
        ("hub:/home/ann/judge", "hub:judge"),
        ("predictions:/home/ann/answers.npy", "predictions:answers.npy"),
        ("predictions:acme/answers.npy", "predictions:answers.npy"),
        ("sklearn:models/spam.skops", "sklearn:spam.skops"),
        ("python:/home/ann/lab.py:opinion", "python:lab.py:opinion"),
        ("python:package.module:opinion", "python:package.module:opinion"),
        ("prompt:/home/ann/mood.toml:film", "prompt:mood.toml:film"),
        ("http://10.0.0.3:8000/v1#/home/ann/mood.toml:film", "endpoint#mood.toml:film"),
        ("https://inside.acme.example/v1#mood.toml", "endpoint#mood.toml"),
    ],
)
def test_origins_keep_their_last_name(said, kept):
    assert origin(said) == kept
    assert origin(kept) == kept


@settings(max_examples=25)
@given(st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, max_size=5), st.sampled_from("/\\"))
def test_no_folder_survives(folders, slash):
    path = slash + slash.join(["home", *(f"secret{folder}" for folder in folders), "last.jsonl"])
    for said in (path, f"prompt:{path}:name", f"hub:{path}"):
        assert "secret" not in origin(said)
        assert "last.jsonl" in origin(said)


def test_the_rest_of_a_provenance():
    given = {
        "model": "/home/ann/judge", "revision": "local", "endpoint": "http://10.0.0.3/v1", "read_by": ["text"],
        "labels": ["/s", "/home/x/y"], "template": "~/ {text} /a/b", "answers": {"/a/b": ["/c/d"]},
        "description": "Is it /a/b or /c/d?", "rows": 3, "skill": 0.5, "classes": None, "done": True,
        "deep": {"folder": "/home/ann/x", "more": [{"file": "C:\\Users\\ann\\y"}, 1]}, "ratio": "1/2",
    }  # fmt: skip
    kept = shared_provenance(given, "ann/map")
    assert kept == {
        **{key: value for key, value in given.items() if key != "endpoint"},
        "model": "judge", "deep": {"folder": "x", "more": [{"file": "y"}, 1]},
    }  # fmt: skip
    assert given["model"] == "/home/ann/judge"


@pytest.mark.parametrize("key", ["hf_" + "aB3" * 12, "sk-proj-" + "x7Y" * 14, "ghp_" + "q9" * 18])
def test_what_looks_like_a_key_is_masked(key):
    kept = shared_provenance({"note": f"with {key}!", "function": f"f(key={key})"}, "ann/map")
    assert kept == {"note": "with ***!", "function": "f(key=***)"}


def test_words_that_only_begin_like_a_key():
    given = {"estimator": "sk-learn.pipeline", "model": "hf_small/hf_internal-testing"}
    assert shared_provenance(given, "ann/map") == given


def test_that_it_was_pulled_from_there():
    assert shared_provenance({"pulled_from": "ann/map@abc"}, "ann/map") == {}
    assert shared_provenance({"pulled_from": "ann/map@abc"}, "ann/map2") == {"pulled_from": "ann/map@abc"}


@pytest.mark.parametrize(
    ("surrogate", "revision", "kept"),
    [
        ("ann/base", "a" * 40, "ann/base"),
        ("sentence-transformers/all-MiniLM-L6-v2", "wheel", "sentence-transformers/all-MiniLM-L6-v2"),
        ("/home/ann/base", "local", "base"),
        ("models/base", "local", "base"),
        ("~/models/base/", "local", "base"),
    ],
)
def test_a_space_is_the_same_without_folders(space_id, surrogate, revision, kept):
    given = space_id(surrogate=surrogate, revision=revision)
    assert shared_identity(given).surrogate == kept
    assert shared_identity(given) == given
    assert shared_identity(given).revision == revision


def test_options():
    assert shared_options({"surrogate": "ann/base"}) == {"surrogate": "ann/base"}
    for unfit in ({"surrogate": "/home/ann/base"}, {"surrogate": 3}, {"device": "cuda"}, {"surrogate": "~/x"}, {}):
        assert shared_options(unfit) == {}
