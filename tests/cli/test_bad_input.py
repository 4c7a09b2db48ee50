"""What a user can get wrong: one sentence, exit code 2, and nothing that was stored is lost."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import sqlite3
from pathlib import Path

import pytest

LIBC = ctypes.CDLL(None)
DROP_BOUND = 24  # PR_CAPBSET_DROP
OVERRIDES = 1, 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def lines(*rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def labelled(count):
    return [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(count)]


BAD_FILES = {
    "empty.jsonl": ("", "empty.jsonl is empty"),
    "blank.csv": ("text,label\n", "blank.csv has no rows"),
    "broken.jsonl": (lines(*labelled(6), '{"text": "half', *labelled(3)), "broken.jsonl, line 7: not valid JSON"),
    "ragged.csv": ("text,label\na,x\nb,y,z\nc,x\n", "ragged.csv, line 3: 3 fields where the header has 2"),
    "unlabelled.jsonl": (lines({"text": "a", "colour": "x"}, {"text": "b", "colour": "y"}), "it has 'text', 'colour'"),
    "textless.jsonl": (lines({"words": "a", "label": "x"}, {"words": "b", "label": "y"}), "it has 'words', 'label'"),
    "one_class.jsonl": (lines(*({"text": f"t{i}", "label": "x"} for i in range(5))), "one label only ('x')"),
    "no_label.jsonl": (lines(*({"text": f"t{i}", "label": None} for i in range(5))), "no label that is filled in"),
    "all_equal.jsonl": (lines(*({"text": "t", "label": "ab"[i % 2]} for i in range(6))), "all 6 texts"),
    "not_utf8.jsonl": (lines(*labelled(3)).encode() + b'{"text": "caf\xe9", "label": "x"}\n', "not_utf8.jsonl, line 4"),
    "picture.png": (b"\x89PNG\r\n", "none of the suffixes that can be read"),
    "cut.jsonl.gz": (b"\x1f\x8b\x08\x00\x00\x00", "is cut short or not gzip at all"),
}


@pytest.fixture
def unharmed(taskspace, atlas, contents):
    """Run a command that must end in one sentence and leave the atlas as it was, byte for byte of its content."""

    def run(*words):
        before = contents(atlas)
        said = taskspace(*words)
        assert said.code == 2
        assert contents(atlas) == before
        return said.sentence

    return run


@pytest.mark.parametrize("name", BAD_FILES)
def test_files(unharmed, name):
    content, seen = BAD_FILES[name]
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence = unharmed("embed", name)
    assert sentence.startswith("failed    ")
    assert seen in sentence
    assert unharmed("rank", name).removeprefix("taskspace: ") == sentence.removeprefix("failed    ")


def test_a_missing_file(unharmed):
    assert "did you mean 'topic.csv'?" in unharmed("embed", "topics.csv")
    assert "there is no file elsewhere/a.jsonl, nor a folder elsewhere" in unharmed("rank", "elsewhere/a.jsonl")


def test_a_broken_file_is_no_better_as_the_first_thing_ever(taskspace, files, tiny_encoder):
    Path("broken.jsonl").write_text(BAD_FILES["broken.jsonl"][0])
    said = taskspace("embed", "broken.jsonl", "--surrogate", tiny_encoder)
    assert said.code == 2
    assert "line 7" in said.sentence


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda rows: rows[:-1], "109 rows, but the pool has 110"),
        (lambda rows: [*rows, rows[0]], "111 rows, but the pool has 110"),
        (lambda rows: [{"probs": [0.5, float("nan")]}, *rows[1:]], "some of them NaN"),
        (lambda rows: [*rows[:7], {"probs": [1.5, -0.5]}, *rows[8:]], "in line 8, some of them negative"),
        (lambda rows: [*rows[:7], {"probs": [0.5, 0.6]}, *rows[8:]], "which sum to 1.1, not 1"),
        (lambda rows: [*rows[:7], {"probs": [0.2, 0.3, 0.5]}, *rows[8:]], "3 probabilities in line 8 but 2 in line 1"),
        (lambda rows: [{"text": "another text", **rows[0]}, *rows[1:]], "'another text' in line 1 where the pool has"),
        (lambda rows: [{"verdict": "x"} for _ in rows], "'verdict'"),
        (lambda rows: [], "is empty"),
    ],
)
def test_predictions(unharmed, mixed_pool, change, seen):
    Path("p.jsonl").write_text(lines(*change([{"probs": [0.25, 0.75]} for _ in range(len(mixed_pool))])))
    sentence = unharmed("embed", "--labeler", "predictions:p.jsonl")
    assert "p.jsonl" in sentence
    assert seen in sentence


@pytest.mark.parametrize(
    ("spec", "seen"),
    [
        ("predictions:gone.csv", "there is no file gone.csv"),
        ("pyhton:lab.py:opinion", "did you mean 'python'?"),
        ("lab.py", "does not say KIND:WHAT"),
        ("python:lab.py:opinoin", "did you mean 'opinion'?"),
        ("python:gone.py:opinion", "there is no file gone.py"),
        ("python:no_such_module_at_all:f", "there is no module no_such_module_at_all"),
        ("python:raises.py:raises", "ZeroDivisionError"),
        ("python:wrong.py:wrong", "gave 1 answers for 88 texts"),
        ("sklearn:model.pkl", "--trust-pickle"),
        ("sklearn:gone.skops", "there is no file gone.skops"),
    ],
)
def test_labelers(unharmed, spec, seen):
    Path("raises.py").write_text("def raises(texts):\n    return 1 / 0\n")
    Path("wrong.py").write_text("def wrong(texts):\n    return ['one']\n")
    Path("model.pkl").write_bytes(b"cos\nsystem\n(S'touch harmed'\ntR.")
    assert seen in unharmed("embed", "--labeler", spec)
    assert not Path("harmed").exists()


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["rank", "moood"], "did you mean 'mood'?"),
        (["near", "moood"], "did you mean 'mood'?"),
        (["show", "moood"], "did you mean 'mood'?"),
        (["remove", "moood"], "did you mean 'mood'?"),
        (["export", "x.safetensors", "--name", "moood"], "did you mean 'mood'?"),
        (["embed", "trip.jsonl", "--learner", "respons"], "did you mean 'response'?"),
        (["rank", "mood", "--learner", "text"], "no space of "),
        (["rank", "mood", "--kind", "modle"], "did you mean 'model'?"),
        (["near", "mood", "--kind", "modle"], "did you mean 'model'?"),
        (["show", "--kind", "modle"], "did you mean 'model'?"),
        (["rank", "mood", "--fusion", "means"], "did you mean 'mean'?"),
        (["embed", "trip.jsonl", "--label", "verdict"], "no column 'verdict' for --label"),
        (["embed", "trip.jsonl", "--pool", "pools.jsonl"], "did you mean 'pool.jsonl'?"),
        (["embed", "trip.jsonl", "--name", " "], "is no name"),
        (["embed", "trip.jsonl", "--seed", "-1"], "seed=-1"),
        (["embed", "trip.jsonl", "--surrogate", "."], "holds no config.json"),
        (["embed", "--learner", "text"], "nothing to embed was given"),
        (["demo", "--data", "."], "needs at least two"),
    ],
)
def test_words(unharmed, words, seen):
    assert seen in unharmed(*words)


def test_a_device_that_is_not_there(unharmed, write):
    write("fresh.jsonl", [{"text": f"fresh words {i}", "label": "ab"[i % 2]} for i in range(6)])
    assert "device 'abacus' cannot be used" in unharmed("embed", "fresh.jsonl", "--device", "abacus")


def test_an_unknown_surrogate_while_offline(process, atlas, contents):
    before = contents(atlas)
    said = process("embed", "trip.jsonl", "--surrogate", "nobody/nothing", HF_HUB_OFFLINE="1")
    assert said.code == 2
    assert "surrogate 'nobody/nothing' is neither a local folder nor in the Hub cache" in said.sentence
    assert contents(atlas) == before


def test_a_hub_data_set_while_offline(process, atlas, contents):
    pytest.importorskip("datasets")
    before = contents(atlas)
    said = process("embed", "nobody/nothing", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    assert said.code == 2
    assert "nobody/nothing" in said.sentence
    assert contents(atlas) == before


# The atlas itself

READERS = [["rank", "mood"], ["near", "mood"], ["show"], ["show", "mood"], ["remove", "mood"], ["export", "x.parquet"]]
ALL = [*READERS, ["export", "x.jsonl", "--pool"], ["embed", "trip.jsonl"]]


@pytest.mark.parametrize("words", ALL[:-1])
def test_no_atlas_yet(taskspace, files, words):
    said = taskspace(*words)
    assert said.code == 2
    assert said.sentence.startswith(f"taskspace: there is no atlas at {files / 'my.db'}; ")
    assert not (files / "my.db").exists()


@pytest.mark.parametrize("words", ALL)
def test_a_database_that_is_not_ours(taskspace, files, contents, words):
    connection = sqlite3.connect("my.db")
    connection.execute("CREATE TABLE bills (amount)")
    connection.commit()
    connection.close()
    before = Path("my.db").read_bytes()
    said = taskspace(*words)
    assert said.code == 2
    assert "is a SQLite database of another program" in said.sentence
    assert Path("my.db").read_bytes() == before


@pytest.mark.parametrize("words", ALL)
def test_a_file_that_is_not_sqlite(taskspace, files, words):
    Path("my.db").write_text("dear diary, " * 1000)
    said = taskspace(*words)
    assert said.code == 2
    assert "not even a SQLite file" in said.sentence
    assert Path("my.db").read_text() == "dear diary, " * 1000


@pytest.mark.parametrize("words", ALL)
def test_a_newer_schema(taskspace, atlas, contents, words):
    connection = sqlite3.connect(atlas)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = contents(atlas)
    said = taskspace(*words)
    assert said.code == 2
    assert "newer taskspace (schema 99" in said.sentence
    assert contents(atlas) == before


def test_a_folder_in_the_place_of_the_atlas(taskspace, files):
    said = taskspace("embed", "trip.jsonl", "--atlas", files)
    assert said.code == 2
    assert f"{files} is a folder" in said.sentence
    assert "does not exist" in taskspace("embed", "trip.jsonl", "--atlas", "not/there.db").sentence


def without_override():
    """Make this process obey the rights of files, root or not; in a container root may lack the right to do so."""
    for capability in OVERRIDES:
        LIBC.prctl(DROP_BOUND, capability, 0, 0, 0)


@pytest.fixture
def read_only():
    """Take the rights to write from a folder and all in it, until the test is over."""
    locked: list[Path] = []

    def lock(folder):
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
            locked.append(path)

    yield lock
    for path in locked:
        path.chmod(0o755)


@pytest.fixture
def obedient(process, folder, read_only):
    """Run a process that obeys the rights of files; skips where there is no way to."""
    probe = folder / "probe"
    probe.mkdir()
    read_only(probe)
    child = os.fork()
    if not child:
        without_override()
        os.execv("/bin/sh", ["sh", "-c", f"touch '{probe}/x'"])
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        pytest.skip("this user may write anywhere")
    return lambda *words, **more: process(*words, limits=without_override, **more)


@pytest.mark.parametrize("words", [["embed", "trip.jsonl", "--name", "new"], ["remove", "mood"], ["rank", "mood"]])
def test_an_atlas_in_a_read_only_folder(obedient, read_only, atlas, files, contents, words):
    before = contents(atlas)
    locked = files / "locked"
    locked.mkdir()
    shutil.move(atlas, locked / "my.db")
    read_only(locked)
    said = obedient(*words, "--atlas", locked / "my.db")
    assert said.code == 2
    assert str(locked / "my.db") in said.sentence
    shutil.copy(locked / "my.db", files / "my.db")
    assert contents(files / "my.db") == before


def test_no_atlas_can_be_made_in_a_read_only_folder(obedient, read_only, files, tiny_encoder):
    locked = files / "locked"
    locked.mkdir()
    read_only(locked)
    said = obedient("embed", "trip.jsonl", "--atlas", locked / "my.db", "--surrogate", tiny_encoder)
    assert said.code == 2
    assert f"{locked / 'my.db'} cannot be opened" in said.sentence


def test_a_home_that_cannot_be_made(obedient, read_only, files, tiny_encoder, monkeypatch):
    locked = files / "locked"
    locked.mkdir()
    read_only(locked)
    monkeypatch.delenv("TASKSPACE_ATLAS")
    monkeypatch.setenv("TASKSPACE_HOME", str(locked / "home"))
    said = obedient("embed", "trip.jsonl", "--surrogate", tiny_encoder)
    assert said.code == 2
    assert f"the folder {locked / 'home'} cannot be made" in said.sentence


def test_a_cache_that_cannot_be_written_is_done_without(obedient, read_only, atlas, contents, write, monkeypatch):
    locked = atlas.parent / "locked"
    locked.mkdir()
    read_only(locked)
    write("fresh.jsonl", [{"text": f"we saw it {'rain' if i % 2 else 'snow'} {i}", "label": i % 2} for i in range(20)])
    monkeypatch.setenv("TASKSPACE_HOME", str(locked))
    said = obedient("embed", "fresh.jsonl")
    assert (said.code, said.out.split()[:2]) == (0, ["embedded", "fresh"])


def entries(contents):
    return {line for line in contents if line.startswith('INSERT INTO "embeddings"')}


def no_file_above(size):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize(("room", "some"), [(0, False), (4_096, False), (300_000, True)])
def test_a_full_disk(process, atlas, contents, write, room, some):
    """No file may be written past ``room`` bytes, which stands for a disk that is full."""
    before = contents(atlas)
    for i in range(12):  # more than fits
        rows = [{"text": f"we saw {'rain' if j % 2 else 'snow'} {j} times", "label": j % 2} for j in range(20 + i)]
        write(f"new{i}.jsonl", rows)
    said = process("embed", *(f"new{i}.jsonl" for i in range(12)), limits=no_file_above(room))
    assert said.code == 2
    assert "what was stored before is safe" in said.sentence
    kept = [line.split()[1] for line in said.out.splitlines() if line.startswith("embedded")]
    assert bool(kept) == some
    assert len(kept) < 12
    assert entries(before) <= entries(contents(atlas))
    assert len(entries(contents(atlas))) == 6 + len(kept)
    again = process("embed", *(f"new{i}.jsonl" for i in range(12)))
    assert again.code == 0
    assert [line.split()[1] for line in again.out.splitlines() if line.startswith("kept")] == kept


def test_a_full_disk_at_the_very_start(process, files, tiny_encoder):
    words = ["embed", "mood.jsonl", "--surrogate", tiny_encoder, "--pool", "pool.jsonl"]
    said = process(*words, limits=no_file_above(2_000))
    assert said.code == 2
    assert "my.db" in said.sentence
    assert process(*words).code == 0
