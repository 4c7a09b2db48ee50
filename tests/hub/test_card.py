"""The card: what the Hub's own parser, ``datasets`` and a reader make of it."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest

from taskspace.hub import push

# The client hands files to httpx2 in a way that httpx2 would rather see go.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("pyarrow")


def card(atlas, repo="ann/map", **options):
    return hub.DatasetCard(push(atlas, repo, dry_run=True, **options).card)


def tables(text):
    """The rows of all tables, as their cells."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_the_head_says_where_the_viewer_finds_what(full, space_id):
    data = card(full, license="cc-by-4.0", with_pool=True).data
    space = space_id()
    name = f"response-{space.fingerprint[:12]}"
    assert data.license == "cc-by-4.0"
    assert data.pretty_name == "map"
    assert "taskspace" in data.tags
    assert data.size_categories == ["n<1K"]
    assert data.configs[0] == {"config_name": name, "data_files": f"spaces/{name}.parquet", "default": True}
    assert [config["config_name"].partition("-")[0] for config in data.configs] == [
        "response",
        "tuned",
        "transfers",
        "pool",
    ]
    assert [config for config in data.configs if config.get("default")] == data.configs[:1]


def test_without_a_license_none_is_stated(full):
    text = card(full)
    assert text.data.license is None
    assert "license" not in str(text.data.to_yaml())
    assert not any(config["config_name"].startswith("pool") for config in text.data.configs)


