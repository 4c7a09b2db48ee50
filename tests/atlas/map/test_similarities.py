"""The heat map: values against plain cosines, merges against scipy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.atlas.map import similarities
from taskspace.errors import SettingError, UnknownName

hierarchy = pytest.importorskip("scipy.cluster.hierarchy")


def test_values_are_cosines_in_the_order_of_the_names(matrix_of, cosines_of, rng):
    blocks = (("a", 3), ("b", 6))
    vectors = rng.standard_normal((25, 9))
    found = similarities(matrix_of(vectors, blocks=blocks, kinds=["model", "dataset", "prompt", "model", "model"] * 5))
    places = [int(name[1:]) for name in found.names]
    assert sorted(places) == list(range(25))
    np.testing.assert_allclose(found.values, cosines_of(vectors, blocks)[np.ix_(places, places)], atol=1e-6)
    np.testing.assert_array_equal(found.values, found.values.T)
    assert found.kinds == tuple(["model", "dataset", "prompt", "model", "model"][place % 5] for place in places)


def test_merges_are_average_linkage_over_that_order(matrix_of, rng):
    found = similarities(matrix_of(rng.standard_normal((40, 5))))
    assert hierarchy.is_valid_linkage(found.merges)
    assert hierarchy.leaves_list(found.merges).tolist() == list(range(40))
    far = (1 - found.values)[np.triu_indices(40, 1)]
    np.testing.assert_allclose(found.merges[:, 2], hierarchy.linkage(far, "average")[:, 2], atol=1e-9)
    np.testing.assert_allclose(
        hierarchy.cophenet(found.merges), hierarchy.cophenet(hierarchy.linkage(far, "average")), atol=1e-9
    )


def test_chosen_names(matrix_of, rng):
    found = similarities(matrix_of(rng.standard_normal((9, 4))), ["r3", "r8", "r1", "r3"])
    assert sorted(found.names) == ["r1", "r3", "r8"]
    assert found.of == 9


def test_a_zero_vector_is_like_nothing(matrix_of):
    matrix = matrix_of([[1, 0], [0, 0], [1, 1]])
    found = similarities(matrix, ["r0", "r1", "r2"])
    place = found.names.index("r1")
    assert found.values[place].tolist() == [0, 0, 0]
    assert sorted(similarities(matrix).names) == ["r0", "r2"]


def test_of_too_many_a_sample_is_drawn(matrix_of, rng):
    matrix = matrix_of(rng.standard_normal((50, 4)))
    first, again, other = (similarities(matrix, limit=12, seed=seed) for seed in (0, 0, 1))
    assert (len(first), first.of) == (12, 50)
    assert first.names == again.names
    assert set(first.names) != set(other.names)


def test_one_kind(matrix_of):
    found = similarities(matrix_of(np.eye(4), kinds=["model", "dataset", "model", "prompt"]), kind="model")
    assert sorted(found.names) == ["r0", "r2"]
    assert found.of == 2


def test_names_that_are_not_there_or_too_many(matrix_of, one_sentence):
    matrix = matrix_of(np.eye(4), names=["alpha", "beta", "gamma", "delta"])
    with pytest.raises(UnknownName, match="did you mean 'gamma'") as unknown:
        similarities(matrix, ["alpha", "gama"])
    with pytest.raises(SettingError, match="give at most 2") as many:
        similarities(matrix, ["alpha", "beta", "gamma"], limit=2)
    assert one_sentence(unknown.value)
    assert one_sentence(many.value)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few(matrix_of, count):
    found = similarities(matrix_of(np.eye(3)[:count]))
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["values"] == np.eye(count).tolist()
    assert len(document["merges"]) == max(count - 1, 0)
    assert len(found) == count


def test_the_document(matrix_of):
    document = similarities(matrix_of([[1, 0], [1, 1]])).to_dict()
    assert document == {
        "names": document["names"], "kinds": ["dataset", "dataset"], "values": [[1.0, 0.7071], [0.7071, 1.0]],
        "merges": [[0, 1, 0.2929, 2]], "of": 2,
    }  # fmt: skip
    assert sorted(document["names"]) == ["r0", "r1"]
