"""Files to embed, functions that answer, fail or kill, and an atlas as plain rows."""

from __future__ import annotations

import json
import secrets
import tempfile
from functools import partial

import pytest

from taskspace import Atlas, Space, Task
from taskspace.labelers.load import load_labeler
from taskspace.scale import Source
from taskspace.surrogates import load_surrogate

MODELS = """
import os
import signal
import time
from pathlib import Path

HERE = Path(__file__).parent

def told(name):
    with (HERE / f"{name}.calls").open("a") as file:
        file.write(f"{os.getpid()}\\n")

def length(texts):
    told("length")
    return [len(text) % 2 for text in texts]

def opinion(texts):
    told("opinion")
    return ["good" if "good" in text or "fine" in text else "bad" for text in texts]

def awkward(texts):
    raise ValueError("no idea")

def killed_once(texts):
    told("killed_once")
    if len((HERE / "killed_once.calls").read_text().split()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return [len(text) % 3 for text in texts]

def slow(texts):
    told("slow")
    time.sleep(600)
"""

ON_IMPORT = """
import os
import signal
import time
from pathlib import Path

with Path(__file__).with_suffix(".calls").open("a") as file:
    file.write(f"{os.getpid()}\\n")
%s
"""


def _write(task, file):
    """JSONL with the class names; pairs and numbers as they are."""
    labels = [task.label_names[code] for code in task.labels.codes] if task.label_names else task.labels.values.tolist()
    rows = zip(task.inputs.texts, task.inputs.pairs, labels, strict=True)
    lines = [
        json.dumps({"text": text, "label": label} | ({} if pair is None else {"text_pair": pair}))
        for text, pair, label in rows
    ]
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def files(tmp_path, tasks):
    """A file per task, two more of which one has a name and one a content that is there already, and models."""
    for name, task in tasks.items():
        _write(task, tmp_path / f"{name}.jsonl")
    _write(tasks["mood"], tmp_path / "twin.jsonl")
    _write(tasks["topic"], tmp_path / "other" / "mood.jsonl")
    (tmp_path / "models.py").write_text(MODELS, encoding="utf-8")
    (tmp_path / "deadly.py").write_text(ON_IMPORT % "os.kill(os.getpid(), signal.SIGKILL)", encoding="utf-8")
    (tmp_path / "sleepy.py").write_text(ON_IMPORT % "time.sleep(600)", encoding="utf-8")
    return tmp_path


@pytest.fixture
def data(files):
    """``data("mood")``: a source that travels."""
    return lambda name: Source(f"{name}.jsonl", partial(Task.from_file, files / f"{name}.jsonl"))


@pytest.fixture
def model(files):
    """``model("length")``: a function of ``models.py``, or of another file, as a source that travels."""
    return lambda name, file="models.py": Source(
        f"python:{name}", partial(load_labeler, f"python:{files / file}:{name}")
    )


@pytest.fixture
def calls(files):
    """``calls("length")``: the processes in which that function was called (or file imported), once per call."""

    def read(name):
        file = files / f"{name}.calls"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    return read


@pytest.fixture
def opened(tiny_encoder, mixed_pool):
    """``opened(learner="response")``: a space whose features are kept on disk."""

    def make(**options):
        return Space(mixed_pool, surrogate=load_surrogate(tiny_encoder), **options)

    return make


@pytest.fixture
def open_atlas(tmp_path):
    """``open_atlas("a")``: an atlas of that name."""
    atlases = []

    def make(name):
        atlases.append(Atlas(tmp_path / f"{name}.db"))
        return atlases[-1]

    yield make
    for atlas in atlases:
        atlas.close()


@pytest.fixture
def rows():
    """``rows(atlas)``: everything that is stored of each embedding, oldest first, but the time."""

    def read(atlas):
        entries = {entry.name: entry for entry in atlas.entries()}
        matrix = atlas.matrix()
        return [
            (entry.name, entry.kind, entry.space, entry.content, dict(entry.provenance), vector.tobytes())
            for entry, vector in ((entries[row.name], v) for row, v in zip(matrix.rows, matrix.vectors, strict=True))
        ]

    return read


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of this machine with two cores, small and by itself; the folder's path has to be short."""
    short = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    with short as folder, pytest.MonkeyPatch.context() as patch:
        # Before the import, which reads some of it.
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))  # else one is written to the home folder
        ray = pytest.importorskip("ray")
        ray.init(
            address="local", num_cpus=2, object_store_memory=80 * 2**20, include_dashboard=False, log_to_driver=False,
            logging_level="ERROR", _temp_dir=folder,
        )  # fmt: skip
        yield ray
        ray.shutdown()