def test_datasets_reads_what_the_head_names(full, push, online, tmp_path, monkeypatch, space_id):
    """``load_dataset`` as the card says it, on the files as they lie in the repository."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    push(full, with_pool=True)
    folder = tmp_path / "repository"
    for path, blob in online.repos["ann/map"].files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(blob.data)
    assert datasets.get_dataset_config_names(str(folder))[0] == f"response-{space_id().fingerprint[:12]}"
    told = re.search(r'load_dataset\("ann/map", "([^"]+)", split="train"\)', (folder / "README.md").read_text("utf-8"))
    rows = datasets.load_dataset(str(folder), told[1], split="train").with_format("numpy")
    for row in rows:
        assert row["vector"].dtype == np.float32
        assert row["vector"].tobytes() == full.get(row["name"], space=space_id()).vector.tobytes()
    assert datasets.load_dataset(str(folder), "transfers", split="train")["source"][:] == ["a", "a", "b"]
    pool = f"pool-{space_id().pool[:12]}"
    assert datasets.load_dataset(str(folder), pool, split="train")["text"][1] == "two\ntexts"


def test_entries_are_told_with_what_they_are(full):
    rows = {row[0]: row[1:] for row in tables(card(full).text) if len(row) == 6}
    assert rows["`b`"][:4] == ["data&nbsp;set", "1,200", "2", r"Tell \| &lt;b&gt;good&lt;/b&gt; from bad."]
    assert rows["`a`"][:4] == ["model", "", "", f"ann/judge at {'b' * 40}"]
    assert rows["`名前 ümläut / #1?%20`"][0] == "prompt"


def test_what_is_nearest(opened, tmp_path, embed, space_id):
    from dataclasses import replace

    atlas = opened(tmp_path / "near.db")
    vectors = {"east": [1, 0], "north": [0, 1], "east by north": [4, 3]}
    blocks = (("all", 2),)
    for name, vector in vectors.items():
        atlas.add(replace(embed(name), vector=np.array(vector, np.float32), blocks=blocks))
    rows = {row[0]: row[-1] for row in tables(card(atlas).text)}
    assert rows["`east`"] == "`east by north`&nbsp;0.80"
    assert rows["`north`"] == "`east by north`&nbsp;0.60"


def test_transfers_are_summed_up(opened, tmp_path):
    atlas = opened(tmp_path / "t.db")
    for source, target, score, baseline in [
        ("a", "x", 0.9, 0.5), ("a", "x", 0.7, 0.5), ("b", "x", 0.4, 0.5), ("a", "y", 0.2, 0.3), ("y", "y", 1.0, 0.3),
        ("b", "z", 0.5, None),
    ]:  # fmt: skip
        atlas.observe(source=source, target=target, score=score, baseline=baseline)
    text = card(atlas).text
    assert "6 runs: 3 sources on 3 targets, in accuracy. Of 3 pairs with a baseline 33% gained" in text
    rows = {row[0]: row[1:] for row in tables(text)}
    assert rows["`x`"] == ["`a`", "+0.300", "+0.100"]
    assert rows["`y`"] == ["`a`", "-0.100", "-0.100"]
    assert "`z`" not in rows


def test_transfers_without_a_baseline(opened, tmp_path):
    atlas = opened(tmp_path / "t.db")
    atlas.observe(source="a", target="x", score=0.9)
    assert "1 run: 1 source on 1 target, scores without a baseline beside them." in card(atlas).text


def test_spaces_are_told(full, space_id):
    text = card(full).text
    assert "`response` with shrinkage 1.0" in text
    assert "9 numbers in 2 blocks" in text
    assert f"[ann/base](https://huggingface.co/ann/base) at commit [`{'a' * 12}`]" in text
    assert f"3 unlabelled texts, SHA-256 `{space_id().pool[:16]}…`" in text
    assert "taken block by block and averaged" in text


@pytest.mark.parametrize(
    ("revision", "told"),
    [("local", "`base`, a folder (weights SHA-256 `w0…`)"), ("wheel", "taskspace[offline]"), ("v1", "at commit `v1`")],
)
def test_where_the_surrogate_is(opened, tmp_path, embed, space_id, revision, told):
    atlas = opened(tmp_path / "s.db")
    atlas.add(
        embed("b", space=space_id(revision=revision, surrogate="/home/ann/base" if revision == "local" else "ann/base"))
    )
    text = card(atlas).text
    assert told in text
    assert "/home" not in text


def test_with_the_pool_and_without(full):
    assert "Embedding something new needs them" in card(full).text
    assert "## The pool is here" in card(full, with_pool=True).text
    assert "Embedding something new needs them" not in card(full, with_pool=True).text


@pytest.mark.parametrize(
    "options", [{}, {"with_pool": True, "license": "mit", "private": False, "revision": "my branch"}, {"private": True}]
)
def test_the_command_that_pushed_it_is_one(full, options):
    from typer.testing import CliRunner

    from taskspace.cli._app import app

    told = re.search(r"Pushed with taskspace [\d.]+ by\n\n```sh\n(.*)\n```", card(full, **options).text)[1]
    words = shlex.split(told)
    assert words[:2] == ["taskspace", "push"]
    assert str(full.path.parent) not in told
    seen = {}
    runner = CliRunner()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(full.path.parent)
        patch.setattr(
            "taskspace.hub.push",
            lambda atlas, repo, **said: seen.update(said, repo=repo) or push(full, repo, dry_run=True),
        )
        assert runner.invoke(app, words[1:]).exit_code == 0
    asked = {"private": None, "license": None, "with_pool": False, "revision": None, "message": None, "dry_run": False}
    assert seen == {**asked, **options, "repo": "ann/map"}


def test_the_first_commands_work_on_what_was_pulled(full, push, pull, fresh, monkeypatch, capsys):
    """The card of an atlas of two spaces, in both of which the first name stands."""
    import sys

    from taskspace.cli import main

    push(full)
    path = fresh()
    pull("ann/map", path)
    told = re.search(r"```sh\n(.*?)\n```", card(full).text, re.DOTALL)[1].splitlines()
    assert told[:2] == ["pip install 'taskspace[hub]'", "taskspace pull ann/map --atlas map.db"]
    assert "embed,hub" in card(full, with_pool=True).text
    monkeypatch.setattr(sys, "argv", [str(path) if word == "map.db" else word for word in shlex.split(told[2])])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (0, None), capsys.readouterr().err
    assert "'b'" in capsys.readouterr().out


def test_an_empty_atlas_has_a_card(opened, tmp_path):
    empty = card(opened(tmp_path / "e.db"))
    assert "An atlas that is still empty" in empty.text
    assert "configs" not in empty.data.to_dict()


def test_a_long_list_is_cut(full, monkeypatch):
    monkeypatch.setattr("taskspace.hub._card_tables.SHOWN_ENTRIES", 2)
    text = card(full).text
    assert "… and 2 more, in the viewer above." in text
    assert [row[0] for row in tables(text) if len(row) == 6] == ["name", "---", "`a`", "`b`"]


def test_names_cannot_break_out(opened, tmp_path, embed):
    nasty = "a`b|c\n# d <script>alert(1)</script> [x](javascript:1) ```"
    atlas = opened(tmp_path / "n.db")
    atlas.add(embed(nasty, description=nasty))
    text = card(atlas).text
    assert "\n# d" not in text
    row = next(row for row in tables(text) if row[0].startswith("`a'b"))
    assert len(row) == 6
    assert "<script>" not in row[4]
    assert "[x](" not in row[4]


@pytest.fixture
def twelve(opened, tmp_path, embed):
    atlas = opened(tmp_path / "twelve.db")
    atlas.add(*(embed(f"e{i}", length=8, wild=False) for i in range(12)))
    return atlas


def test_a_map_stands_at_the_top(twelve, push, pull, online, opened, fresh):
    pytest.importorskip("matplotlib")
    pytest.importorskip("scipy")
    pushed = push(twelve)
    text = online.read("ann/map", "README.md").decode()
    assert re.search(
        r"!\[Map of 12 points by PCA; it keeps \d+% of each point's 5 nearest \(chance: \d+%\)\]\(map.png\)", text
    )
    assert online.read("ann/map", "map.png").startswith(b"\x89PNG")
    assert "map.png" in {file.path for file in pushed.files}
    assert not push(twelve).changed
    online.asked.clear()
    assert pull("ann/map", fresh()).added == 12
    assert not any("map.png" in line for line in online.asked)
    # A map that is drawn no more goes when it goes.
    twelve.remove(*(f"e{i}" for i in range(4)))
    assert push(twelve).deleted == ("map.png",)


def test_without_the_packages_that_draw_it_is_told(twelve, monkeypatch):
    monkeypatch.setattr("taskspace.hub._picture.installed", lambda package: package != "matplotlib")
    dry = push(twelve, "ann/map", dry_run=True)
    assert "map.png" not in dry.card
    assert "a map for the card, which needs matplotlib; pip install 'taskspace[plot]'" in dry.left_out
