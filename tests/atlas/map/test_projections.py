from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.atlas.map import _projections, map_of
from taskspace.atlas.map._directions import Directions
from taskspace.atlas.map._projections import _neighbours, _reduced
from taskspace.errors import MissingExtra, SettingError


def stress(points, far):
    """Half the sum of squared differences between distances on the map and distances that were asked for."""
    drawn = np.linalg.norm(points[:, None].astype(float) - points[None].astype(float), axis=-1)
    return ((drawn - far) ** 2).sum() / 4


def test_mds_lowers_the_stress_of_the_best_scaled_pca(matrix_of, cosines_of, rng):
    pytest.importorskip("sklearn")
    vectors = rng.standard_normal((40, 12))
    far = 1 - cosines_of(vectors)
    chart, flat = map_of(matrix_of(vectors), method="mds"), map_of(matrix_of(vectors))
    scaled = min(stress(flat.points * scale, far) for scale in np.linspace(0.2, 2.5, 200))
    assert stress(chart.points, far) < scaled
    assert (chart.method, chart.explained) == ("mds", None)
    np.testing.assert_allclose(chart.points.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_array_equal(chart.points, map_of(matrix_of(vectors), method="mds").points)


def test_mds_of_too_many_points_is_refused(matrix_of, rng, monkeypatch, one_sentence):
    monkeypatch.setattr(_projections, "MOST_FOR_MDS", 10)
    with pytest.raises(SettingError, match="at most 10 points, not 11; choose pca or umap") as refused:
        map_of(matrix_of(rng.standard_normal((11, 3))), method="mds")
    assert one_sentence(refused.value)


UMAP = """
import json, sys, warnings
import numpy as np
import umap

warnings.simplefilter("error")
from taskspace.atlas import Matrix
from taskspace.atlas.map import map_of
from taskspace.ranking import block_norms
from types import SimpleNamespace

vectors, blocks = np.load(sys.argv[1]), (("all", 20),)
rows = [SimpleNamespace(name=f"r{i}", kind="dataset", informative=True) for i in range(len(vectors))]
matrix = Matrix("g", blocks, rows, vectors, block_norms(vectors, blocks))
chart, again = (map_of(matrix, method="umap", seed=3) for _ in range(2))
assert (chart.points == again.points).all()
print(json.dumps(chart.to_dict()))
"""


def test_umap_keeps_groups_apart_and_says_the_same_again(groups, elsewhere, tmp_path, monkeypatch):
    """In a process that interprets what numba would take half a minute to compile."""
    pytest.importorskip("umap")
    vectors, label = groups([6, 8, 6], noise=0.1)
    np.save(tmp_path / "vectors.npy", vectors)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    chart = json.loads(elsewhere(UMAP, tmp_path / "vectors.npy"))
    assert (chart["method"], chart["explained"]) == ("umap", None)
    assert chart["kept"] > 1.5 * chart["chance"]
    points = np.array([chart["x"], chart["y"]]).T
    middles = np.array([points[label == group].mean(axis=0) for group in range(3)])
    nearest = np.linalg.norm(points[:, None] - middles, axis=-1).argmin(axis=1)
    assert nearest.tolist() == label.tolist()


def test_umap_is_given_the_nearest_by_cosine_each_point_itself_first(matrix_of, cosines_of, rng):
    vectors = rng.standard_normal((30, 6))
    places, far, _ = _neighbours(Directions(matrix_of(vectors), np.arange(30)), 5)
    cosines = cosines_of(vectors)
    assert places.tolist() == np.argsort(-cosines, axis=1)[:, :5].tolist()
    np.testing.assert_allclose(far, 1 - np.sort(cosines, axis=1)[:, ::-1][:, :5], atol=1e-6)
    assert (far[:, 0] == 0).all()


def test_what_umap_is_given_of_many_long_rows_keeps_their_cosines(matrix_of, rng):
    vectors = rng.standard_normal((700, 20)) @ rng.standard_normal((20, 300))
    directions = Directions(matrix_of(vectors), np.arange(700))
    rows, reduced = directions.rows(), _reduced(directions, 0)
    assert reduced.shape == (700, 64)
    off = reduced @ reduced.T - rows @ rows.T
    assert np.abs(off - off.mean()).max() < 1e-3  # but for one number, the part of the mean that no axis holds


@pytest.mark.parametrize("method", ["pca", "mds", "umap"])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_up_to_three_points_lie_in_a_plane(matrix_of, method, count):
    chart = map_of(matrix_of(np.eye(5)[:count]), method=method)
    assert chart.method == "pca"
    assert chart.points.shape == (count, 2)
    drawn = np.linalg.norm(chart.points[:, None] - chart.points[None], axis=-1)
    np.testing.assert_allclose(drawn, np.sqrt(2) * (1 - np.eye(count)), atol=1e-6)


def test_an_unknown_method(matrix_of, one_sentence):
    with pytest.raises(SettingError, match="no projection 'tsne'") as refused:
        map_of(matrix_of(np.eye(3)), method="tsne")
    assert one_sentence(refused.value)


@pytest.mark.parametrize(("method", "module", "extra"), [("mds", "sklearn", "sklearn"), ("umap", "umap", "umap")])
def test_a_missing_package_is_named_with_its_extra(matrix_of, rng, monkeypatch, method, module, extra):
    monkeypatch.setitem(__import__("sys").modules, f"{module}.manifold" if module == "sklearn" else module, None)
    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=rf"taskspace\[{extra}\]"):
        map_of(matrix_of(rng.standard_normal((9, 4))), method=method)
