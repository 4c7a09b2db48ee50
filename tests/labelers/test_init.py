from __future__ import annotations

import types

import pytest

from taskspace import labelers

SCRIPT = """
import sys
import taskspace.labelers
for name in taskspace.labelers.__all__:
    getattr(taskspace.labelers, name)
heavy = {"sklearn", "pandas", "torch", "transformers", "polars", "joblib", "skops", "tqdm", "pyarrow", "httpx"}
print(sorted(heavy & set(sys.modules)))
"""


def test_nothing_heavy_is_imported(elsewhere):
    assert elsewhere(SCRIPT) == "[]"


def test_all_is_true_and_each_name_keeps_its_type():
    for name in labelers.__all__:
        first = getattr(labelers, name)
        assert not isinstance(first, types.ModuleType)
        assert getattr(labelers, name) is first
    assert set(labelers.__all__) == set(dir(labelers))
    assert labelers.__all__ == sorted(labelers.__all__)
    assert labelers.__all__ == [
        "AnswerStore", "Labeler", "Prompt", "ask", "endpoint", "from_callable", "from_hub", "from_predictions",
        "from_prompt", "from_sklearn", "language_model", "load_labeler", "read_prompts", "require_reads",
    ]  # fmt: skip


def test_an_unknown_name():
    with pytest.raises(AttributeError, match=r"module 'taskspace.labelers' has no attribute 'from_nothing'"):
        _ = labelers.from_nothing
