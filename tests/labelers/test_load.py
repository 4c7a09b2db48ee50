from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import joblib
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from taskspace.errors import DataError, LabelerError, SettingError
from taskspace.labelers import AnswerStore, Labeler, ask, language_models, load_labeler
from taskspace.labelers import hub as hub_module
from taskspace.labelers.load import Loader
from taskspace.labelers.prompts import Reading

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
    assert (labeler.name, labeler.reads, labeler.answerer.batch_size) == ("inside", "pairs", 1)
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
        (
            "x.jsonl",
            "does not say KIND:WHAT; the kinds are hub:, prompt:, http:, https:, predictions:, python:, sklearn:",
        ),
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


# Functions whose answers are kept


COUNTED = """
def counted(texts):
    with open("calls.txt", "a") as file:
        file.write("x" * len(texts))
    return [{rule} for text in texts]
"""


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """``calls(rule)``: write a function of that rule to counted.py; without one, how many texts it was given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(rule=None):
        if rule:
            Path("counted.py").write_text(COUNTED.format(rule=rule))
        return len(Path("calls.txt").read_text()) if Path("calls.txt").exists() else 0

    yield write
    for name in ("counted", "_labeler_file_counted"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("spec", ["python:counted.py:counted", "python:./counted.py:counted"])
def test_a_function_in_a_file_is_asked_once_if_it_says_its_version(calls, single_pool, spec):
    calls("len(text) % 2")
    with Path("counted.py").open("a") as file:
        file.write("counted.version = '1'\n")
    first = ask(load_labeler(spec), single_pool)[1]
    assert calls() == 6
    assert ask(load_labeler(spec), single_pool)[1].values.tolist() == first.values.tolist()
    assert calls() == 6


def test_without_a_version_it_is_asked_each_time(calls, single_pool):
    """What it reads elsewhere may have changed, and nothing tells."""
    calls("len(text) % 2")
    for _ in range(2):
        ask(load_labeler("python:counted.py:counted"), single_pool)
    assert calls() == 12


def test_a_function_of_an_installed_module_is_asked_each_time_unless_it_says_its_version(
    calls, single_pool, tmp_path, monkeypatch
):
    calls("len(text) % 2")
    monkeypatch.syspath_prepend(str(tmp_path))
    for _ in range(2):
        ask(load_labeler("python:counted:counted"), single_pool)
    assert calls() == 12
    sys.modules["counted"].counted.version = "1"
    for _ in range(2):
        ask(load_labeler("python:counted:counted"), single_pool)
    assert calls() == 18


def test_a_store_of_ones_own(calls, single_pool):
    calls("len(text) % 2")
    with Path("counted.py").open("a") as file:
        file.write("counted.version = '1'\n")
    store = AnswerStore(None)
    ask(load_labeler("python:counted.py:counted", store=store), single_pool)
    assert len(store) == 6
    ask(load_labeler("python:counted.py:counted"), single_pool)
    assert calls() == 12


def test_a_labeler_that_keeps_its_answers_can_be_renamed(here):
    (here / "kept.py").write_text(
        "from taskspace.labelers import from_callable\n"
        "kept = from_callable(lambda texts: [len(t) for t in texts], name='inner', version='1')\n"
    )
    renamed = load_labeler("python:kept.py:kept", name="outer")
    assert (renamed.name, load_labeler("python:kept.py:kept").name) == ("outer", "inner")
    assert isinstance(renamed, Labeler)


# What models are given


def test_reads_is_handed_on_or_refused(here, pool, tmp_path, fitted, one_sentence):
    assert load_labeler("python:my_labelers.py:shout", reads="both").reads == "both"
    assert load_labeler("python:my_labelers.py:pairwise", reads="both").reads == "both"
    assert load_labeler("python:my_labelers.py:estimator", reads="both").reads == "both"
    assert load_labeler("python:my_labelers.py:own", reads="texts").reads == "texts"
    skops.io.dump(fitted(LogisticRegression()), tmp_path / "spam.skops")
    assert load_labeler("sklearn:spam.skops", reads="pairs").reads == "pairs"
    (tmp_path / "said.csv").write_text("label\na\nb\n")
    for spec in ("python:my_labelers.py:own", "predictions:said.csv"):
        with pytest.raises(SettingError, match="leave --reads out") as caught:
            load_labeler(spec, reads="pairs")
        assert one_sentence(caught.value)
    with pytest.raises(SettingError, match="cannot read 'pair'; did you mean 'pairs'"):
        load_labeler("python:my_labelers.py:shout", reads="pair")


# Hub classifiers


def test_hub_folders(tiny_encoder, tmp_path, monkeypatch):
    """Nothing is loaded to make one; a folder may have an @ in its name."""
    labeler = load_labeler(f"hub:{tiny_encoder}", device="cpu", reads="pairs")
    assert (labeler.name, labeler.kind, labeler.reads) == ("tiny", "model", "pairs")
    assert labeler.answerer.classifier.device == "cpu"
    (tmp_path / "mine@home").symlink_to(tiny_encoder)
    monkeypatch.chdir(tmp_path)
    assert load_labeler("hub:mine@home", name="other").name == "other"
    assert load_labeler("hub:mine@home").provenance["model"] == "mine@home"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("hub:owner/model", ("owner/model", None)),
        ("hub:owner/model@0123abc", ("owner/model", "0123abc")),
        ("hub:model@refs/pr/1", ("model", "refs/pr/1")),
    ],
)
def test_hub_ids_and_revisions(tiny_encoder, monkeypatch, spec, expected):
    seen = []
    whole = hub_module.find_classifier

    def find(name, *, revision, what):
        seen.append((name, revision))
        return whole(tiny_encoder, revision=None, what=what)

    monkeypatch.setattr(hub_module, "find_classifier", find)
    load_labeler(spec)
    assert seen == [expected]


# Prompts


@dataclass
class Fake:
    """Stands for a language model."""

    name: str = "fake"
    provenance = {"model": "fake"}  # noqa: RUF012

    @property
    def fingerprint(self):
        return f"fake {self.name}"

    def readings(self, prompt, inputs):
        yield {row: Reading((-len(prompt.question(text)) / 9, -1.0), (1, 1)) for row, text in enumerate(inputs.texts)}

    def write(self, request, *, max_tokens, chat=False):
        return ""


TWO = """
model = "some/model"
answers = { good = "good", bad = "bad" }

