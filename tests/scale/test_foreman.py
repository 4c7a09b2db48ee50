"""The driver's decisions, with workers that are played: any order of answers, any loss, the same atlas."""

from __future__ import annotations

import pickle
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace import Atlas, Space, Task
from taskspace.errors import AtlasError, DataError, SettingError
from taskspace.learners import Learned
from taskspace.scale import Local, Source
from taskspace.scale._crew import plan_for
from taskspace.scale._desk import Desk
from taskspace.scale._foreman import AHEAD, TRIES, Foreman
from taskspace.scale._worker import Lost, Reply, Worker, perform


class Counted:
    """A learner that fits something to the pool, and whose vectors tell on what they stand."""

    name, needs_labels, settings = "counted", True, {}

    def fit(self, ground):
        return {"rows": len(ground.pool)}

    def bind(self, ground):
        fitted = ground.fitted or self.fit(ground)

        def embed(evidence):
            if len(evidence) < 3:
                raise DataError("three texts at least")
            return Learned({"all": np.float32([fitted["rows"], len(evidence), evidence.values[:, 0].sum()])})

        return embed


@dataclass(frozen=True)
class Row:
    """A source of few possible names and contents, so that they meet."""

    origin: str
    name: str
    content: int
    works: bool = True

    def load(self):
        if not self.works:
            raise DataError(f"{self.origin} cannot be read")
        distinct = 2 + self.content  # with content 0 there is too little to learn from
        rows = range(2 * distinct)
        return Task([f"{self.content} {n % distinct}" for n in rows], [str(n % 2) for n in rows], name=self.name)

    @property
    def source(self):
        return Source(self.origin, self.load)


class Played:
    """A crew in this process that answers in any order, and loses workers as ``loses(origin)`` says."""

    def __init__(self, plan, size, rng, loses=lambda origin: False):
        self.size = size
        self.plan, self.rng, self.loses = plan, rng, loses
        self.workers, self.asked, self.verbs, self.hired = {}, {}, [], 0
        self.reading = {}

    def pack(self, source):
        return pickle.dumps(source.load)

    def hire(self):
        self.hired += 1
        assert len(self.workers) < self.size
        self.workers[self.hired] = Worker(self.plan)
        self.asked[self.hired] = ("start", ())
        return self.hired

    def ask(self, worker, verb, *given):
        assert worker not in self.asked, "a worker was asked before it answered"
        self.asked[worker] = (verb, given)

    def share(self, value):
        return value

    def answer(self):
        assert self.asked, "nobody would ever answer"
        worker = self.rng.choice(sorted(self.asked))
        verb, given = self.asked.pop(worker)
        self.verbs.append(verb)
        if verb == "read":
            self.reading[worker] = given[1]
        if self.loses(self.reading.get(worker, "") if verb != "start" else "start"):
            return worker, Lost("were lost")
        return worker, Reply() if verb == "start" else perform(self.workers[worker], verb, given)

    def let_go(self, worker):
        del self.workers[worker]
        self.reading.pop(worker, None)


def stored(atlas):
    entries = {entry.name: entry for entry in atlas.entries()}
    return [
        (row.name, entries[row.name].content, dict(entries[row.name].provenance), vector.tobytes())
        for row, vector in ((row, atlas.get(row.name).vector) for row in (atlas.matrix().rows if entries else ()))
    ]


def told(outcomes):
    return [(o.origin, o.status, o.name, o.problem) for o in outcomes]


@pytest.fixture(scope="module")
def space(mixed_pool, encoder):
    encoder.features([*mixed_pool.inputs.texts, *(pair for pair in mixed_pool.inputs.pairs if pair)])
    return Space(mixed_pool, surrogate=encoder, learner=Counted())


@pytest.fixture(scope="module")
def plan(space):
    return plan_for(space)


@pytest.fixture(autouse=True)
def features_at_hand(space, monkeypatch):
    """Played workers open the space each: the features of the pool are no part of what is tested here."""
    known = space.groundwork().features
    monkeypatch.setattr("taskspace.surrogates.Surrogate.features", lambda self, texts, progress=False: known)


