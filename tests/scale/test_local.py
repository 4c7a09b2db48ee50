"""Many embeddings into one atlas."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from taskspace import Atlas, Space, Task, labelers
from taskspace.errors import AtlasError, DataError, TaskspaceWarning
from taskspace.learners import Learned
from taskspace.scale import Outcome, Source, embed_all


@pytest.fixture
def space(mixed_pool, encoder):
    return Space(mixed_pool, surrogate=encoder)


@pytest.fixture
def atlas(tmp_path):
    with Atlas(tmp_path / "my.db") as opened:
        yield opened


@pytest.fixture
def source(tasks):
    """``source("mood")``: a task; ``source("mood", "x")`` the same under another name."""

    def make(which, name=None):
        return Source(f"{name or which}.jsonl", lambda: replace(tasks[which], name=name or which))

    return make


class Calls:
    """How many texts a function was given; what it holds is no part of the function's content."""

    def __init__(self):
        self.texts = 0


def model(name="ruler", calls=None, period=2):
    calls = calls or Calls()

    def answer(texts):
        calls.texts += len(texts)
        return [len(text) % period for text in texts]

    return Source(f"python:{name}", lambda: labelers.from_callable(answer, name=name, version=str(period)))


def broken(sentence="there is no file"):
    def load():
        raise DataError(sentence)

    return Source("broken.jsonl", load)


def told(outcomes):
    return [(outcome.origin, outcome.status, outcome.name) for outcome in outcomes]


def test_each_source_becomes_what_the_space_makes_of_it(space, atlas, source, tasks):
    outcomes = list(embed_all(space, [source("mood"), model()], atlas))
    assert told(outcomes) == [("mood.jsonl", "embedded", "mood"), ("python:ruler", "embedded", "ruler")]
    assert atlas.get("mood").vector.tobytes() == space.embed(tasks["mood"]).vector.tobytes()
    assert (atlas.get("mood").kind, atlas.get("ruler").kind) == ("dataset", "model")
    assert [outcome.embedding.name for outcome in outcomes] == ["mood", "ruler"]


def test_each_is_loaded_in_its_turn_and_committed_before_the_next(space, atlas, source, tmp_path):
    loaded = []

    def noted(inner):
        return Source(inner.origin, lambda: (loaded.append(inner.origin), inner.load())[1])

    outcomes = embed_all(space, (noted(source(name)) for name in ("mood", "topic")), atlas)
    assert loaded == []
    assert next(outcomes).name == "mood"
    assert loaded == ["mood.jsonl"]
    with Atlas(tmp_path / "my.db", create=False) as other:  # as another process would see it
        assert [entry.name for entry in other.entries()] == ["mood"]
    assert next(outcomes).name == "topic"


def test_what_is_there_is_kept_and_the_model_is_not_asked_again(space, atlas, source):
    calls = Calls()
    list(embed_all(space, [source("mood"), model(calls=calls)], atlas))
    asked = calls.texts
    assert asked == int((~space.pool.inputs.is_pair).sum())
    again = list(embed_all(space, [source("mood"), model(calls=calls)], atlas))
    assert again == [Outcome("mood.jsonl", "kept", "mood"), Outcome("python:ruler", "kept", "ruler")]
    assert calls.texts == asked


def test_other_content_replaces_what_had_the_name(space, atlas, source, tasks):
    list(embed_all(space, [source("mood"), model()], atlas))
    less = Source("mood.jsonl", lambda: tasks["mood"].take(range(30)))
    outcomes = list(embed_all(space, [less, model(period=3)], atlas))
    assert [outcome.status for outcome in outcomes] == ["replaced", "replaced"]
    assert len(atlas) == 2
    assert atlas.get("mood").content == tasks["mood"].take(range(30)).fingerprint


def test_a_source_that_fails_does_not_stop_the_rest(space, atlas, source):
    one_class = Source("flat.jsonl", lambda: Task(["a", "b", "c"], ["x", "x", "x"], name="flat"))
    outcomes = list(embed_all(space, [broken(), source("mood"), one_class, source("topic")], atlas))
    assert [outcome.status for outcome in outcomes] == ["failed", "embedded", "failed", "embedded"]
    assert outcomes[0] == Outcome("broken.jsonl", "failed", problem="there is no file")
    assert "one label only ('x')" in outcomes[2].problem
    assert {entry.name for entry in atlas.entries()} == {"mood", "topic"}


def test_where_it_failed_can_be_logged(space, atlas, caplog):
    with caplog.at_level(logging.DEBUG, "taskspace"):
        list(embed_all(space, [broken()], atlas))
    (record,) = caplog.records
    assert record.getMessage() == "broken.jsonl failed"
    assert record.exc_info[0] is DataError


