from __future__ import annotations

import subprocess
import sys
import types

import numpy as np
import pytest

import taskspace.atlas
from taskspace.atlas import Atlas, Entry, Transfer
from taskspace.embedding import TaskEmbedding
from taskspace.errors import AtlasError, EmbeddingError, SettingError, SpaceMismatch, UnknownName
from taskspace.ranking import rank
from taskspace.ranking.history import Row
from taskspace.task import Pool, Task


def names(ranking):
    return [hit.name for hit in ranking]


# Adding and getting


def test_what_is_added_comes_back_whole(atlas, embed, path):
    rng = np.random.default_rng(0)
    given = embed("a", rng.standard_normal(5), kind="model", blocks=(("x", 2), ("y", 3)), rows=7, skill=0.5)
    atlas.add(given)
    atlas.close()
    with Atlas(path, create=False) as again:
        found = again.get("a")
    np.testing.assert_array_equal(found.vector, given.vector)
    assert found.vector.dtype == np.dtype("<f4")
    for field in ("name", "kind", "space", "blocks", "content", "provenance"):
        assert getattr(found, field) == getattr(given, field)


def test_len_and_in(atlas, many):
    assert len(atlas) == 0
    atlas.add(*many(1, 2))
    assert len(atlas) == 2
    assert "e1" in atlas
    assert "e3" not in atlas
    assert 3 not in atlas


def test_adding_again_replaces_or_refuses(atlas, embed):
    atlas.add(embed("a", [1, 0], content="old", rows=1))
    atlas.add(embed("a", [0, 1], content="new", rows=2))
    assert len(atlas) == 1
    found = atlas.get("a")
    assert (found.content, found.vector.tolist(), found.provenance) == ("new", [0, 1], {"rows": 2})
    with pytest.raises(AtlasError, match="already a dataset named 'a'"):
        atlas.add(embed("b", [1, 1]), embed("a", [1, 1]), replace=False)
    assert "b" not in atlas
    assert atlas.get("a").content == "new"


def test_a_name_taken_by_another_kind_is_not_overwritten(atlas, embed):
    atlas.add(embed("imdb", [1, 0]))
    with pytest.raises(AtlasError, match="already a dataset named 'imdb'; give this model another name"):
        atlas.add(embed("imdb", [0, 1], kind="model"))
    assert atlas.get("imdb").kind == "dataset"


def test_a_vector_that_does_not_fit_its_space_is_refused(atlas, embed):
    atlas.add(embed("a", [1, 0]))
    with pytest.raises(AtlasError, match="'b' has 3 numbers in 1 blocks, but its space holds vectors of 2 numbers"):
        atlas.add(embed("b", [1, 0, 0]))
    with pytest.raises(AtlasError, match="2 numbers in 2 blocks"):
        atlas.add(embed("b", [1, 0], blocks=(("x", 1), ("y", 1))))
    with pytest.raises(EmbeddingError, match="NaN"):
        atlas.add(embed("b", [1, np.nan]))
    assert len(atlas) == 1
    atlas.remove("a")
    atlas.add(embed("b", [1, 0, 0]))  # an empty space has no length yet
    assert len(atlas.get("b").vector) == 3


def test_what_cannot_be_stored_is_named(atlas, embed):
    with pytest.raises(AtlasError, match="provenance of 'a' cannot be stored as JSON"):
        atlas.add(embed("a", [1], rows=object()))
    with pytest.raises(AtlasError, match="'  ' is no name"):
        atlas.add(embed("  ", [1]))
    with pytest.raises(AtlasError, match=r"'bad\\udc80' cannot be written as UTF-8"):
        atlas.add(embed("bad\udc80", [1]))
    assert len(atlas) == 0


def test_an_unknown_name_gets_a_hint(atlas, many):
    with pytest.raises(UnknownName, match="no 'e1' in .*my.db$"):
        atlas.get("e1")
    atlas.add(*many(1, 22))
    for ask in (atlas.get, atlas.remove, atlas.near, atlas.rank, lambda name: atlas.rename(name, "x")):
        with pytest.raises(UnknownName, match="no 'e222' in .*did you mean 'e22'?"):
            ask("e222")


