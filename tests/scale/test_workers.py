"""What holds wherever the work is done: the same atlas as in one process, whatever fails on the way."""

from __future__ import annotations

import json
import threading
from functools import partial

import pytest

from taskspace.cli import main
from taskspace.errors import TaskspaceWarning
from taskspace.scale import Processes, Ray, Source, embed_all


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def two_workers(request):
    """A runner with two workers of one thread each, as the tests' own process has."""
    if request.param == "ray":
        request.getfixturevalue("cluster")
        return Ray(workers=2, threads=1)
    return Processes(workers=2, threads=1)


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def runner_name(request):
    """What ``--runner`` says; the command finds this process connected to the tests' own cluster."""
    if request.param == "ray":
        request.getfixturevalue("cluster")
    return request.param


@pytest.fixture
def everything(data, model, files):
    """Each thing that can become of a source."""
    return [
        data("mood"),
        data("gone"),
        model("length"),
        data("other/mood"),
        data("twin"),
        model("awkward"),
        data("mood"),
        data("topic"),
        model("opinion"),
        data("degree"),
        data("echo"),
        model("opinion"),
    ]


def without_embeddings(outcomes):
    return [(o.origin, o.status, o.name, o.problem) for o in outcomes]


def test_the_atlas_holds_the_same_as_from_one_process(two_workers, everything, opened, open_atlas, rows, calls):
    one, many = open_atlas("one"), open_atlas("many")
    expected = list(embed_all(opened(), everything, one))
    asked = len(calls("opinion"))
    outcomes = list(embed_all(opened(), everything, many, two_workers))
    assert [outcome.status for outcome in expected] == [
        "embedded", "failed", "embedded", "failed", "embedded", "failed", "kept", "embedded", "embedded", "embedded",
        "embedded", "kept",
    ]  # fmt: skip
    assert without_embeddings(outcomes) == without_embeddings(expected)
    assert rows(many) == rows(one)
    assert len(rows(many)) == 7
    assert len(calls("opinion")) == 2 * asked  # what comes twice is asked once here too
    for mine, theirs in zip(outcomes, expected, strict=True):
        assert (mine.embedding is None) == (theirs.embedding is None)
        if mine.embedding is not None:
            assert mine.embedding.vector.tobytes() == theirs.embedding.vector.tobytes()
            assert mine.embedding.pool is not None

    again = list(embed_all(opened(), everything, many, two_workers))
    assert without_embeddings(again) == without_embeddings(embed_all(opened(), everything, one))
    assert rows(many) == rows(one)


def test_a_lost_worker_costs_one_task(two_workers, data, model, opened, open_atlas, rows, calls):
    """One that dies over a task is replaced, and the task tried again; one that always kills is given up, alone."""
    given = [data("mood"), model("killed_once"), model("none", "deadly.py"), data("topic"), model("length")]
    many = open_atlas("many")
    outcomes = list(embed_all(opened(), given, many, two_workers))
    assert [outcome.status for outcome in outcomes] == ["embedded", "embedded", "failed", "embedded", "embedded"]
    assert outcomes[2].problem.startswith("python:none was given up, since 3 workers in turn were killed")
    assert len(set(calls("killed_once"))) == 2
    assert len(set(calls("deadly"))) == 3
    one = open_atlas("one")
    list(embed_all(opened(), [given[0], given[1], *given[3:]], one))
    assert rows(many) == rows(one)


def test_what_a_worker_cannot_do_for_us(two_workers, data, files, opened, open_atlas):
    """A source that does not travel fails by itself, notes are told here, and a bug ends the run in its turn."""
    lock = threading.Lock()
    (files / "lone.jsonl").write_text(
        "".join(f'{{"text": "rain {label}", "label": "{label}"}}\n' for label in "xxyyz"), encoding="utf-8"
    )
    given = [Source("held", lambda: lock), data("lone"), Source("bug", partial(divmod, 1, 0)), data("mood")]
    atlas = open_atlas("many")
    outcomes = embed_all(opened(), given, atlas, two_workers)
    held = next(outcomes)
    assert held.status == "failed"
    assert held.problem.startswith("held cannot be sent to a worker (")
    assert held.problem.endswith("or use the local runner (--runner local)")
    with pytest.warns(TaskspaceWarning, match=r"^1 of 3 classes of 'lone' have one row only \('z'\); "):
        assert next(outcomes).status == "embedded"
    with pytest.raises(ZeroDivisionError) as caught:
        next(outcomes)
    assert "in perform" in caught.value.__notes__[0]
    assert [entry.name for entry in atlas.entries()] == ["lone"]


def test_on_the_command_line(runner_name, data, opened, open_atlas, files, monkeypatch, capsys):
    """One JSON document on stdout, whatever workers print; here they only read, since the atlas has it."""
    atlas = open_atlas("my")
    given = [data("mood"), data("topic")]
    list(embed_all(opened(), given, atlas))
    monkeypatch.chdir(files)
    words = ["mood.jsonl", "gone.jsonl", "topic.jsonl", "--atlas", "my.db", "--json"]
    monkeypatch.setattr("sys.argv", ["taskspace", "embed", *words, "--runner", runner_name, "--workers", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    outcomes = json.loads(said.out)["outcomes"]
    assert [outcome["status"] for outcome in outcomes] == ["kept", "failed", "kept"]
    assert [line for line in said.err.splitlines() if line] == [f"failed    {outcomes[1]['problem']}"]