names, origins = st.sampled_from("abc"), st.sampled_from(["x", "y", "z"])
row = st.builds(Row, origins, names, st.integers(0, 3), st.sampled_from([True, True, True, False]))


@settings(deadline=None, max_examples=60)
@given(
    before=st.lists(row, max_size=3),
    rows=st.lists(row, max_size=10),
    size=st.integers(1, 3),
    seed=st.integers(0, 1000),
    losses=st.integers(0, TRIES - 1),
)
def test_the_same_atlas_as_from_one_process(space, plan, before, rows, size, seed, losses):
    rng = random.Random(seed)
    left = {"x": losses, "start": losses}

    def loses(origin):
        if left.get(origin, 0) and rng.random() < 0.3:
            left[origin] -= 1
            return True
        return False

    with (
        tempfile.TemporaryDirectory() as folder,
        Atlas(Path(folder) / "one.db") as one,
        Atlas(Path(folder) / "many.db") as many,
    ):
        for atlas in (one, many):
            list(Local().run(space, [each.source for each in before], Desk(space.identity, atlas)))
        expected = told(Local().run(space, [each.source for each in rows], Desk(space.identity, one)))
        crew = Played(plan, size, rng, loses)
        outcomes = Foreman(space, Desk(space.identity, many), crew).run(each.source for each in rows)
        assert told(outcomes) == expected
        assert stored(many) == stored(one)
        if not losses:
            assert crew.verbs.count("prepare") <= 1
            assert crew.verbs.count("open") <= size


@pytest.fixture
def desk(space, tmp_path):
    with Atlas(tmp_path / "my.db") as atlas:
        yield Desk(space.identity, atlas)


def test_a_source_is_given_up_after_three_workers(space, plan, desk):
    crew = Played(plan, 2, random.Random(0), lambda origin: origin == "y")
    rows = [Row("x", "a", 1), Row("y", "b", 2), Row("z", "c", 3)]
    outcomes = list(Foreman(space, desk, crew).run([each.source for each in rows]))
    assert [outcome.status for outcome in outcomes] == ["embedded", "failed", "embedded"]
    assert outcomes[1].problem.startswith("y was given up, since 3 workers in turn were lost over it; ")
    assert crew.hired <= 2 + TRIES


def test_workers_that_never_start_end_the_run(space, plan, desk):
    crew = Played(plan, 2, random.Random(0), lambda origin: origin == "start")
    with pytest.raises(SettingError, match=r"^3 workers in turn were lost before they had anything to do; "):
        list(Foreman(space, desk, crew).run([Row("x", "a", 1).source]))


def test_no_more_is_begun_than_may_be_lost(space, plan, desk):
    """While the first is under way, only so many of the others are taken on."""
    seen = []

    def sources():
        for n in range(100):
            seen.append(n)
            yield Row(f"o{n}", f"n{n}", 1 + n).source

    outcomes = Foreman(space, desk, Played(plan, 2, random.Random(0))).run(sources())
    next(outcomes)
    assert len(seen) <= 2 * AHEAD + 1
    outcomes.close()


def test_no_more_workers_are_hired_than_there_is_work_for(space, plan, desk):
    crew = Played(plan, 50, random.Random(0))
    list(Foreman(space, desk, crew).run([Row("x", "a", 1).source, Row("y", "b", 2).source]))
    assert crew.hired == 2


@pytest.mark.parametrize("seed", range(8))
def test_what_is_under_way_already_is_not_learned_twice(space, plan, desk, seed):
    """Whichever of them a worker has read first."""
    crew = Played(plan, 3, random.Random(seed))
    same = Row("x", "a", 2).source
    outcomes = list(Foreman(space, desk, crew).run([same, same, same]))
    assert [outcome.status for outcome in outcomes] == ["embedded", "kept", "kept"]
    assert crew.verbs.count("learn") == 1


def test_an_atlas_that_cannot_be_written_ends_the_run(space, plan, tmp_path):
    atlas = Atlas(tmp_path / "my.db")
    foreman = Foreman(space, Desk(space.identity, atlas), Played(plan, 1, random.Random(0)))
    atlas.close()
    with pytest.raises(AtlasError, match="is closed"):
        list(foreman.run([Row("x", "a", 1).source]))
