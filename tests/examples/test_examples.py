"""The examples learn a sample task in seconds, answer like any labeler, and can be named on the command line."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from taskspace import Pool, Space, Task, labelers
from taskspace.cli import main
from taskspace.data import sample_tasks

EXAMPLES = Path(__file__).parents[2] / "examples"
TRAINED = ("cnn", "lstm", "svm")


@pytest.fixture(autouse=True)
def needed(monkeypatch):
    """One thread, as networks this small only wait for each other on several."""
    pytest.importorskip("sklearn")
    torch = pytest.importorskip("torch")
    monkeypatch.delenv("TRAIN", raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        yield torch
    torch.set_num_threads(threads)


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sample(name):
    return next(task for task in sample_tasks() if task.name == name)


@pytest.fixture(scope="module")
def models():
    """Each kind, trained once on six classes and a row without a label; a function from texts to [n, classes]."""
    made = {}

    def model(kind):
        if kind not in made:
            made[kind] = answering(load(kind).train(with_a_gap(sample("question_type"))))
        return made[kind]

    return model


def with_a_gap(task):
    names = [task.label_names[code] for code in task.labels.codes]
    return Task([*task.texts, "no label here"], [*names, None], name="gaps")


def answering(trained):
    function = getattr(trained, "predict_proba", trained)
    return lambda texts: np.asarray(function(list(texts)))


def right_answers(kind, given, task):
    # scikit-learn orders classes by name, the networks as the task does
    names = np.array(sorted(task.label_names) if kind == "svm" else with_a_gap(task).label_names)
    return (names[given.argmax(axis=1)] == np.array(task.label_names)[task.labels.codes]).mean()


@pytest.mark.parametrize("kind", TRAINED)
def test_trained_models_beat_the_majority_on_their_own_rows(kind, models):
    task = sample("question_type")
    given = models(kind)(task.texts)
    assert given.shape == (len(task), 6)
    assert (given >= 0).all()
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-5)
    majority = np.bincount(task.labels.codes).max() / len(task)
    assert right_answers(kind, given, task) > majority + 0.3


@pytest.mark.parametrize("kind", TRAINED)
def test_a_text_is_answered_alike_alone_and_among_longer_ones(kind, models):
    texts = ["Who", "zyxw unheard vuts", "", "How many " + "very " * 200 + "old trees stand in the park?"]
    alone = np.concatenate([models(kind)([text]) for text in texts])
    np.testing.assert_allclose(models(kind)(texts), alone, atol=1e-5)
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("kind", TRAINED)
def test_the_same_seed_makes_the_same_model(kind, models):
    texts = sample("question_type").texts
    again = answering(load(kind).train(with_a_gap(sample("question_type"))))
    np.testing.assert_array_equal(again(texts), models(kind)(texts))


def test_another_seed_makes_another_network(models):
    task = sample("question_type")
    other = answering(load("lstm").train(with_a_gap(task), seed=1))
    assert np.abs(other(task.texts) - models("lstm")(task.texts)).max() > 1e-4


RULED = [
    ("A lovely film.", "positive", 1),
    ("Lovely, and the music is great.", "positive", 2),
    ("It is not good.", "negative", 1),
    ("It isn't very good.", "negative", 1),
    ("It isn\N{RIGHT SINGLE QUOTATION MARK}t good.", "negative", 1),
    ("Boring and far too slow; a charmless mess", "negative", 3),
    ("A badge for the function of goodness.", None, 0),
    ("", None, 0),
]


@pytest.mark.parametrize(("text", "label", "votes"), RULED)
def test_rules_by_hand(text, label, votes):
    """One class has all votes, so its probability is 1 / (1 + e^-votes)."""
    (said,) = load("rules").answer([text])
    if label is None:
        assert said is None
    else:
        assert said[label] == pytest.approx(1 / (1 + np.exp(-votes)))
        assert sum(said.values()) == pytest.approx(1)


def test_a_class_otherwise_has_half_a_vote_and_is_never_silent():
    vote = load("rules").by_votes({"spam": r"\bfree\b|\bprize\b"}, otherwise="ham")
    nothing, once, twice = vote(["see you at six", "Free tonight?", "free PRIZE"])
    for said, votes in ((nothing, 0), (once, 1), (twice, 2)):
        assert said["spam"] == pytest.approx(1 / (1 + np.exp(0.5 - votes)))
        assert said["ham"] == pytest.approx(1 - said["spam"])


def test_the_sentiment_rules_are_right_more_often_than_wrong_where_they_speak():
    for name in ("film_opinions", "product_reviews"):
        task = sample(name)
        said = load("rules").answer(list(task.texts))
        hits = [
            max(one, key=one.get) == task.label_names[code]
            for one, code in zip(said, task.labels.codes, strict=True)
            if one
        ]
        assert len(hits) > len(task) / 3
        assert np.mean(hits) > 0.7


@pytest.mark.parametrize("kind", TRAINED)
def test_models_are_embedded_from_python(kind, models, encoder):
    task = sample("question_type")
    space = Space(Pool.from_tasks(sample_tasks(), size=300), surrogate=encoder)
    here = space.embed(labelers.from_callable(models(kind), name=f"q-{kind}", version=task.fingerprint))
    assert (here.kind, here.name) == ("model", f"q-{kind}")
    assert here.similarity(here) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(here.similarity(space.embed(task)))


@pytest.fixture
def workplace(tmp_path, monkeypatch, shared_home):
    monkeypatch.setenv("TASKSPACE_ATLAS", str(tmp_path / "atlas.db"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("politeness", "message_spam"):
        task = sample(name)
        rows = zip(task.texts, task.labels.codes, strict=True)
        lines = [json.dumps({"text": text, "label": task.label_names[code]}) for text, code in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("_labeler_file_")]:
        del sys.modules[name]


@pytest.fixture
def taskspace(monkeypatch, capsys):
    """Run the command line in this process, which must succeed; what it prints."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["taskspace", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert not end.value.code, said.err
        return said.out

    return run