[[prompts]]
name = "plain"
template = "{text} It was"

[[prompts]]
name = "a:b.toml"
template = "Of {text} and {text_pair}: "
"""
ONE = """
name = "only"
model = "some/model"
template = "{text} It was"
answers = { good = "good", bad = "bad" }
"""


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Files of prompts in the current folder; what language models were loaded, and how."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("two.toml", TWO), ("one.toml", ONE), ("nameless.toml", ONE.replace("model =", "note ="))):
        Path(name).write_text(text)
    settings = 'dtype = "float32"\ndevice = "cpu"\nrevision = "abc"\n'
    Path("settings.toml").write_text(settings + ONE)
    server = 'base_url = "http://localhost:9/v1"\nendpoint = { concurrency = 3, timeout = 5 }\n'
    Path("server.toml").write_text(server + TWO)
    Path("unknown.toml").write_text('base_url = "http://localhost:9/v1"\nendpoint = { concurency = 3 }\n' + ONE)
    seen = []

    def load(name, **settings):
        seen.append((name, settings))
        return Fake(f"{name} {settings}")

    monkeypatch.setattr(language_models, "load_language_model", load, raising=False)
    return seen


def test_a_prompt_of_a_file(loaded, single_pool):
    labeler = load_labeler("prompt:one.toml")
    assert (labeler.name, labeler.kind, labeler.reads) == ("only", "prompt", "texts")
    assert loaded == [("some/model", {"revision": None, "device": None, "dtype": "auto"})]
    inputs, answers = ask(labeler, single_pool)
    gap = [1 - len(f"{text} It was") / 9 for text in inputs.texts]
    assert answers.values[:, 0] == pytest.approx([1 / (1 + 2.718281828459045**-g) for g in gap])
    assert load_labeler("prompt:two.toml:plain", name="mine").name == "mine"
    assert load_labeler("prompt:two.toml:a:b.toml").reads == "pairs"


def test_the_settings_of_the_file_count_and_those_said_count_more(loaded):
    load_labeler("prompt:settings.toml")
    load_labeler("prompt:settings.toml", device="cuda:1")
    assert [settings["device"] for _, settings in loaded] == ["cpu", "cuda:1"]
    assert all(settings["dtype"] == "float32" and settings["revision"] == "abc" for _, settings in loaded)


def test_the_prompts_of_a_run_share_one_model(loaded):
    loader = Loader()
    plain, pairs = loader.load("prompt:two.toml:plain"), loader.load("prompt:two.toml:a:b.toml")
    only = loader.load("prompt:one.toml")
    assert plain.answerer.model is pairs.answerer.model is only.answerer.model
    assert len(loaded) == 1
    other = loader.load("prompt:settings.toml")
    assert other.answerer.model is not only.answerer.model
    assert Loader().load("prompt:one.toml").answerer.model is not only.answerer.model


def test_an_endpoint_is_opened_by_the_file_the_address_or_the_environment(loaded, monkeypatch):
    pytest.importorskip("httpx")
    loader = Loader()
    by_file = loader.load("prompt:server.toml:plain")
    assert (by_file.name, by_file.kind) == ("plain", "prompt")
    assert by_file.provenance["endpoint"] == "http://localhost:9/v1"
    assert by_file.provenance["model"] == "some/model"
    assert loader.load("http:server.toml:plain").answerer.model is by_file.answerer.model
    by_address = loader.load("http://127.0.0.1:8/v1#one.toml")
    assert by_address.provenance["endpoint"] == "http://127.0.0.1:8/v1"
    assert loader.load("https://api.example/v1#server.toml:plain").provenance["endpoint"] == "https://api.example/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:7/v1")
    assert load_labeler("http:one.toml").provenance["endpoint"] == "http://127.0.0.1:7/v1"
    assert loaded == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("prompt:two.toml", r"two.toml holds 2 prompts \(plain, a:b.toml\); say which, as in two.toml:plain"),
        ("prompt:two.toml:plane", "two.toml has no prompt 'plane'; did you mean 'plain'"),
        ("prompt:nameless.toml", "the prompts of nameless.toml name no model; add one at the top, model = "),
        ("prompt:sentiment:nothing", "the prompts of sentiment name no model; copy them to a file and add one at the"),
        ("prompt:none.toml", "there is no file of prompts none.toml"),
        ("http://localhost:9/v1", "does not say what to ask; name a file of prompts, http://localhost:9/v1#FILE.toml"),
        ("http://localhost:9/v1#", "does not say what to ask"),
        ("https://me:secret@host/v1#one.toml", "holds a password or a query; leave it out"),
        ("http:unknown.toml", "unknown.toml sets an unknown endpoint.concurency; did you mean 'concurrency'"),
        ("http:localhost:9/v1", "there is no file of prompts localhost"),
        ("http://[::1#one.toml", "the base URL is no http"),
    ],
)
def test_prompts_that_cannot_be_asked(loaded, spec, message, one_sentence):
    pytest.importorskip("httpx")
    with pytest.raises((SettingError, DataError), match=message) as caught:
        load_labeler(spec)
    assert one_sentence(caught.value)
    assert "secret" not in str(caught.value)


def test_a_prompt_reads_what_its_template_says(loaded, one_sentence):
    assert load_labeler("prompt:one.toml", reads="texts").reads == "texts"
    with pytest.raises(SettingError, match="prompt 'only' reads texts, as its template says; leave --reads") as caught:
        load_labeler("prompt:one.toml", reads="both")
    assert one_sentence(caught.value)


def test_only_a_few_of_many_prompts_are_listed(loaded):
    tables = "".join(f'[[prompts]]\nname = "p{i}"\ntemplate = "{i} {{text}}"\n' for i in range(30))
    Path("many.toml").write_text('model = "m"\nanswers = { a = "a", b = "b" }\n' + tables)
    with pytest.raises(SettingError, match=r"holds 30 prompts \(p0, p1, p2, p3, p4, p5, p6, p7 and 22 more\); say"):
        load_labeler("prompt:many.toml")


def test_options_are_checked_at_once():
    with pytest.raises(SettingError, match="cannot read 'word'"):
        Loader(reads="word")