def test_remove_takes_all_or_none(atlas, many):
    atlas.add(*many(1, 2, 3))
    with pytest.raises(UnknownName):
        atlas.remove("e1", "nobody")
    assert len(atlas) == 3
    atlas.remove("e1", "e3")
    assert [entry.name for entry in atlas.entries()] == ["e2"]


def test_rename_carries_transfers_along(atlas, many, space_id):
    atlas.add(*many(1, 2))
    atlas.observe(source="e1", target="e2", score=0.5)
    atlas.observe(source="e2", target="e1", score=0.4)
    atlas.rename("e1", "new")
    assert "e1" not in atlas
    np.testing.assert_array_equal(atlas.get("new").vector, many(1)[0].vector)
    assert [(t.source, t.target) for t in atlas.transfers()] == [("new", "e2"), ("e2", "new")]
    with pytest.raises(AtlasError, match="already an embedding named 'e2'"):
        atlas.rename("new", "e2")
    atlas.add(*many(2, space=space_id("text")))
    atlas.rename("e2", "two", space="text")
    assert [(t.source, t.target) for t in atlas.transfers()] == [("new", "e2"), ("e2", "new")]


def test_entries_tell_all_but_the_numbers(atlas, embed, space_id):
    text = space_id("text")
    atlas.add(embed("b", [1, 0], kind="model", rows=3), embed("a", [0, 1]), embed("c", [1, 2, 3], space=text))
    entries = atlas.entries()
    assert [(e.name, e.kind, e.space, e.dims) for e in entries] == [
        ("a", "dataset", space_id().fingerprint, 2),
        ("b", "model", space_id().fingerprint, 2),
        ("c", "dataset", text.fingerprint, 3),
    ]
    assert (entries[1].content, entries[1].provenance) == ("content of b", {"rows": 3})
    assert entries[0].added.endswith("+00:00")
    assert [e.name for e in atlas.entries(kind="model")] == ["b"]
    assert [e.name for e in atlas.entries(space="text")] == ["c"]
    assert isinstance(entries[0], Entry)
    with pytest.raises(SettingError, match="no kind 'models'; did you mean 'model'?"):
        atlas.entries(kind="models")


def test_what_is_there_already_can_be_skipped(atlas, embed, space_id):
    atlas.add(embed("b", [1, 0], content="x"), embed("a", [1, 0], content="x"), embed("m", [1, 0], kind="model"))
    assert atlas.has("x", "dataset", space=space_id())
    assert atlas.names_of("x", "dataset", space=space_id()) == ["a", "b"]
    assert not atlas.has("x", "model", space=space_id())
    assert not atlas.has("y", "dataset", space=space_id())
    assert not atlas.has("x", "dataset", space=space_id(seed=1))


# Spaces and pools


def test_spaces_are_found_by_identity_learner_or_fingerprint(atlas, embed, space_id):
    with pytest.raises(AtlasError, match=r"my.db is empty"):
        atlas.space_id()
    one, two = space_id(), space_id("text")
    atlas.add(embed("a", [1], space=one))
    assert atlas.space_id() == one
    atlas.add(embed("a", [1], space=two))
    assert atlas.spaces() == [one, two]
    for selector in (two, "text", two.fingerprint, two.fingerprint[:10]):
        assert atlas.space_id(selector) == two
    with pytest.raises(SettingError, match=f"2 spaces fit.*{one.fingerprint[:12]}.*{two.fingerprint[:12]}"):
        atlas.space_id()
    for wrong in ("fisher", "", space_id(seed=9)):
        with pytest.raises(SettingError, match=f"fits .*there is {one.fingerprint[:12]}.*{two.fingerprint[:12]}"):
            atlas.space_id(wrong)