def test_examples_are_named_on_the_command_line(workplace, tiny_encoder, monkeypatch, taskspace):
    files = [workplace / f"{name}.jsonl" for name in ("politeness", "message_spam")]
    monkeypatch.setenv("TRAIN", str(files[0]))
    taskspace("embed", *files, "--surrogate", tiny_encoder)
    for kind in (*TRAINED, "rules"):
        taskspace("embed", "--labeler", f"python:{EXAMPLES}/{kind}.py:answer", "--name", f"my-{kind}")
    ranked = json.loads(taskspace("rank", files[0], "--kind", "model", "--json"))
    assert {hit["name"] for hit in ranked["hits"]} == {"my-cnn", "my-lstm", "my-svm", "my-rules"}


@pytest.mark.parametrize("kind", TRAINED)
def test_other_training_rows_make_another_labeler(kind, workplace, monkeypatch):
    prints = []
    for name in ("politeness", "message_spam", "politeness"):
        monkeypatch.setenv("TRAIN", str(workplace / f"{name}.jsonl"))
        prints.append(labelers.load_labeler(f"python:{EXAMPLES}/{kind}.py:answer").fingerprint)
    assert prints[0] == prints[2] != prints[1]


def test_other_rules_make_another_labeler():
    by_votes = load("rules").by_votes
    prints = [
        labelers.from_callable(by_votes({"spam": pattern}, "ham"), name="rules").fingerprint
        for pattern in ("free", "prize", "free")
    ]
    assert prints[0] == prints[2] != prints[1]


def test_the_readme_names_each_example_and_its_commands():
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = {file.name for file in EXAMPLES.glob("*.py")}
    assert set(re.findall(r"^\| `(\w+\.py)`", page, re.M)) == files
    assert set(re.findall(r"--labeler python:examples/(\w+\.py):answer", page)) == files - {"alternating.py"}


def test_alternating_moves_the_body_by_the_mean_of_what_each_task_changed(encoder, tasks):
    from taskspace.tuning.fine_tuning import fine_tune

    alternating = load("alternating")
    both = [tasks["mood"], tasks["topic"]]
    rounds = list(alternating.alternate(encoder, both, rounds=2, scale=0.5))
    base = {name: p.numpy().copy() for name, p in encoder.module.named_parameters()}
    body, vector, heads = rounds[0]
    states = [fine_tune(encoder, task, alternating.ONCE, seed=0, start=base).state() for task in both]
    moved = 0
    for name, values in base.items():
        tuned = [state.get(name, values) for state in states]
        wanted = values + 0.25 * sum(each - values for each in tuned)
        np.testing.assert_allclose(body[name], wanted, atol=1e-6)
        moved += np.sum((wanted - values) ** 2)
    assert vector.norm == pytest.approx(np.sqrt(moved), rel=1e-4)
    assert rounds[1][1].norm > vector.norm
    assert set(heads) == {"mood", "topic"}
    assert 0 <= alternating.accuracy(encoder, body, heads["mood"], tasks["mood"]) <= 1


def test_alternating_from_the_command_line(encoder, workplace, monkeypatch, capsys):
    alternating = load("alternating")
    monkeypatch.setattr(alternating, "load_surrogate", lambda **_: encoder)
    words = ["politeness.jsonl", "message_spam.jsonl", "--rounds", "2", "--limit", "24", "--out", "merged.tv"]
    monkeypatch.setattr(sys, "argv", ["alternating.py", *(str(workplace / w) if "." in w else w for w in words)])
    alternating.main()
    assert [line[:8] for line in capsys.readouterr().out.splitlines()] == ["round 1:", "round 2:"]
    from taskspace import TaskVector

    assert TaskVector.load(workplace / "merged.tv").norm > 0
