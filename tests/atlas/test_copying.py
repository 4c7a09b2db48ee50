from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from taskspace.atlas import Atlas, Copied, copy_atlas, copying
from taskspace.atlas.engines import open_store
from taskspace.errors import AtlasError
from taskspace.ranking.history import Row
from taskspace.task import Pool

PLACES = {"sqlite": "{}.db", "lance": "{}.lance"}


@pytest.fixture(params=list(product(PLACES, PLACES)), ids="-".join)
def places(request, tmp_path):
    """Where to copy from, and where to."""
    return [tmp_path / PLACES[engine].format(name) for engine, name in zip(request.param, ("from", "to"), strict=True)]


@pytest.fixture
def fill(embed, space_id, pool):
    """Two spaces, one with a pool and options; an empty third one; a replaced row; transfers, one noted twice."""

    def make(path):
        with Atlas(path) as atlas:
            atlas.keep_space(space_id(), pool, {"surrogate": "./it's"})
            atlas.keep_space(space_id("fisher"))
            vectors = np.random.default_rng(0).standard_normal((30, 6))
            atlas.add(*[embed(f"e'{i}", v, kind=("dataset", "model")[i % 2], rows=i) for i, v in enumerate(vectors)])
            atlas.add(embed("e'4", vectors[5], rows="again", informative=False))
            other = Pool(["another pool"])
            text = space_id("text", pool=other.fingerprint)
            atlas.add(embed("e'1", [1, 2, 3], space=text, blocks=(("a", 1), ("b", 2)), pool=other))
            atlas.observe_all([Row("a", "b", 0.5, 0.25, 3, "f1"), Row("a", "b", 0.5, 0.25, 3, "f1")], again=True)
            atlas.observe(source="c", target="d", score=0.1)

    return make


def contents(path):
    """All that an atlas holds, as plain values in its order."""
    store = open_store(path, create=False)
    with store.reading() as view:
        found = {
            "transfers": view.transfers(),
            "spaces": [
                (
                    space.identity.to_dict(),
                    space.options,
                    space.blocks,
                    view.packed_pool(space.identity.pool),
                    [(*row[:-1], row.vector.tobytes()) for part in view.records(space, 7) for row in part],
                )
                for space in view.spaces()
            ],
        }
    store.close()
    return found


def test_there_and_back_is_the_same(places, fill, tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "_AT_ONCE", 200)  # some rows at a time
    source, target = places
    fill(source)
    told = []
    assert copy_atlas(source, target, told=lambda done, total: told.append((done, total))) == Copied(31, 0, 2, 3)
    assert len(told) > 3
    assert told[-1] == (31, 31)
    back = source.with_name(f"back{source.suffix}")
    copy_atlas(target, back)
    assert contents(source) == contents(target) == contents(back)
    assert len(contents(back)["spaces"]) == 3
    with Atlas(target, create=False) as atlas:
        assert atlas.check() == ""


def test_times_are_kept(places, fill, monkeypatch):
    source, target = places
    monkeypatch.setattr("taskspace.atlas._stored.now", lambda: "2001-02-03T04:05:06+00:00")
    monkeypatch.setattr("taskspace.atlas._atlas.now", lambda: "2001-02-03T04:05:06+00:00")
    fill(source)
    monkeypatch.undo()
    copy_atlas(source, target)
    with Atlas(target) as atlas:
        assert {entry.added for entry in atlas.entries()} == {"2001-02-03T04:05:06+00:00"}
        assert {transfer.noted for transfer in atlas.transfers()} == {"2001-02-03T04:05:06+00:00"}


def test_a_copy_that_was_stopped_goes_on(places, fill, monkeypatch):
    source, target = places
    fill(source)
    monkeypatch.setattr(copying, "_AT_ONCE", 200)

    class Stopped(BaseException):
        pass

    def stop(done, total):
        if done >= 16:
            raise Stopped

    with pytest.raises(Stopped):
        copy_atlas(source, target, told=stop)
    with Atlas(target) as atlas:
        assert len(atlas) == 16
    assert copy_atlas(source, target) == Copied(15, 16, 0, 3)
    assert contents(source) == contents(target)
    assert copy_atlas(source, target) == Copied(0, 31, 0, 0)
    assert contents(source) == contents(target)


def test_what_is_missing_is_added(places, fill, embed, space_id):
    source, target = places
    fill(source)
    with Atlas(target) as atlas:
        atlas.add(embed("e'7", np.ones(6), kind="model", rows="mine"), embed("mine", np.ones(6)))
        atlas.keep_space(space_id(), options={"surrogate": "./mine"})
        atlas.observe(source="x", target="y", score=0.5)
    assert copy_atlas(source, target).embeddings == 30
    with Atlas(target) as atlas:
        assert len(atlas) == 32
        assert atlas.entry("e'7").provenance == {"rows": "mine"}  # the same content: kept as it was
        assert atlas.options("response") == {"surrogate": "./mine"}
        assert atlas.options("fisher") == {}
        assert atlas.pool("response").inputs
        assert [t.source for t in atlas.transfers()] == ["x", "a", "a", "c"]


@pytest.mark.parametrize("clash", [{"content": "other"}, {"kind": "model", "content": "content of e'4"}])
def test_a_name_that_means_something_else_is_refused(places, fill, embed, clash):
    source, target = places
    fill(source)
    with Atlas(target) as atlas:
        atlas.add(embed("e'4", np.ones(6), **clash))
    before = contents(target)
    with pytest.raises(AtlasError, match='stand for something else, so nothing was copied: "e\'4"; rename'):
        copy_atlas(source, target)
    assert contents(target) == before


def test_other_blocks_are_refused(places, fill, embed):
    source, target = places
    fill(source)
    with Atlas(target) as atlas:
        atlas.add(embed("mine", [1, 2]))
    before = contents(target)
    with pytest.raises(AtlasError, match="has vectors of 2 numbers in 1 blocks in .*, not of 6 in 1, and nothing was"):
        copy_atlas(source, target)
    assert contents(target) == before


def test_a_source_that_is_not_there(places):
    source, target = places
    with pytest.raises(AtlasError, match="there is no atlas at .*from"):
        copy_atlas(source, target)
    assert not target.exists()