def test_a_bug_is_not_taken_for_a_failure(space, atlas):
    with pytest.raises(ZeroDivisionError):
        list(embed_all(space, [Source("bug", lambda: 1 // 0)], atlas))


def test_an_atlas_that_cannot_be_written_ends_the_run(space, atlas, source):
    outcomes = embed_all(space, [source("mood"), source("topic")], atlas)
    next(outcomes)
    atlas.close()
    with pytest.raises(AtlasError, match="is closed"):
        next(outcomes)


def test_two_sources_of_one_name(space, atlas, source, tasks):
    other = replace(source("topic", "mood"), origin="other/mood.csv")
    outcomes = list(embed_all(space, [source("mood"), other, source("mood")], atlas))
    assert [outcome.status for outcome in outcomes] == ["embedded", "failed", "kept"]
    assert outcomes[1].problem.startswith("other/mood.csv is called 'mood' like mood.jsonl; ")
    assert atlas.get("mood").content == tasks["mood"].fingerprint


def test_the_name_of_another_kind_is_refused_before_the_model_is_asked(space, atlas, source):
    calls = Calls()
    list(embed_all(space, [source("mood")], atlas))
    outcomes = list(embed_all(space, [model("mood", calls), source("topic")], atlas))
    assert [outcome.status for outcome in outcomes] == ["failed", "embedded"]
    assert outcomes[0].problem.startswith("there is already a dataset named 'mood'; ")
    assert calls.texts == 0
    assert atlas.get("mood").kind == "dataset"


def test_the_same_content_under_another_name_is_kept_and_told(space, atlas, source):
    outcomes = list(embed_all(space, [source("mood"), source("mood", "twin"), source("mood", "more")], atlas))
    assert [outcome.status for outcome in outcomes] == ["embedded"] * 3
    assert "same_content_as" not in outcomes[0].embedding.provenance
    assert [outcome.embedding.provenance["same_content_as"] for outcome in outcomes[1:]] == ["mood", "mood"]
    assert atlas.get("twin").provenance["same_content_as"] == "mood"


def test_another_space_is_another_place(space, mixed_pool, encoder, atlas, source):
    list(embed_all(space, [source("mood")], atlas))
    text = Space(mixed_pool, surrogate=encoder, learner="text")
    outcomes = list(embed_all(text, [source("mood"), model("topic")], atlas))
    assert [outcome.status for outcome in outcomes] == ["embedded", "embedded"]
    # A name taken in one space is free in the other.
    assert [outcome.status for outcome in embed_all(space, [source("topic")], atlas)] == ["embedded"]


def test_classes_of_one_row_are_warned_of_once_they_are_embedded(space, mixed_pool, encoder, atlas, tasks):
    mood = tasks["mood"]
    labels = [mood.label_names[code] for code in mood.labels.codes]
    lone = Source("lone", lambda: Task([*mood.texts, "rain", "fog"], [*labels, "p", "q"], name="lone"))
    with pytest.warns(TaskspaceWarning, match=r"^2 of 4 classes of 'lone' have one row only \('p', 'q'\); ") as seen:
        assert [outcome.status for outcome in embed_all(space, [lone], atlas)] == ["embedded"]
    assert len(seen) == 1
    # What is kept is not warned of again, nor is a learner that reads no labels.
    assert [outcome.status for outcome in embed_all(space, [lone], atlas)] == ["kept"]
    text = Space(mixed_pool, surrogate=encoder, learner="text")
    assert [outcome.status for outcome in embed_all(text, [lone], atlas)] == ["embedded"]


def test_another_file_of_the_same_name_replaces_nothing(space, atlas, tasks):
    first = Source("a/train.jsonl", lambda: replace(tasks["mood"], name="train"))
    edited = Source("a/train.jsonl", lambda: replace(tasks["mood"].take(range(30)), name="train"))
    foreign = Source("b/train.jsonl", lambda: replace(tasks["topic"], name="train"))
    assert [o.status for o in embed_all(space, [first], atlas)] == ["embedded"]
    (outcome,) = embed_all(space, [foreign], atlas)
    assert outcome.status == "failed"
    assert "a/train.jsonl" in outcome.problem
    assert "b/train.jsonl" in outcome.problem
    assert atlas.get("train").content == tasks["mood"].fingerprint
    assert [o.status for o in embed_all(space, [edited], atlas)] == ["replaced"]
    assert atlas.get("train").provenance["origin"] == "a/train.jsonl"


# Several at once


class Together:
    """A learner from outside that learns up to three tasks at once, and notes how many it was given."""

    name, needs_labels, settings, at_once = "together", True, {}, 3

    def __init__(self):
        self.groups = []

    def bind(self, ground):
        learner = self

        class Embed:
            def __call__(self, evidence):
                return self.many([evidence])[0]

            def many(self, evidences):
                learner.groups.append(len(evidences))
                if any(len(evidence) < 4 for evidence in evidences):
                    raise DataError("four texts at least")
                return [Learned({"all": np.float32([len(e), e.values[:, 0] @ e.weights])}) for e in evidences]

        return Embed()


@pytest.fixture
def grouped(mixed_pool, encoder):
    return Space(mixed_pool, surrogate=encoder, learner=Together())


def test_as_many_as_the_learner_takes_are_embedded_together(grouped, atlas, source):
    given = [source("mood", name) for name in "abcdefg"]
    given = [Source(s.origin, lambda s=s, n=n: s.load().take(range(30 + n))) for n, s in enumerate(given)]
    outcomes = list(embed_all(grouped, given, atlas))
    assert told(outcomes) == [(f"{name}.jsonl", "embedded", name) for name in "abcdefg"]
    assert grouped.learner.groups == [3, 3, 1]
    for n, name in enumerate("abcdefg"):
        alone = grouped.embed(given[n].load())
        assert atlas.get(name).vector.tobytes() == alone.vector.tobytes()
    again = Space(grouped.pool, surrogate=grouped.surrogate, learner=Together())
    assert {outcome.status for outcome in embed_all(again, given, atlas)} == {"kept"}
    assert again.learner.groups == []


def test_what_is_there_takes_no_place_in_a_group(grouped, atlas, source):
    """As after a stop half way: the rest still goes three by three, and everything is told in the order given."""
    list(embed_all(grouped, [source("mood"), source("trip")], atlas))
    grouped.learner.groups.clear()
    given = [source("topic"), source("mood"), broken(), source("echo"), source("trip"), source("degree")]
    outcomes = list(embed_all(grouped, given, atlas))
    assert [o.status for o in outcomes] == ["embedded", "kept", "failed", "embedded", "kept", "embedded"]
    assert [o.origin for o in outcomes] == [s.origin for s in given]
    assert grouped.learner.groups == [3]


def test_one_that_fails_does_not_take_its_group_along(grouped, atlas, source):
    short = Source("short.jsonl", lambda: Task(["rain", "fog", "snow"], [0.1, 0.2, 0.3], name="short"))
    calls = Calls()
    outcomes = list(embed_all(grouped, [source("mood"), short, model(calls=calls)], atlas))
    assert [o.status for o in outcomes] == ["embedded", "failed", "embedded"]
    assert outcomes[1].problem == "four texts at least"
    assert grouped.learner.groups == [3, 1, 1, 1]
    assert calls.texts == int((~grouped.pool.inputs.is_pair).sum())  # the model was asked once


def test_names_and_contents_are_settled_before_the_next_is_judged(grouped, atlas, source):
    outcomes = list(
        embed_all(grouped, [source("mood"), source("mood", "twin"), source("mood"), source("topic")], atlas)
    )
    assert [o.status for o in outcomes] == ["embedded", "embedded", "kept", "embedded"]
    assert outcomes[1].embedding.provenance["same_content_as"] == "mood"


def test_a_run_that_ends_early_keeps_whole_groups(grouped, atlas, source):
    """Whoever stops listening after the second outcome has what was committed until then, and goes on from it."""
    given = [source(name) for name in ("mood", "topic", "trip", "echo", "degree")]
    outcomes = embed_all(grouped, given, atlas)
    assert [next(outcomes).name for _ in range(2)] == ["mood", "topic"]
    outcomes.close()
    assert {entry.name for entry in atlas.entries()} == {"mood", "topic"}
    assert [o.status for o in embed_all(grouped, given, atlas)] == ["kept", "kept", "embedded", "embedded", "embedded"]


def test_nothing_is_read_that_no_source_is_named_like(space, atlas, source, monkeypatch):
    """An atlas may hold a million entries: a run begins, and judges, by name alone."""
    list(embed_all(space, [source("mood"), source("topic")], atlas))
    for everything in ("entries", "matrix"):
        monkeypatch.setattr(Atlas, everything, lambda *_, **__: pytest.fail("everything was read"))
    outcomes = list(embed_all(space, [source("mood"), source("degree"), source("echo", "topic")], atlas))
    assert [outcome.status for outcome in outcomes] == ["kept", "embedded", "replaced"]
