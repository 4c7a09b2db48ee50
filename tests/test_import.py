"""``import taskspace`` is cheap, and its front page is true."""

from __future__ import annotations

import re
import types
from importlib import metadata

import pytest

import taskspace
from taskspace.errors import TaskspaceError

HEAVY = (
    "torch", "transformers", "tokenizers", "huggingface_hub", "datasets", "pandas", "polars", "pyarrow", "sklearn",
    "scipy", "matplotlib", "safetensors", "narwhals", "typer", "rich", "tqdm",
)  # fmt: skip

LOADED = """
import sys
{statement}
print(sorted(set({modules!r}) & set(sys.modules)))
"""


def loaded(elsewhere, statement, *modules):
    return elsewhere(LOADED.format(statement=statement, modules=modules))


def test_importing_the_package_loads_nothing_heavy(elsewhere):
    assert loaded(elsewhere, "import taskspace", *HEAVY, "numpy") == "[]"


def test_nor_do_its_names(elsewhere):
    statement = "import taskspace\nfor name in taskspace.__all__: getattr(taskspace, name)"
    assert loaded(elsewhere, statement, *HEAVY) == "[]"


def test_the_check_would_see_it(elsewhere):
    assert loaded(elsewhere, "import taskspace, safetensors.numpy, numpy", *HEAVY) == "['safetensors']"


def test_importing_writes_and_prints_nothing(elsewhere, tmp_path):
    statement = "import taskspace\nfor name in taskspace.__all__: getattr(taskspace, name)"
    assert loaded(elsewhere, statement) == "[]"
    assert {path.suffix for path in tmp_path.iterdir()} == {".py"}


def test_all_is_sorted_and_true():
    assert taskspace.__all__ == sorted(taskspace.__all__)
    assert dir(taskspace) == taskspace.__all__
    assert all(hasattr(taskspace, name) for name in taskspace.__all__)


@pytest.mark.parametrize("name", taskspace.__all__)
def test_each_name_keeps_its_type(name):
    """A function and a module of one name would fight for it."""
    import taskspace.cli.merge
    import taskspace.data
    import taskspace.learners
    import taskspace.merging
    import taskspace.ranking
    import taskspace.space

    first = getattr(taskspace, name)
    assert getattr(taskspace, name) is first
    assert isinstance(first, types.ModuleType) is (name in ("errors", "labelers"))
    assert isinstance(first, type) is name[0].isupper()


def test_star_import():
    names = {}
    exec("from taskspace import *", names)
    assert set(taskspace.__all__) <= set(names)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'taskspace' has no attribute 'Nothing'"):
        _ = taskspace.Nothing
    assert not hasattr(taskspace, "nothing")


def test_the_version_is_said_once():
    assert re.fullmatch(r"\d+\.\d+\.\d+", taskspace.__version__)
    assert metadata.version("taskspace") == taskspace.__version__


def test_one_tree_of_errors():
    classes = [e for e in vars(taskspace.errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    raised = [e for e in classes if not issubclass(e, Warning)]
    assert len(raised) > 5
    for error in raised:
        assert issubclass(error, TaskspaceError)
        assert error.__name__ in taskspace.errors.__doc__  # the tree drawn on top names each of them