def test_a_name_in_two_spaces_must_be_told_apart(atlas, embed, space_id):
    atlas.add(embed("a", [1, 0]), embed("a", [0, 1], space=space_id("text")))
    assert len(atlas) == 2
    for ask in (atlas.get, atlas.remove, atlas.near):
        with pytest.raises(SettingError, match="'a' stands in 2 spaces"):
            ask("a")
    assert atlas.get("a", space="text").vector.tolist() == [0, 1]
    atlas.remove("a", space="text")
    assert atlas.get("a").vector.tolist() == [1, 0]


def test_the_pool_is_kept_with_what_was_embedded_through_it(atlas, embed, pool):
    atlas.add(embed("a", [1], pool=pool), embed("b", [1]))
    found = atlas.pool()
    assert found.inputs == pool.inputs
    assert found.fingerprint == pool.fingerprint


def test_a_pool_that_was_not_kept_or_is_another_is_refused(atlas, embed, space_id):
    atlas.add(embed("a", [1]))
    with pytest.raises(AtlasError, match="pool of that space is not in"):
        atlas.pool()
    for store in (lambda p: atlas.add(embed("b", [1], pool=p)), lambda p: atlas.keep_space(space_id(), p)):
        with pytest.raises(AtlasError, match="another one than the space's"):
            store(Pool(["other"]))
    assert "b" not in atlas


def test_a_space_can_be_kept_before_anything_is_embedded(atlas, space_id, pool):
    atlas.keep_space(space_id(), pool, {"surrogate": "./here"})
    atlas.keep_space(space_id())  # keeps what it knew
    assert atlas.spaces() == [space_id()]
    assert atlas.pool("response").fingerprint == pool.fingerprint
    assert len(atlas.near(_target(space_id()))) == 0
    with pytest.raises(AtlasError, match="options of the space cannot be stored"):
        atlas.keep_space(space_id(), pool, {"surrogate": object()})


def _target(space, vector=(1.0, 0.0)):
    return TaskEmbedding("t", "dataset", space, np.array(vector, dtype=np.float32), (("all", 2),), "c")


# Questions


@pytest.mark.parametrize("fusion", ["mean", "rrf"])
@pytest.mark.parametrize("kind", [None, "model"])
def test_search_equals_ranking_in_memory(atlas, embed, fusion, kind):
    rng = np.random.default_rng(0)
    blocks = (("a", 3), ("b", 4))
    given = [embed(f"e{i}", rng.standard_normal(7), kind=("dataset", "model")[i % 2], blocks=blocks) for i in range(40)]
    given.append(embed("twin", given[3].vector, kind="model", blocks=blocks))
    given.append(embed("silent", np.zeros(7), kind="model", blocks=blocks))
    given.append(embed("marked", np.ones(7), kind="model", blocks=blocks, informative=False))
    atlas.add(*given)
    wanted = [e for e in given if kind in (None, e.kind)]
    for k in (None, 5):
        expected = rank(given[0], wanted, k=k, fusion=fusion)
        assert atlas.near("e0", k=k, kind=kind, fusion=fusion) == expected
        assert atlas.near(given[0], k=k, kind=kind, fusion=fusion) == expected
        assert atlas.rank("e0", k=k, kind=kind, fusion=fusion) == expected


@pytest.mark.parametrize("kind", [None, "model"])
def test_centred_search_takes_off_the_mean_of_the_whole_space(atlas, embed, kind):
    rng = np.random.default_rng(0)
    blocks = (("a", 3), ("b", 4))
    given = [
        embed(f"e{i}", 5 + rng.standard_normal(7), kind=("dataset", "model")[i % 2], blocks=blocks) for i in range(9)
    ]
    given.append(embed("marked", np.full(7, 99.0), kind="model", blocks=blocks, informative=False))
    atlas.add(*given)
    expected = rank(given[0], given, k=None, centre=True)
    found = atlas.near("e0", k=None, kind=kind, centre=True)
    wanted = [(hit.name, hit.score) for hit in expected if kind in (None, hit.kind)]
    assert [hit.name for hit in found] == [name for name, _ in wanted]
    assert [hit.score for hit in found] == pytest.approx([score for _, score in wanted], abs=1e-9)
    assert found.measure == expected.measure
    assert "centred over 9 embeddings" in found.measure
    assert atlas.rank(given[0], k=None, kind=kind, centre=True) == found
    assert atlas.near("e0", k=None, kind=kind).measure != found.measure


