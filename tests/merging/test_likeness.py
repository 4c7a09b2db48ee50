from __future__ import annotations

import numpy as np
import pytest

from taskspace.merging import TaskVector
from taskspace.merging.coefficients import by_norm, coefficients, lasso
from taskspace.merging.likeness import (
    cosines,
    gram,
    interference,
    mask_overlap,
    shapes,
    sign_conflict,
    subspace_overlap,
)


def vector(**tensors):
    return TaskVector.from_arrays({name: np.asarray(values, np.float32) for name, values in tensors.items()})


def test_cosines_are_those_of_the_flattened_vectors(vectors):
    flat = [np.concatenate(_flat(v)) for v in vectors]
    unit = [f / np.linalg.norm(f) for f in flat]
    np.testing.assert_allclose(cosines(vectors), np.array(unit) @ np.array(unit).T, atol=1e-6)


def _flat(v):
    from taskspace.merging.methods import Inputs

    inputs = Inputs((v.carrier,), (1.0,))
    return [inputs.tensors(name)[0].astype(float).ravel() for name in v.layout]


def test_mask_overlap_by_hand():
    one, two = vector(w=[9, 8, 0, 1]), vector(w=[0, 7, 6, 1])
    assert mask_overlap(one, two, density=0.5) == pytest.approx(1 / 3)
    assert mask_overlap(one, one, density=0.5) == 1


def test_sign_conflict_by_hand():
    assert sign_conflict(vector(w=[1, -1, 2, 0]), vector(w=[1, 1, -2, 5])) == pytest.approx(2 / 3)


def test_subspaces_that_are_one_or_apart():
    generator = np.random.default_rng(0)
    basis = np.linalg.qr(generator.standard_normal((12, 12)))[0]
    one = vector(w=basis[:, :3] @ generator.standard_normal((3, 7)))
    same = vector(w=basis[:, :3] @ generator.standard_normal((3, 7)))
    apart = vector(w=basis[:, 3:6] @ generator.standard_normal((3, 7)))
    assert subspace_overlap(one, same, rank=3)["w"] == pytest.approx(1, abs=1e-5)
    assert subspace_overlap(one, apart, rank=3)["w"] == pytest.approx(0, abs=1e-5)


def test_interference_is_none_between_orthogonal_tasks():
    generator = np.random.default_rng(0)
    left, right = (np.linalg.qr(generator.standard_normal((8, 8)))[0] for _ in range(2))
    apart = [vector(w=left[:, i : i + 2] @ right[:, i : i + 2].T) for i in (0, 2)]
    assert interference(apart, rank=2)["w"] == pytest.approx(0, abs=1e-4)
    both = vector(w=np.outer(left[:, 0], right[:, 0]))
    # U = [u, u] and V = [v, v] with s = 1: U'U - I = V'V - I has 1 off the diagonal, so the product is the identity.
    assert interference([both, both], rank=1)["w"] == pytest.approx(2, abs=1e-4)


def test_shapes_of_known_matrices():
    found = shapes(vector(w=np.diag([2.0, 2.0, 0.0]), v=np.ones(3)))
    assert set(found) == {"w"}
    assert found["w"].effective_rank == pytest.approx(2)
    assert found["w"].norm == pytest.approx(8**0.5)
    assert found["w"].sparsity == pytest.approx(7 / 9)


def test_weights_by_norm():
    assert by_norm([vector(w=[3.0, 0]), vector(w=[0, 1.0])]) == pytest.approx((0.9, 0.1))
    assert coefficients([vector(w=[1.0])] * 2, "equal") == (1, 1)


def test_lasso_against_scikit_learn():
    from sklearn.linear_model import Lasso

    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((40, 4))
    target = matrix @ [1.0, 0.0, -2.0, 0.0] + 0.1 * generator.standard_normal(40)
    vectors = [vector(w=column) for column in matrix.T]
    penalty = 8.0
    # scikit-learn divides the squares by 2n.
    wanted = Lasso(alpha=penalty / 80, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(matrix, target)
    np.testing.assert_allclose(lasso(vectors, vector(w=target), penalty), wanted.coef_, atol=1e-4)
    assert 0.0 in lasso(vectors, vector(w=target), 30.0)


def low(seed, rank, shape=(12, 9)):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((shape[0], rank)) @ generator.standard_normal((rank, shape[1]))


def test_directions_that_a_matrix_has_not_are_not_counted():
    one, two = vector(w=low(1, 2)), vector(w=low(2, 3))
    u, v = (np.linalg.svd(low(seed, rank))[0][:, :rank] for seed, rank in ((1, 2), (2, 3)))
    assert subspace_overlap(one, two, rank=8)["w"] == pytest.approx(np.sum((u.T @ v) ** 2) / 2, abs=1e-5)
    assert subspace_overlap(one, one, rank=8)["w"] == pytest.approx(1, abs=1e-5)
    assert interference([one, two], rank=8)["w"] == pytest.approx(_literal_interference([(1, 2), (2, 3)]), rel=1e-3)


def _literal_interference(parts):
    found = [(np.linalg.svd(low(seed, rank), full_matrices=False), rank) for seed, rank in parts]
    u = np.hstack([u[:, :rank] for (u, _, _), rank in found])
    s = np.hstack([s[:rank] for (_, s, _), rank in found])
    v = np.hstack([vt[:rank].T for (_, _, vt), rank in found])
    own = np.eye(len(s))
    return np.abs((u.T @ u - own) @ np.diag(s) @ (v.T @ v - own)).sum()


def test_a_tensor_that_one_does_not_name_meets_nothing():
    one, two = vector(w=low(1, 9), v=low(3, 2)), vector(w=low(2, 9))
    assert subspace_overlap(one, two)["v"] == 0
    assert interference([one, two])["v"] == pytest.approx(0, abs=1e-4)
    assert subspace_overlap(two, two - two + 0 * one)["w"] == 0


def test_inner_products_are_taken_once_for_all_who_ask(vectors):
    found = gram(vectors)
    assert np.array_equal(found, found.T)
    np.testing.assert_allclose(found, [[one @ two for two in vectors] for one in vectors], rtol=1e-12)
