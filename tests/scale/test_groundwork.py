"""What travels to a worker: a space without its weights, and what was computed once for all."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest

from taskspace import Space, labelers
from taskspace.atlas import copy_atlas
from taskspace.errors import SurrogateError
from taskspace.scale import embed_all
from taskspace.surrogates import Surrogate, load_surrogate, locate


@pytest.fixture
def space(tiny_encoder, mixed_pool):
    return Space(mixed_pool, surrogate=load_surrogate(tiny_encoder), progress=True)


@pytest.fixture
def length():
    return labelers.from_callable(lambda texts: [len(text) % 2 for text in texts], name="length")


def travelled(space):
    return pickle.loads(pickle.dumps(space))


def test_a_space_travels_without_its_weights_and_is_the_same(space, tasks, tiny_encoder):
    made = space.embed(tasks["mood"])
    assert len(pickle.dumps(space)) < (tiny_encoder / "model.safetensors").stat().st_size / 2
    other = travelled(space)
    assert other.identity == space.identity
    assert other.identity.to_dict() == space.identity.to_dict()
    assert other.embed(tasks["mood"]).vector.tobytes() == made.vector.tobytes()


def test_its_files_are_hashed_where_it_arrives(save_encoder, mixed_pool, tmp_path):
    folder = save_encoder(tmp_path / "encoder")
    space = Space(mixed_pool, surrogate=folder)
    assert space.identity
    packed = pickle.dumps(space)
    save_encoder(folder, seed=1)
    assert pickle.loads(packed).identity != space.identity


def test_where_the_folder_is_not_the_name_is_looked_up(save_encoder, tmp_path, monkeypatch):
    here, there = save_encoder(tmp_path / "here"), save_encoder(tmp_path / "there")
    surrogate = Surrogate(
        replace(locate(here), name="me/mine", revision="c0ffee"), layers=[1, 3], max_length=64, device="cpu", cache=True
    )
    packed = pickle.dumps(surrogate)
    shutil.rmtree(here)
    asked = []

    def found(name, *, revision=None):
        asked.append((name, revision))
        return replace(locate(there), name=name, revision=revision)

    monkeypatch.setattr("taskspace.surrogates._surrogate.locate", found)
    arrived = pickle.loads(packed)
    assert asked == [("me/mine", "c0ffee")]
    assert arrived.fingerprint == surrogate.fingerprint
    assert (arrived.encoding, arrived.device) == (surrogate.encoding, "cpu")


def test_a_folder_that_is_not_there_is_told(save_encoder, tmp_path):
    packed = pickle.dumps(load_surrogate(save_encoder(tmp_path / "here")))
    shutil.rmtree(tmp_path / "here")
    with pytest.raises(SurrogateError, match="is neither a local folder nor"):
        pickle.loads(packed)


def test_what_was_computed_is_not_computed_again(space, length, monkeypatch, tmp_path):
    """With empty caches, no text of the pool is read by the model again."""
    work = space.groundwork()
    expected = space.embed(length).vector
    texts = [*space.pool.inputs.texts, *(pair for pair in space.pool.inputs.pairs if pair is not None)]
    np.testing.assert_array_equal(work.features, space.surrogate.features(texts))

    monkeypatch.setenv("TASKSPACE_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(Surrogate, "module", property(lambda self: pytest.fail("the model was loaded")))
    other = travelled(space)
    other.build_on(pickle.loads(pickle.dumps(work)))
    assert other.embed(length).vector.tobytes() == expected.tobytes()


def test_features_may_lie_in_memory_that_is_not_ours(space, length):
    """As those that a cluster's object store lends."""
    work = space.groundwork()
    expected = space.embed(length).vector
    work.features.flags.writeable = False
    for part in (work.fitted.scale, work.fitted.mean, work.fitted.directions):
        part.flags.writeable = False
    other = travelled(space)
    other.build_on(work)
    assert other.embed(length).vector.tobytes() == expected.tobytes()


def test_the_fit_handed_over_is_the_one_that_counts(space, tasks):
    """Turned coordinates give another vector of the same length: it is these that the space stands on."""
    work, plain = space.groundwork(), space.embed(tasks["mood"])
    other = travelled(space)
    other.build_on(replace(work, fitted=replace(work.fitted, directions=work.fitted.directions[:, ::-1])))
    turned = other.embed(tasks["mood"])
    assert abs(float(plain.vector @ turned.vector)) < 0.99
    assert np.linalg.norm(turned.vector) == pytest.approx(1, abs=1e-6)


def test_a_learner_without_a_fit_shares_the_features_alone(tiny_encoder, mixed_pool, length):
    space = Space(mixed_pool, surrogate=load_surrogate(tiny_encoder), learner="text")
    work = space.groundwork()
    assert work.fitted is None
    other = travelled(space)
    other.build_on(work)
    assert other.embed(length).vector.tobytes() == space.embed(length).vector.tobytes()


def test_parts_made_apart_join_into_what_one_run_makes(space, data, open_atlas, rows, tmp_path):
    """A queue of machines without a cluster: each fills an atlas of its own, and the space stands on one fit."""
    given = [data(name) for name in ("mood", "topic", "trip")]
    list(embed_all(space, given, open_atlas("whole")))
    for part in (given[:2], given[2:]):
        atlas = open_atlas(part[0].origin)
        list(embed_all(travelled(space), part, atlas))
        copy_atlas(atlas.path, tmp_path / "joined.db")
    assert rows(open_atlas("joined")) == rows(open_atlas("whole"))
