"""Coordinates in which single texts and pairs stand side by side: whitened components of the pool's features."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskspace._files import replacing
from taskspace._home import home
from taskspace.embedding import RECIPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.surrogates import Surrogate
    from taskspace.task import Inputs

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The map x -> ((x / scale) - mean) @ directions, fitted so that the pool comes out white.

    ``scale`` float64[D] holds one number per block, ``directions`` float64[D, q].
    """

    scale: NDArray[np.float64]
    mean: NDArray[np.float64]
    directions: Matrix

    @property
    def size(self) -> int:
        """q, the number of coordinates."""
        return self.directions.shape[1]

    def of(self, raw: Matrix) -> Matrix:
        """float64[n, q] from what :func:`raw_features` gives."""
        return (raw / self.scale - self.mean) @ self.directions


def raw_features(surrogate: Surrogate, inputs: Inputs, *, progress: bool = False) -> Matrix:
    """float64[n, 3D]: what the row is about, and how its two texts relate.

    A pair (u, v) becomes [(u+v)/2, |u-v|, u*v] of the features of its two texts, encoded apart; a single
    text becomes [u, 0, 0].  Topic then lives in the first block and relation in the other two (ours).
    """
    seconds = [pair for pair in inputs.pairs if pair is not None]
    features = surrogate.features([*inputs.texts, *seconds], progress=progress).astype(np.float64)
    first, second = features[: len(inputs)], features[len(inputs) :]
    rows = np.flatnonzero(inputs.is_pair)
    out = np.zeros((len(inputs), 3 * features.shape[1]))
    about, gap, product = np.split(out, 3, axis=1)  # views
    about[:] = first
    about[rows] = (first[rows] + second) / 2
    gap[rows] = np.abs(first[rows] - second)
    product[rows] = first[rows] * second
    return out


def fit_coordinates(raw: Matrix, is_pair: NDArray[np.bool_], *, layers: int, components: int) -> Coordinates:
    """Scale each block of each layer to unit spread over the pool, then whiten along principal components.

    Relation blocks are scaled by the pool's pairs; in a pool without pairs they carry nothing.  At most
    ``components`` directions are kept, and none whose variance is lost in rounding.
    """
    scale = np.ones(raw.shape[1])
    blocks = np.split(np.arange(raw.shape[1]), 3 * layers)
    for number, columns in enumerate(blocks):
        rows = raw[:, columns] if number < layers else raw[np.ix_(is_pair, columns)]
        spread = np.sqrt(rows.var(axis=0).sum()) if len(rows) > 1 else 0.0
        scale[columns] = spread or 1.0
    scaled = raw / scale
    mean = scaled.mean(axis=0)
    variances, vectors = _principal(scaled - mean)
    keep = np.argsort(variances)[::-1][:components]
    keep = keep[variances[keep] > 1e-9 * variances.max(initial=0.0)]
    directions = np.zeros((raw.shape[1], len(keep)))
    directions[:] = vectors[:, keep] / np.sqrt(variances[keep])
    # An eigenvector's sign is arbitrary; fixing it keeps the numbers the same everywhere.
    strongest = np.abs(directions).argmax(axis=0)
    return Coordinates(scale, mean, directions * np.sign(directions[strongest, np.arange(len(keep))]))


def _principal(centred: Matrix) -> tuple[NDArray[np.float64], Matrix]:
    """Variances and unit directions; columns that never vary (relations, in a pool without pairs) cost nothing."""
    used = np.flatnonzero(np.ptp(centred, axis=0) > 0)
    part = centred[:, used]
    variances, vectors = np.linalg.eigh(part.T @ part / len(part))
    whole = np.zeros((centred.shape[1], len(used)))
    whole[used] = vectors
    return variances, whole


def cached(fit: Callable[[], Coordinates], key: Sequence[Any]) -> Coordinates:
    """Read the coordinates of this key from the cache, else fit and keep them; a damaged file is replaced."""
    name = hashlib.sha256(json.dumps([RECIPE, *key]).encode()).hexdigest()[:24]
    file = home() / "coordinates" / f"{name}.npz"
    unusable = contextlib.suppress(OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
    with unusable, file.open("rb") as opened, np.load(opened) as stored:
        return Coordinates(stored["scale"], stored["mean"], stored["directions"])
    made = fit()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as partial:
            np.savez(partial, scale=made.scale, mean=made.mean, directions=made.directions)
    return made
