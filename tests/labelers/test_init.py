from __future__ import annotations

import types

from taskspace import labelers

SCRIPT = """
import sys
import taskspace.labelers
taskspace.labelers.load_labeler, taskspace.labelers.from_sklearn, taskspace.labelers.from_predictions
print(sorted({"sklearn", "pandas", "torch", "polars", "joblib", "skops", "tqdm", "pyarrow"} & set(sys.modules)))
"""


def test_nothing_heavy_is_imported(elsewhere):
    assert elsewhere(SCRIPT) == "[]"


def test_all_is_true_and_each_name_keeps_its_type():
    for name in labelers.__all__:
        first = getattr(labelers, name)
        assert not isinstance(first, types.ModuleType)
        assert getattr(labelers, name) is first
    assert set(labelers.__all__) == set(dir(labelers))
    assert labelers.__all__ == ["Labeler", "ask", "from_callable", "from_predictions", "from_sklearn", "load_labeler"]