def test_writes_show_in_the_next_answer(atlas, embed):
    target = embed("t", [1, 0])
    atlas.add(embed("a", [1, 1]))
    assert names(atlas.near(target)) == ["a"]
    atlas.add(embed("b", [1, 0.1]))
    assert names(atlas.near(target)) == ["b", "a"]
    atlas.add(embed("a", [1, 0]))
    assert names(atlas.near(target)) == ["a", "b"]
    atlas.rename("a", "c")
    assert names(atlas.near(target)) == ["c", "b"]
    atlas.remove("c")
    assert names(atlas.near(target)) == ["b"]


def test_one_space_is_searched(atlas, embed, space_id):
    text = space_id("text")
    atlas.add(
        embed("a", [1, 0]), embed("b", [1, 1]), embed("c", [1, 0, 0], space=text), embed("d", [1, 1, 0], space=text)
    )
    assert names(atlas.near("a")) == ["b"]
    assert names(atlas.near("c")) == ["d"]
    assert names(atlas.near(embed("t", [0, 1, 1], space=text))) == ["d", "c"]


def test_k_and_include_self(atlas, many):
    atlas.add(*many(*range(20)))
    assert len(atlas.near("e0")) == 10
    assert len(atlas.near("e0", k=3)) == 3
    assert len(atlas.near("e0", k=None)) == 19
    first = atlas.near("e7", include_self=True)[0]
    assert (first.name, first.score) == ("e7", 1.0)
    for wrong, said in (
        ({"k": 0}, "k is 0"),
        ({"kind": "modle"}, "did you mean 'model'"),
        ({"fusion": "x"}, "no fusion"),
    ):
        with pytest.raises(SettingError, match=said):
            atlas.near("e0", **wrong)


def test_a_target_from_elsewhere_is_refused(atlas, embed, space_id):
    atlas.add(embed("a", [1, 0]))
    foreign = _target(space_id(seed=3))
    with pytest.raises(SpaceMismatch, match="seed"):
        atlas.near(foreign)
    atlas.add(embed("a", [1, 0], space=space_id("text")))
    with pytest.raises(SpaceMismatch, match="'t' lives in no space of"):
        atlas.rank(foreign)
    with pytest.raises(SpaceMismatch, match="learner"):
        atlas.rank(_target(space_id()), space="text")
    with pytest.raises(EmbeddingError, match="blocks of 't'"):
        atlas.near(embed("t", [1, 0, 0]))


def test_a_task_is_embedded_in_its_space_first(atlas, embed, pool, space_id, monkeypatch):
    """With a fake in place of taskspace.space, which brings a model; the true one is tested end to end elsewhere."""
    opened = []

    class FakeSpace:
        @classmethod
        def open(cls, identity, pool, **options):
            opened.append((identity, pool.fingerprint, options))
            space = cls()
            space.identity = identity
            return space

        def embed(self, task):
            vector = np.array([len(task), 0], dtype=np.float32)
            return TaskEmbedding(task.name, "dataset", self.identity, vector, (("all", 2),), task.fingerprint)

    fake = types.ModuleType("taskspace.space")
    fake.Space = FakeSpace
    monkeypatch.setitem(sys.modules, "taskspace.space", fake)
    atlas.add(embed("a", [1, 1], pool=pool), embed("b", [1, 0]), embed("x", [1, 0], space=space_id("text")))
    atlas.keep_space(space_id(), pool, {"surrogate": "./tiny", "batch": 8})
    ranking = atlas.rank(Task(["p", "q"], ["yes", "no"], name="new"), space="response")
    assert (ranking.target, names(ranking)) == ("new", ["b", "a"])
    assert opened == [(space_id(), pool.fingerprint, {"surrogate": "./tiny", "batch": 8})]


# Measured transfers


