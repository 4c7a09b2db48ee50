"""How long do add and near take, and what do they need, at 1,000 to 1,000,000 embeddings, in either store?

Each cell is a process of its own: SQLite and LanceDB through ``Atlas``; beside them plain numpy (the vectors in
memory, one matrix product), usearch (HNSW, and its exact search) and hnswlib, which keep no names, provenance or
durability and so stand for the limit.  ``read`` is the least an exact search can take on this machine: every byte of
the vectors read once, by all cores.  Vectors are seeded random unit vectors; recall@10 is against numpy.

    python benchmarks/store.py --work FOLDER                         # up to 100,000; a quarter of an hour
    python benchmarks/store.py --work FOLDER --sizes 1000000 --dims 2080 --engines sqlite lance numpy   # 9 GB a cell
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from _common import RESULTS, write
from taskspace import Atlas, Pool, SpaceId, TaskEmbedding

SIZES, DIMS = (1_000, 10_000, 100_000), (2080, 8256)
ENGINES = ("numpy", "sqlite", "lance", "usearch", "usearch exact", "hnswlib")
MOST = {"usearch": 20e7, "hnswlib": 20e7, "usearch exact": 90e7}
"""Numbers (rows x dims) beyond which building an index takes longer than this benchmark should."""
BATCH, K, QUESTIONS = 1000, 10, 20


def part(start: int, dims: int, rows: int) -> np.ndarray:
    """float32[BATCH, dims]: the unit vectors from ``start`` on; the same whoever asks."""
    found = np.random.default_rng([start, dims]).standard_normal((min(BATCH, rows - start), dims), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def parts(rows: int, dims: int):
    for start in range(0, rows, BATCH):
        yield start, part(start, dims, rows)


def asked(rows: int, dims: int) -> list[int]:
    return [int(place) for place in np.random.default_rng(7).integers(0, rows, QUESTIONS)]


def targets(rows: int, dims: int) -> np.ndarray:
    places = asked(rows, dims)
    return np.stack([part(at // BATCH * BATCH, dims, rows)[at % BATCH] for at in places])


def truth(rows: int, dims: int) -> list[list[int]]:
    """The ten nearest to each target but itself, by numpy, a part at a time."""
    wanted = targets(rows, dims)
    best = [np.zeros((0, 2)) for _ in wanted]
    for start, vectors in parts(rows, dims):
        cosines = vectors @ wanted.T
        for i, place in enumerate(asked(rows, dims)):
            mine = np.column_stack([cosines[:, i], np.arange(start, start + len(vectors))])
            mine = mine[mine[:, 1] != place]
            both = np.vstack([best[i], mine])
            best[i] = both[np.argsort(-both[:, 0], kind="stable")[:K]]
    return [[int(at) for at in each[:, 1]] for each in best]


class Stored:
    """An atlas: durable, named, with provenance."""

    def __init__(self, path: Path, rows: int, dims: int) -> None:
        self.path, self.rows, self.dims = path, rows, dims
        pool = Pool(["a text"])
        self.space = SpaceId("random", "none", "none", {}, "response", {}, pool.fingerprint, 1, 0)

    def add(self) -> None:
        blocks = (("response", self.dims),)
        with Atlas(self.path) as atlas:
            for start, vectors in parts(self.rows, self.dims):
                atlas.add(
                    *(
                        TaskEmbedding(f"e{i}", "dataset", self.space, v, blocks, f"c{i}", {"input_rows": 100})
                        for i, v in enumerate(vectors, start)
                    )
                )

    def open(self) -> None:
        self.atlas = Atlas(self.path, create=False)

    def near(self, place: int, vector: np.ndarray) -> list[int]:
        return [int(hit.name[1:]) for hit in self.atlas.near(f"e{place}", k=K)]

    @property
    def bytes(self) -> int:
        files = [self.path] if self.path.is_file() else self.path.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())


class InMemory:
    """Plain numpy: one matrix in memory."""

    def __init__(self, path: Path, rows: int, dims: int) -> None:
        self.rows, self.dims, self.bytes = rows, dims, 4 * rows * dims

    def add(self) -> None:
        self.vectors = np.empty((self.rows, self.dims), np.float32)
        for start, vectors in parts(self.rows, self.dims):
            self.vectors[start : start + len(vectors)] = vectors

    def open(self) -> None:
        pass

    def near(self, place: int, vector: np.ndarray) -> list[int]:
        cosines = self.vectors @ vector
        cosines[place] = -2
        top = np.argpartition(-cosines, K)[:K]
        return [int(at) for at in top[np.argsort(-cosines[top])]]


class Usearch(InMemory):
    """An approximate index in memory, with its usual settings; ``exact`` looks at all."""

    exact = False

    def add(self) -> None:
        from usearch.index import Index

        self.index = Index(ndim=self.dims, metric="ip", dtype="f32")
        for start, vectors in parts(self.rows, self.dims):
            self.index.add(np.arange(start, start + len(vectors)), vectors)

    def near(self, place: int, vector: np.ndarray) -> list[int]:
        found = self.index.search(vector, K + 1, exact=self.exact).keys
        return [int(key) for key in found if key != place][:K]


class UsearchExact(Usearch):
    exact = True

    def add(self) -> None:
        InMemory.add(self)

    def near(self, place: int, vector: np.ndarray) -> list[int]:
        from usearch.index import MetricKind, search

        found = search(self.vectors, vector, K + 1, MetricKind.IP, exact=True).keys
        return [int(key) for key in found if key != place][:K]


class Hnswlib(InMemory):
    def add(self) -> None:
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=self.dims)
        self.index.init_index(max_elements=self.rows)
        for start, vectors in parts(self.rows, self.dims):
            self.index.add_items(vectors, np.arange(start, start + len(vectors)))
        self.index.set_ef(100)

    def near(self, place: int, vector: np.ndarray) -> list[int]:
        found = self.index.knn_query(vector, K + 1)[0][0]
        return [int(key) for key in found if key != place][:K]


MADE = {"numpy": InMemory, "usearch": Usearch, "usearch exact": UsearchExact, "hnswlib": Hnswlib}


def one(engine: str, rows: int, dims: int, work: Path) -> dict:
    """Add, ask the first question in a state of nothing read, ask more; what that took."""
    path = work / ("atlas.db" if engine == "sqlite" else "atlas.lance")
    kept = engine in ("sqlite", "lance")
    store = (Stored if kept else MADE[engine])(path, rows, dims)
    began = time.perf_counter()
    if "--reopen" not in sys.argv:
        store.add()
        added = time.perf_counter() - began
        if kept:  # a process of its own asks, so that memory and the first question are those of a reader
            told = child(engine, rows, dims, work, "--reopen")
            return {**told, "add_s": added, "add_mb": peak(), "disk_mb": store.bytes / 1e6}
    else:
        added = 0.0
    seconds, found = [], []
    questions = list(zip(asked(rows, dims), targets(rows, dims), strict=True))
    began = time.perf_counter()
    store.open()
    for place, vector in questions:
        found.append(store.near(place, vector))
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
    right = truth(rows, dims)
    hits = [len(set(a) & set(b)) / len(b) for a, b in zip(found, right, strict=True)]
    return {
        "add_s": added, "first_s": seconds[0], "near_ms": 1e3 * float(np.median(seconds[1:])),
        "near_worst_ms": 1e3 * max(seconds[1:]), "near_mb": peak(), "disk_mb": store.bytes / 1e6,
        "recall": float(np.mean(hits)),
    }  # fmt: skip


def read_limit(rows: int, dims: int) -> dict:
    """Milliseconds to read every vector once, on all cores, and gigabytes a second."""
    vectors = np.ones((rows, dims), np.float32).reshape(-1)
    halves = np.array_split(vectors, os.cpu_count() or 1)
    with ThreadPoolExecutor(len(halves)) as pool:
        seconds = []
        for _ in range(7):
            began = time.perf_counter()
            list(pool.map(lambda half: float(half.sum()), halves))
            seconds.append(time.perf_counter() - began)
    least = min(seconds)
    return {"near_ms": 1e3 * least, "gb_per_s": vectors.nbytes / least / 1e9}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def child(engine: str, rows: int, dims: int, work: Path, *more: str) -> dict:
    words = [sys.executable, __file__, "--one", engine, str(rows), str(dims), "--work", str(work), *more]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def cells(engines: list[str], sizes: list[int], dims: list[int]):
    for width in dims:
        for rows in sizes:
            for engine in ("read", *engines):
                if rows * width <= MOST.get(engine, np.inf):
                    yield engine, rows, width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--dims", type=int, nargs="*", default=list(DIMS))
    parser.add_argument("--engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--one", nargs=3, metavar=("ENGINE", "ROWS", "DIMS"))
    parser.add_argument("--reopen", action="store_true")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    os.environ["TASKSPACE_HOME"] = str(given.work / "home")
    if given.one:
        engine, rows, dims = given.one[0], int(given.one[1]), int(given.one[2])
        print(json.dumps(read_limit(rows, dims) if engine == "read" else one(engine, rows, dims, given.work)))
        return
    kept = RESULTS / "store.json"
    found = json.loads(kept.read_text())["cells"] if kept.exists() else []
    for engine, rows, dims in cells(given.engines, given.sizes, given.dims):
        if any((cell["engine"], cell["rows"], cell["dims"]) == (engine, rows, dims) for cell in found):
            continue
        told = child(engine, rows, dims, given.work)
        found.append({"engine": engine, "rows": rows, "dims": dims, **{k: round(v, 4) for k, v in told.items()}})
        print(found[-1], flush=True)
        write("store", {"k": K, "questions": QUESTIONS, "batch": BATCH, "cells": found})
        for path in given.work.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
