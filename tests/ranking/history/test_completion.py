from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.history import Row, Transfers, complete, standardised

NAN = np.nan


@pytest.fixture
def sparse_rows():
    """Every column at -1 and 1 by hand; a was not measured on w, nor c on u and v."""
    scores = {"u": {"a": 1, "b": 3}, "v": {"a": 7, "b": 5}, "w": {"b": 0, "c": 2}}
    return Transfers.of([Row(s, t, score) for t, row in scores.items() for s, score in row.items()])


def test_by_hand(sparse_rows):
    like = np.array([[1, 0, 0], [0, 1, 0], [2.0, 1.0, 1]])  # w is more like u than like v
    even = 2 / np.log(3)  # of two tasks the nearer one weighs three times as much
    found = complete(sparse_rows, like, bandwidth=even)
    # a on w: 3/4 of its -1 on u, 1/4 of its 1 on v.  c was measured on w only.
    np.testing.assert_allclose(found, [[-1, 1, -0.5], [1, -1, -1], [1, 1, 1]])


def test_sources_alike_are_the_second_view(sparse_rows):
    targets = np.array([[1, 0, 0], [0, 1, 0], [2.0, 1.0, 1]])
    sources = np.array([[1, 2, 1], [0, 1, 0], [1.0, 2.0, 1]])  # a and c are both more like b than each other
    found = complete(sparse_rows, targets, sources, bandwidth=2 / np.log(3))
    # a on w: -0.5 by targets; by sources 3/4 of b's -1 and 1/4 of c's 1, again -0.5.
    # c on u: 1 by targets; by sources 3/4 of b's 1 and 1/4 of a's -1, 0.5.  On v: 1, and -0.5.
    np.testing.assert_allclose(found, [[-1, 1, -0.5], [1, -1, -1], [0.75, 0.25, 1]])


def test_what_was_measured_stays_and_nothing_is_left_open(sparse):
    table = sparse(7)
    known = standardised(table.benefit, table.self_cells)
    found = complete(table, np.eye(6), np.eye(6))
    np.testing.assert_array_equal(found[~np.isnan(known)], known[~np.isnan(known)])
    assert not np.isnan(found).any()
    assert complete(Transfers.of([]), np.zeros((0, 0))).shape == (0, 0)


def test_finds_the_cells_of_a_table_with_structure():
    """Benefit by the distance of two tasks on a line, a third of the cells hidden."""
    rng = np.random.default_rng(0)
    place = np.linspace(0, 1, 12)
    near = -np.abs(place[:, None] - place)
    names = tuple("abcdefghijkl")
    truth = Transfers(names, names, near[..., None], np.full((12, 1), NAN))
    hidden = rng.random(near.shape) < 0.35
    found = complete(replace(truth, scores=np.where(hidden, NAN, near)[..., None]), near, near)
    expected = standardised(near, truth.self_cells)
    assert np.corrcoef(found[hidden], expected[hidden])[0, 1] > 0.9


def test_what_does_not_fit_is_said(sparse_rows):
    with pytest.raises(DataError, match=r"similarities of shape \(2, 2\) among 3 targets do not fit"):
        complete(sparse_rows, np.eye(2))
    with pytest.raises(DataError, match="among 3 sources do not fit or are infinite"):
        complete(sparse_rows, np.eye(3), np.full((3, 3), np.inf))