def test_transfers_come_back_in_order(atlas):
    atlas.observe(source="old", target="reviews", score=0.91, baseline=0.88)
    atlas.observe(source="old", target="reviews", score=0.7, metric="f1", seed=3)
    first, second = atlas.transfers()
    assert (first.source, first.target, first.score, first.baseline) == ("old", "reviews", 0.91, 0.88)
    assert (first.metric, first.seed) == ("accuracy", None)
    assert (second.score, second.baseline, second.metric, second.seed) == (0.7, None, "f1", 3)
    assert isinstance(first, Transfer)
    assert first.noted.endswith("+00:00")


@pytest.mark.parametrize("wrong", [{"score": float("nan")}, {"score": 0.5, "baseline": float("inf")}])
def test_a_transfer_that_is_no_number_is_refused(atlas, wrong):
    with pytest.raises(SettingError, match="give a finite number"):
        atlas.observe(source="a", target="b", **wrong)
    assert atlas.transfers() == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"source": ""}, "the source '' of a transfer is no name"),
        ({"target": " \t"}, "the target .* is no name"),
        ({"target": None}, "the target None of a transfer is no name"),
        ({"metric": " "}, "the metric ' ' of a transfer is no name"),
        ({"score": "0.9"}, "the score of 'a' on 'b' is '0.9'; give a finite number"),
        ({"score": None}, "the score of 'a' on 'b' is None"),
        ({"score": True}, "is True; give a finite number"),
        ({"score": 10**400}, "give a finite number"),
        ({"baseline": "low"}, "the baseline of 'a' on 'b' is 'low'"),
        ({"seed": 1.5}, "the seed of 'a' on 'b' is 1.5; give a whole number"),
        ({"seed": "3"}, "the seed of 'a' on 'b' is '3'"),
        ({"seed": 2**63}, "give a whole number"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_a_transfer_that_cannot_be_noted_is_refused_with_all_others(atlas, wrong, told):
    row = {"source": "a", "target": "b", "score": 0.5, "baseline": None, "seed": 1, "metric": "f1"} | wrong
    with pytest.raises(SettingError, match=told):
        atlas.observe(**row)
    with pytest.raises(SettingError, match=told):
        atlas.observe_all([Row("x", "y", 0.5), Row(**row)])
    assert atlas.transfers() == []


def test_numbers_of_other_packages_are_noted_as_plain_ones(atlas):
    atlas.observe(source="a", target="b", score=np.float32(0.5), baseline=np.float64(0.25), seed=np.int64(3))
    assert atlas.observe_all([Row("a", "b", 0.5, 0.25, 3, "accuracy"), Row("a", "b", 0.5, 0.25, 4.0, "accuracy")]) == 1
    assert [(t.score, t.baseline, t.seed) for t in atlas.transfers()] == [(0.5, 0.25, 3), (0.5, 0.25, 4)]
    assert [type(t.seed) for t in atlas.transfers()] == [int, int]


def test_a_transfer_without_a_metric_counts_as_accuracy_however_it_comes(atlas):
    atlas.observe(source="a", target="b", score=0.5)
    assert atlas.observe_all([Row("a", "b", 0.5), Row("a", "b", 0.5, metric="")]) == 0
    assert [t.metric for t in atlas.transfers()] == ["accuracy"]


def test_importing_needs_sqlite_and_numpy_only():
    assert list(taskspace.atlas.__all__) == sorted(taskspace.atlas.__all__)
    heavy = {"torch", "transformers", "pandas", "polars", "pyarrow", "sklearn", "safetensors"}
    code = f"import sys, taskspace.atlas; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_the_first_space_wins_where_only_one_is_wanted(atlas, space_id, pool):
    first, second = space_id(seed=1), space_id(seed=2)
    assert atlas.keep_space(first, pool, unless_any=True) == first
    assert atlas.keep_space(second, pool, unless_any=True) == first
    assert atlas.spaces() == [first]
    assert atlas.keep_space(second, pool) == second
    assert atlas.spaces() == [first, second]
