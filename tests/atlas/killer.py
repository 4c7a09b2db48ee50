"""Starts two writers and kills them at a random moment, again and again; prints what they said was committed.

They are forked from here, where everything is imported but nothing was opened, so that a round takes a moment.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
import traceback
import warnings

import numpy as np

from taskspace.atlas import Atlas
from taskspace.embedding import SpaceId, TaskEmbedding

LENGTH = 3_000


def vector_of(name):
    return np.random.default_rng(list(name.encode())).standard_normal(LENGTH, dtype=np.float32)


def embedding(name):
    space = SpaceId("tiny", "r0", "w0", {}, "response", {}, "no pool", 3, 0)
    return TaskEmbedding(name, "dataset", space, vector_of(name), (("all", LENGTH),), f"c{name}")


def write(path, prefix, out):
    """One commit after the other until it is killed, of one embedding or three; each is told once it is done."""
    with Atlas(path) as atlas:
        for number in itertools.count():
            names = [f"{prefix}-{number}-{i}" for i in range(3 if number % 4 == 1 else 1)]
            atlas.add(*map(embedding, [*names, *([f"{prefix}-0-0"] if number % 4 == 2 else [])]))
            os.write(out, f"{' '.join(names)}\n".encode())


def start(path, prefix):
    read, out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            write(path, prefix, out)
        except BaseException:  # told by the parent's stderr
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)
    os.close(out)
    return child, os.fdopen(read)


def main(path, rounds, seed):
    rng = random.Random(seed)
    if path.endswith(".lance"):
        import lancedb  # noqa: F401
    warnings.simplefilter("ignore", RuntimeWarning)  # of lancedb at a fork: nothing is under way that could hang
    for turn in range(rounds):
        writers = [start(path, f"r{turn}w{w}") for w in range(2)]
        told = [writers[0][1].readline() for _ in range(rng.randrange(4))]
        time.sleep(rng.uniform(0, 0.1))
        for child, _ in writers:
            os.kill(child, signal.SIGKILL)
        for child, lines in writers:
            told += lines.readlines()
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        print(" ".join(name for line in told if line.endswith("\n") for name in line.split()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
