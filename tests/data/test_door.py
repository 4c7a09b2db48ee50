from __future__ import annotations

import subprocess
import sys

import taskspace.data
from taskspace.task import Pool, Task


def test_the_front_page_is_sorted_and_true():
    assert taskspace.data.__all__ == sorted(taskspace.data.__all__)
    assert all(callable(getattr(taskspace.data, name)) for name in taskspace.data.__all__)


def test_importing_loads_no_reader():
    heavy = "pandas polars pyarrow narwhals datasets torch transformers huggingface_hub"
    code = f"import sys, taskspace.data; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_values_open_the_door(tmp_path, write, rows):
    path = write(tmp_path / "x.jsonl", rows)
    assert Task.from_file(path).fingerprint == taskspace.data.read_task(path).fingerprint
    assert Task.from_file(path, limit=4).fingerprint == taskspace.data.read_task(path, limit=4).fingerprint
    assert Pool.from_file(path).fingerprint == taskspace.data.read_pool(path).fingerprint
