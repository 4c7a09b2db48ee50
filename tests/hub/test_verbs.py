"""``taskspace push`` and ``pull`` as they are typed."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from taskspace.atlas import Atlas

# The client hands files to httpx2 in a way that httpx2 would rather see go.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

pytest.importorskip("huggingface_hub")
pytest.importorskip("pyarrow")


@pytest.fixture
def here(monkeypatch, capsys):
    """Run the command line in this process."""
    from taskspace.cli import main

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["taskspace", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return end.value.code or 0, out, err

    return run


def test_there_and_back(cli, hub, full, fresh, contents):
    """By the client's own settings from the environment, in processes of their own."""
    code, out, err = cli(
        "push", "ann/map", "--atlas", full.path, "--with-pool", "--license", "mit", "--message", "first"
    )
    assert code == 0, err
    repo = hub.repos["ann/map"]
    assert repo.messages[-1] == "first"
    assert out.startswith("pushed to ann/map (private): 6 files, ")
    assert out.endswith(f"/datasets/ann/map/commit/{repo.branches['main']}\n")
    path = fresh()
    code, out, err = cli("pull", "ann/map", "--atlas", path, "--json")
    assert code == 0, err
    assert json.loads(out)["added"] == 5
    assert json.loads(out)["atlas"] == str(path)
    with Atlas(path) as atlas:
        assert {key: value[3] for key, value in contents(atlas).items()} == {
            key: value[3] for key, value in contents(full).items()
        }


def test_a_dry_run_lists_files_and_what_stays(here, full, hub, embed, space_id):
    full.add(embed("c", space=space_id(), origin="/home/ann/c.jsonl"))
    code, out, _ = here("push", "ann/map", "--atlas", full.path, "--dry-run")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("would push to ann/map: 5 files, ")
    assert {line.split()[0] for line in lines[1:6]} >= {"transfers.parquet", "spaces.json", "README.md"}
    assert [line for line in lines if line.startswith("stays here: ")] == [
        "stays here: the pool (3 texts), without which nothing new can be embedded; --with-pool takes it along",
        "stays here: folders and addresses in the provenance of 1 embedding; last names stay",
    ]
    assert hub.asked == []
    document = json.loads(here("push", "ann/map", "--atlas", full.path, "--dry-run", "--json")[1])
    assert document["commit"] is None
    assert document["bytes"] == sum(file["bytes"] for file in document["files"])
    assert document["card"].startswith("---\n")


def test_what_the_user_can_mend_is_one_line(here, full, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for words in (
        ("push", "ann/map", "--atlas", full.path),
        ("push", "map", "--atlas", full.path),
        ("push", "ann/map", "--atlas", tmp_path / "none.db"),
        ("pull", "ann/map", "--atlas", tmp_path / "new.db"),
        ("pull", "ann/map@", "--atlas", tmp_path / "new.db"),
    ):
        code, out, err = here(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert err.startswith("taskspace: ")
    assert not (tmp_path / "new.db").exists()


def test_the_default_atlas_is_made_with_its_folder(here, online, pushed, tmp_path, monkeypatch):
    monkeypatch.setenv("TASKSPACE_HOME", str(tmp_path / "new" / "home"))
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    code, out, err = here("pull", "ann/map")
    assert code == 0, err
    assert out.startswith(f"pulled ann/map at {pushed.commit[:12]} into {tmp_path / 'new' / 'home'}")
    assert out.endswith(": 5 new, 3 measured transfers, with its pool\n")
    assert (tmp_path / "new" / "home" / "atlas.db").exists()
    assert "5 here before" in here("pull", "ann/map")[1]


# What can be done with it then


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, session_home, tiny_encoder, tasks, mixed_pool):
    """An atlas of a real, microscopic space, whose base model is a folder of this machine."""
    from taskspace.space import Space

    path = tmp_path_factory.mktemp("made-once") / "real.db"
    with pytest.MonkeyPatch.context() as patch, Atlas(path) as atlas:
        patch.setenv("TASKSPACE_HOME", str(session_home))
        space = Space(mixed_pool, surrogate=tiny_encoder)
        atlas.keep_space(space.identity, mixed_pool, {"surrogate": str(tiny_encoder)})
        atlas.add(*(space.embed(tasks[name]) for name in ("mood", "topic", "trip")))
    return path


@pytest.fixture
def real(made_once, opened, tmp_path, shared_home):
    """A copy of that atlas."""
    return opened(shutil.copy(made_once, tmp_path / "real.db"))


@pytest.fixture
def echo(tasks, tmp_path):
    """A data set that is not in the atlas, as a file."""
    task, path = tasks["echo"], tmp_path / "echo.jsonl"
    rows = zip(task.texts, task.text_pairs, task.labels.codes, strict=True)
    path.write_text(
        "".join(
            json.dumps({"text": text, "text_pair": pair, "label": task.label_names[code]}) + "\n"
            for text, pair, code in rows
        ),
        encoding="utf-8",
    )
    return path


def test_with_the_pool_something_new_is_embedded_as_it_is_at_home(
    real, echo, push, pull, fresh, here, tiny_encoder, opened
):
    push(real, with_pool=True)
    path = fresh()
    pull("ann/map", path)
    for target in (real.path, path):
        code, out, err = here("embed", echo, "--atlas", target, "--surrogate", tiny_encoder)
        assert code == 0, out + err
    there, home = opened(path).get("echo"), real.get("echo")
    assert there.space == home.space
    assert there.vector.tobytes() == home.vector.tobytes()


def test_without_the_pool_names_can_be_ranked_and_nothing_new_embedded(
    real, echo, push, pull, fresh, here, tiny_encoder, opened, mixed_pool, tmp_path
):
    from taskspace.data import write_pool

    push(real)
    path = fresh()
    pull("ann/map", path)
    assert json.loads(here("near", "mood", "--atlas", path, "--json")[1])["hits"]
    assert here("rank", "mood", "--atlas", path)[0] == 0
    assert here("show", "--atlas", path)[0] == 0
    code, _, err = here("embed", echo, "--atlas", path, "--surrogate", tiny_encoder)
    assert (code, "the pool of that space is not in" in err) == (2, True)
    # Whoever has the texts as a file can bring them.
    texts = write_pool(mixed_pool, tmp_path / "texts.jsonl")
    code, out, err = here("embed", echo, "--atlas", path, "--surrogate", tiny_encoder, "--pool", texts)
    assert code == 0, out + err
    atlas = opened(path)
    assert atlas.spaces() == real.spaces()
    assert atlas.pool().fingerprint == mixed_pool.fingerprint


def test_no_folder_of_this_machine_is_pushed(real, push, hub, tiny_encoder, tmp_path):
    push(real, with_pool=True)
    for path, blob in hub.repos["ann/map"].files().items():
        for secret in (str(tiny_encoder), str(tiny_encoder.parent), str(tmp_path)):
            assert secret.encode() not in blob.data, path
