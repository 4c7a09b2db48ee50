from __future__ import annotations

import sys

import joblib
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers import ask, load_labeler

MODULE = """
import numpy as np
from helper_beside import WORD

def shout(texts):
    return ["loud" if t.isupper() else WORD for t in texts]

def pairwise(rows):
    return [a in b for a, b in rows]

pairwise.reads = "pairs"
pairwise.version = "7"
pairwise.batch_size = 1

class Estimator:
    reads = "pairs"
    def fit(self, X, y):
        return self
    def predict(self, X):
        return [len(a) < len(b) for a, b in X]

estimator = Estimator()

class Own:
    name = "own"
    reads = "texts"
    fingerprint = "f" * 64
    kind = "prompt"
    provenance = {}
    def answer(self, inputs):
        return [len(t) % 2 for t in inputs.texts]

own = Own()

class Group:
    inner = staticmethod(shout)

number = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a module and one that it imports, as the current folder."""
    (tmp_path / "my_labelers.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "helper_beside.py").write_text("WORD = 'quiet'\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path
    for name in ("my_labelers", "helper_beside", "_labeler_file_my_labelers"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("where", ["my_labelers", "my_labelers.py", "./my_labelers.py", "{here}/my_labelers.py"])
def test_python_modules_by_name_or_path(here, single_pool, where):
    labeler = load_labeler(f"python:{where.format(here=here)}:shout")
    assert labeler.name == "shout"
    assert ask(labeler, single_pool)[1].values.tolist() == [[1]] * 6


def test_the_way_to_the_file_changes_no_fingerprint(here):
    specs = ["my_labelers", "my_labelers.py", f"{here}/my_labelers.py", "my_labelers.py"]
    assert len({load_labeler(f"python:{spec}:shout").fingerprint for spec in specs}) == 1


def test_an_installed_module_wins(single_pool, monkeypatch, here):
    monkeypatch.syspath_prepend(str(here))
    labeler = load_labeler("python:my_labelers:shout")
    assert labeler.provenance["function"] == "my_labelers.shout"


def test_attributes_are_honoured(here, pool):
    labeler = load_labeler("python:my_labelers.py:pairwise", name="inside")
    assert (labeler.name, labeler.reads, labeler.batch_size) == ("inside", "pairs", 1)
    assert labeler.provenance["version"] == "7"
    assert len(ask(labeler, pool)[0]) == 4


def test_estimators_and_labelers_in_a_module(here, pool):
    estimator = load_labeler("python:my_labelers.py:estimator")
    assert estimator.reads == "pairs"
    assert len(ask(estimator, pool)[0]) == 4
    own = load_labeler("python:my_labelers.py:own")
    assert (own.name, own.kind) == ("own", "prompt")
    assert load_labeler("python:my_labelers.py:own", name="other").name == "other"
    assert load_labeler("python:my_labelers.py:Group.inner").name == "Group.inner"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("python:my_labelers.py:shut", "my_labelers.py has no 'shut'; did you mean 'shout'"),
        ("python:my_labelers.py:Own", "Own in my_labelers.py is a class"),
        ("python:my_labelers.py:number", "number in my_labelers.py is a int"),
        ("python:no_such_module:f", "there is no module no_such_module, neither installed nor as no_such_module.py"),
        ("python:json.no_such:f", "there is no module json.no_such"),
        ("python:none.py:f", "there is no file none.py"),
        ("python:broken.py:f", r"broken.py cannot be imported \(SyntaxError: "),
        ("python:lacking.py:f", r"lacking.py cannot be imported \(ModuleNotFoundError: No module named 'not_here'\)"),
        ("python:leaving.py:f", r"leaving.py cannot be imported \(SystemExit: 3\)"),
    ],
)
def test_python_that_cannot_be_used(here, spec, message):
    (here / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (here / "lacking.py").write_text("import not_here\n", encoding="utf-8")
    (here / "leaving.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    before = set(sys.modules)
    with pytest.raises(LabelerError, match=f"^{message}") as caught:
        load_labeler(spec)
    assert "\n" not in str(caught.value)
    new = set(sys.modules) - before
    assert not [name for name in new if name.startswith("_labeler_file_") and "my_labelers" not in name]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("prediction:x.jsonl", "of unknown kind 'prediction'; did you mean 'predictions'"),
        ("x.jsonl", "labeler 'x.jsonl' does not say KIND:WHAT; the kinds are predictions:, python:, sklearn:"),
        ("sklearn:", "labeler 'sklearn:' does not say KIND:WHAT"),
        ("python:module", "does not say python:MODULE:NAME"),
        ("python:module:", "does not say python:MODULE:NAME"),
    ],
)
def test_specs_that_cannot_be_understood(spec, message):
    with pytest.raises(SettingError, match=message):
        load_labeler(spec)


def test_prediction_files(tmp_path, single_pool):
    path = tmp_path / "answers.csv"
    path.write_text("label\n" + "a\nb\n" * 3, encoding="utf-8")
    labeler = load_labeler(f"predictions:{path}")
    assert labeler.name == "answers"
    assert ask(labeler, single_pool)[1].values.tolist() == [[1, 0], [0, 1]] * 3
    assert load_labeler(f"predictions:{path}", name="other").name == "other"


def test_estimator_files(tmp_path, fitted, single_pool):
    pipeline = fitted(LogisticRegression())
    skops.io.dump(pipeline, tmp_path / "spam.skops")
    joblib.dump(pipeline, tmp_path / "spam.joblib")
    safe = load_labeler(f"sklearn:{tmp_path / 'spam.skops'}")
    assert safe.name == "spam"
    with pytest.raises(LabelerError, match="--trust-pickle"):
        load_labeler(f"sklearn:{tmp_path / 'spam.joblib'}")
    trusted = load_labeler(f"sklearn:{tmp_path / 'spam.joblib'}", name="other", trust_pickle=True)
    assert trusted.name == "other"
    assert trusted.fingerprint == safe.fingerprint


def test_an_edited_helper_makes_another_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    body = "def helper(t):\n    return {rule}\n\n\ndef answer(texts):\n    return [helper(t) for t in texts]\n"
    prints = []
    for rule in ("len(t) > 3", "len(t) > 3", "len(t) > 4"):
        (tmp_path / "lab.py").write_text(body.format(rule=rule))
        prints.append(load_labeler("python:lab.py:answer").fingerprint)
    assert prints[0] == prints[1] != prints[2]
