"""How long does ``taskspace rank NAME`` take, as a process, on an atlas of 10,000 embeddings?

Seconds from starting the process to its exit: with no cached matrix (the first question after a write), with
it (every later one), and for ``taskspace --help``; against the floor that any such program stands on, a
Python that imports numpy and sqlite3 and does nothing.  The vectors are seeded random unit vectors as long as
those of ``response``; each answer is checked against plain numpy.

    python benchmarks/rank_10k.py          # minutes, most of them to write the atlas
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from _common import RESULTS, machine
from taskspace import Atlas, Pool, SpaceId, TaskEmbedding

FLOOR = "python -c 'import numpy, sqlite3'"
TASKSPACE = [sys.executable, "-m", "taskspace"]
TURNS = 5
BATCH = 500


def unit_vectors(rows: int, dims: int) -> np.ndarray:
    """float32[rows, dims]; normalised in place, a part at a time, since all of them are 330 MB."""
    vectors = np.random.default_rng(0).standard_normal((rows, dims), dtype=np.float32)
    for start in range(0, rows, BATCH):
        part = vectors[start : start + BATCH]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def build(path: Path, vectors: np.ndarray) -> float:
    """Write the atlas; seconds."""
    pool = Pool(["a text"])
    space = SpaceId("random", "none", "none", {}, "response", {}, pool.fingerprint, 1, 0)
    blocks = (("response", vectors.shape[1]),)
    began = time.perf_counter()
    with Atlas(path) as atlas:
        for start in range(0, len(vectors), BATCH):
            part = enumerate(vectors[start : start + BATCH], start)
            atlas.add(
                *(TaskEmbedding(f"e{i}", "dataset", space, v, blocks, f"c{i}", {"input_rows": 100}) for i, v in part)
            )
    return time.perf_counter() - began


def timed(command: list[str]) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, done.stdout


def check(answer: str, vectors: np.ndarray, target: int) -> None:
    """The ten nearest, as numpy has them."""
    cosines = vectors @ vectors[target]
    cosines[target] = -2
    hits = json.loads(answer)["hits"]
    assert [hit["name"] for hit in hits] == [f"e{i}" for i in np.argsort(-cosines)[:10]]
    np.testing.assert_allclose([hit["score"] for hit in hits], np.sort(cosines)[::-1][:10], atol=1e-5)


def measure(atlas: Path, home: Path, vectors: np.ndarray) -> dict[str, list[float]]:
    """All of them in turn, so that a busy moment of the machine falls on each alike."""
    seconds: dict[str, list[float]] = {FLOOR: [], "taskspace --help": [], "rank, first": [], "rank, again": []}
    for turn in range(TURNS):
        target = turn * len(vectors) // TURNS
        rank = [*TASKSPACE, "rank", f"e{target}", "--atlas", str(atlas), "--json"]
        seconds[FLOOR].append(timed([sys.executable, "-c", "import numpy, sqlite3"])[0])
        seconds["taskspace --help"].append(timed([*TASKSPACE, "--help"])[0])
        shutil.rmtree(home / "matrices", ignore_errors=True)
        for what in ("rank, first", "rank, again"):
            took, answer = timed(rank)
            check(answer, vectors, target)
            seconds[what].append(took)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dims", type=int, default=8_256)
    parser.add_argument("--out", type=Path, default=RESULTS / "rank_10k.json")
    args = parser.parse_args()
    vectors = unit_vectors(args.rows, args.dims)
    with tempfile.TemporaryDirectory(prefix="rank-10k-") as folder:
        home, atlas = Path(folder) / "home", Path(folder) / "atlas.db"
        os.environ["TASKSPACE_HOME"] = str(home)
        wrote = build(atlas, vectors)
        megabytes = atlas.stat().st_size / 1e6
        load = os.getloadavg()[0]
        seconds = measure(atlas, home, vectors)
    floor = float(np.median(seconds[FLOOR]))
    table = {
        what: {
            "median_s": round(float(np.median(times)), 3), "least_s": round(min(times), 3),
            "most_s": round(max(times), 3), "times_floor": round(float(np.median(times)) / floor, 1),
        }
        for what, times in seconds.items()
    }  # fmt: skip
    for what, row in table.items():
        print(
            f"{what:<34} {row['median_s']:>7.3f} s  ({row['least_s']:.3f} to {row['most_s']:.3f})"
            f"  {row['times_floor']:>5.1f}x"
        )
    result = {
        "rows": args.rows, "dims": args.dims, "atlas_mb": round(megabytes), "write_s": round(wrote, 1),
        "load_average": [round(load, 2), round(os.getloadavg()[0], 2)], "turns": TURNS, "table": table,
    }  # fmt: skip
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"command": command, "machine": machine(), **result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
