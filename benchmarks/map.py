"""How long does a map take, and how much memory beside the matrix itself?

Seeded synthetic vectors as long as those of ``response`` (8,256 numbers): directions around twelve middles of unequal
weight, with noise in every dimension.  One process per row, so that the largest resident size is that row's own.
Seconds on the clock and of the processor, memory beyond what the process held once the matrix was made, and how far
the two axes are from those of an exact decomposition where one can be had (the angle between the planes, in degrees).

    python benchmarks/map.py          # some minutes; 6 GB of memory
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np

from _common import write
from taskspace.atlas import Matrix
from taskspace.atlas.map import map_of
from taskspace.atlas.map._directions import Directions
from taskspace.atlas.map._principal import principal
from taskspace.ranking import block_norms

ROWS = [("pca", 30), ("pca", 3_000), ("pca", 100_000), ("mds", 1_000), ("umap", 3_000)]
EXACT_UP_TO = 3_000


def made(count: int, dims: int) -> Matrix:
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((12, dims), dtype=np.float32) / np.float32(np.sqrt(dims))
    weight = 1 / np.arange(1, 13)
    group = rng.choice(12, count, p=weight / weight.sum())
    vectors = np.empty((count, dims), dtype=np.float32)
    for start in range(0, count, 1000):
        part = slice(start, min(start + 1000, count))
        noise = rng.standard_normal(vectors[part].shape, dtype=np.float32) / np.float32(np.sqrt(dims))
        vectors[part] = middles[group[part]] + noise * rng.uniform(0.3, 1.5, (len(noise), 1)).astype(np.float32)
    blocks = (("response", dims),)
    rows = [SimpleNamespace(name=f"e{i}", kind="dataset", informative=True) for i in range(count)]
    return Matrix("synthetic", blocks, rows, vectors, block_norms(vectors, blocks))


def degrees_off(matrix: Matrix) -> float | None:
    """The largest angle between the plane that was found and the one of numpy's decomposition."""
    if len(matrix.rows) > EXACT_UP_TO:
        return None
    directions = Directions(matrix, np.arange(len(matrix.rows)))
    rows = directions.rows().astype(np.float64)
    rows -= rows.mean(axis=0)
    _, turns = np.linalg.eigh(rows @ rows.T)
    axes = np.linalg.qr(rows.T @ turns[:, -2:])[0]
    least = np.linalg.svd(axes.T @ principal(directions).axes)[1].min()
    return round(float(np.degrees(np.arccos(min(least, 1.0)))), 4)


def measured(method: str, count: int, dims: int) -> dict:
    matrix = made(count, dims)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock, processor = time.perf_counter(), time.process_time()
    chart = map_of(matrix, method=method)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    return {
        "method": method, "rows": count, "dims": dims, "matrix_mb": round(matrix.vectors.nbytes / 1e6),
        "seconds": round(clock, 1), "processor_s": round(processor, 1), "more_mb": round(more / 1e3),
        "families": len(chart.families), "kept": chart.kept, "chance": chart.chance,
        "degrees_off": degrees_off(matrix) if method == "pca" else None,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", type=int, default=8_256)
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "ROWS"), help="measure one row in this process")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measured(args.one[0], int(args.one[1]), args.dims)))
        return
    load, table = os.getloadavg()[0], []
    for method, count in ROWS:
        command = [sys.executable, __file__, "--one", method, str(count), "--dims", str(args.dims)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        table.append(json.loads(done.stdout))
        row = table[-1]
        print(
            f"{method:<5} {count:>8,}  {row['seconds']:>7.1f} s  {row['processor_s']:>7.1f} s  +{row['more_mb']:>5} MB"
        )
    threads = os.environ.get("OMP_NUM_THREADS")
    write("map", {"threads": threads, "load_average": [round(load, 2), round(os.getloadavg()[0], 2)], "table": table})


if __name__ == "__main__":
    main()
