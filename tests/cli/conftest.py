"""The command line in this process or in one of its own, and small files to feed it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from taskspace import Atlas, Space, labelers
from taskspace.cli import main
from taskspace.data import write_pool

LABELER = """
PRAISE = ("good", "fine", "great", "lovely", "bright")

def opinion(texts):
    return ["good" if any(word in PRAISE for word in text.split()) else "bad" for text in texts]

def length(texts):
    return ["long" if len(text) % 2 else "short" for text in texts]
"""


@dataclass(frozen=True)
class Said:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """stdout as the one JSON document that it must be; NaN and infinity are not JSON."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    @property
    def sentence(self) -> str:
        """The only complaint, after checking that it is one line for a reader and not a traceback."""
        assert "Traceback" not in self.err + self.out
        told = [line for line in self.err.splitlines() if line.startswith(("taskspace: ", "failed"))]
        assert len(told) == 1, self.err
        return told[0]


def _run_process(*words, limits=None, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "taskspace", *map(str, words)],
        env=os.environ | environment, capture_output=True, text=True, check=False, preexec_fn=limits,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def _write_rows(path, rows):
    path = Path(path)
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def _rows_of(task):
    labels = [task.label_names[code] for code in task.labels.codes] if task.label_names else task.labels.values.tolist()
    columns = {"text": task.texts, "text_pair": task.text_pairs, "label": labels}
    if not any(task.text_pairs):
        del columns["text_pair"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _contents(path):
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, shared_home):
    """Everything happens in one folder, so that files go by short names; its ``my.db`` is the default atlas."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("TASKSPACE_ATLAS", str(place / "my.db"))
    return place


@pytest.fixture
def taskspace(monkeypatch, capsys):
    """Run the command line in this process."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["taskspace", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int | None)
        return Said(end.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def process():
    """Run the command line in a process of its own; ``limits`` is called in it before it starts."""
    return _run_process


@pytest.fixture
def write():
    """``write(path, rows)``: JSONL, or CSV by suffix."""
    return _write_rows


@pytest.fixture
def rows_of():
    """The rows of a task, as a file holds them."""
    return _rows_of


@pytest.fixture
def contents():
    """Everything that a database holds, as SQL."""
    return _contents


@pytest.fixture
def files(folder, tasks, mixed_pool):
    """Data sets in two formats, a pool, and a module of functions."""
    for name, suffix in (("mood", "jsonl"), ("topic", "csv"), ("trip", "jsonl"), ("echo", "jsonl")):
        _write_rows(folder / f"{name}.{suffix}", _rows_of(tasks[name]))
    write_pool(mixed_pool, folder / "pool.jsonl")
    (folder / "lab.py").write_text(LABELER)
    return folder


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, session_home, tiny_encoder, tasks, mixed_pool):
    """An atlas of four data sets and two models, made by the library and not by the command line."""
    place = tmp_path_factory.mktemp("made-once")
    functions: dict[str, Any] = {}
    exec(LABELER, functions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TASKSPACE_HOME", str(session_home))
        space = Space(mixed_pool, surrogate=tiny_encoder)
        with Atlas(place / "my.db") as atlas:
            atlas.keep_space(space.identity, mixed_pool, {"surrogate": str(tiny_encoder)})
            atlas.add(*(space.embed(tasks[name]) for name in ("mood", "topic", "trip", "echo")))
            for name in ("opinion", "length"):
                atlas.add(space.embed(labelers.from_callable(functions[name], name=name)))
    return place / "my.db"


@pytest.fixture
def atlas(files, made_once):
    """A copy of that atlas, beside the files it was made of."""
    shutil.copy(made_once, files / "my.db")
    return files / "my.db"
