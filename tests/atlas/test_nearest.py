"""The same as going through all candidates, hit for hit and note for note, however many tie, repeat or say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.atlas import Atlas
from taskspace.atlas.nearest import Neighbours
from taskspace.embedding import KINDS, SpaceId, TaskEmbedding
from taskspace.ranking import block_cosines, order

SPACE = SpaceId("tiny", "r0", "w0", {}, "response", {}, "p0", 1, 0)
BLOCKS = (("first", 3), ("second", 2))
FEW = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5])
ROWS = st.lists(
    st.tuples(
        st.lists(FEW, min_size=5, max_size=5), st.sampled_from(KINDS), st.integers(0, 5), st.booleans(),
        st.sampled_from([1.0, 1e-30, 1e30, 3e37]),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


def embeddings(rows):
    for i, (vector, kind, content, informative, scale) in enumerate(rows):
        numbers = np.array(vector, dtype=np.float32) * np.float32(scale)
        about = {"informative": informative}
        yield TaskEmbedding(f"e{i}", kind, SPACE, numbers, BLOCKS, f"content {content}", about)


def all_of(neighbours, target, k, kind):
    """Every candidate of the kind, scored one by one and put in order."""
    matrix = neighbours.matrix
    places = [i for i, row in enumerate(matrix.rows) if kind in (None, row.kind)]
    cosines = block_cosines(target.vector, matrix.vectors[places], matrix.blocks, matrix.norms[places])
    return order(target, [matrix.rows[i] for i in places], cosines, k=k).to_dict()


@settings(max_examples=60)
@given(rows=ROWS, k=st.integers(1, 14), kind=st.none() | st.sampled_from(KINDS), data=st.data())
def test_a_few_rows_of_every_sort(tmp_path_factory, rows, k, kind, data):
    place = data.draw(st.integers(0, len(rows) - 1))
    with Atlas(tmp_path_factory.mktemp("near") / "some.db") as atlas:
        atlas.add(*embeddings(rows))
        found = atlas.near(f"e{place}", k=k, kind=kind)
        neighbours = Neighbours.of(SPACE, atlas.matrix())
    target = neighbours.target(place)
    assert found.to_dict() == neighbours.nearest(target, k, kind).to_dict() == all_of(neighbours, target, k, kind)


@pytest.mark.parametrize("spread", [1.0, 1e-4, 1e-7], ids=["apart", "close", "at the limit of float32"])
def test_among_many_that_float32_can_hardly_tell_apart(tmp_path, rng, spread):
    vectors = 1 + spread * rng.standard_normal((3000, 5))
    with Atlas(tmp_path / "many.db") as atlas:
        atlas.add(
            *(TaskEmbedding(f"e{i}", "dataset", SPACE, vector, BLOCKS, f"c{i}") for i, vector in enumerate(vectors))
        )
        neighbours = Neighbours.of(SPACE, atlas.matrix())
        for place in (0, 1234, 2999):
            for k in (1, 10, 2998, 5000):
                target = neighbours.target(place)
                assert neighbours.nearest(target, k).to_dict() == all_of(neighbours, target, k, None)
