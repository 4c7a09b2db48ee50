"""Adds embeddings from..to to the atlas at a path, one commit each, and prints a name once it is committed.

With a fourth argument no file may grow beyond that many bytes, as on a full disk: an error is printed, then
whether the atlas still reads what it had.
"""

from __future__ import annotations

import resource
import sys

import numpy as np

from taskspace.atlas import Atlas
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import AtlasError

LENGTH = 20_000


def embedding(number):
    space = SpaceId("tiny", "r0", "w0", {}, "response", {}, "no pool", 3, 0)
    vector = np.random.default_rng(number).standard_normal(LENGTH, dtype=np.float32)
    return TaskEmbedding(f"e{number}", "dataset", space, vector, (("all", LENGTH),), f"c{number}")


def main(path, first, last, limit=None):
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    atlas = Atlas(path)
    print("open", flush=True)
    try:
        for number in range(first, last):
            atlas.add(embedding(number))
            print(f"e{number}", flush=True)
    except AtlasError as error:
        print(f"error: {error}")
        print(f"still there: {len(atlas)}", flush=True)
    atlas.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
