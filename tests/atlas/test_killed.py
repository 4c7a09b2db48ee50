from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from taskspace.atlas import Atlas

KILLER = Path(__file__).parent / "killer.py"
LENGTH = 3_000
ROUNDS = 10


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
@pytest.mark.parametrize("place", ["my.db", "my.lance"])
def test_what_two_killed_writers_said_was_committed_is_there(tmp_path, place):
    path = tmp_path / place
    ran = subprocess.run(
        [sys.executable, str(KILLER), str(path), str(ROUNDS), "0"], capture_output=True, text=True, timeout=300
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    rounds = ran.stdout.splitlines()
    committed = " ".join(rounds).split()
    assert len(rounds) == ROUNDS
    assert len(committed) > ROUNDS
    with Atlas(path, create=False) as atlas:
        assert atlas.check() == ""
        matrix = atlas.matrix()
        found = {row.name: vector for row, vector in zip(matrix.rows, matrix.vectors, strict=True)}
        assert len(found) == len(matrix.rows)
        assert set(committed) <= set(found)
        for (
            name,
            vector,
        ) in found.items():  # what was not told of may be there, but whole, and with all that came with it
            expected = np.random.default_rng(list(name.encode())).standard_normal(LENGTH, dtype=np.float32)
            np.testing.assert_array_equal(vector, expected)
            prefix, number, _ = name.rsplit("-", 2)
            assert {f"{prefix}-{number}-{i}" for i in range(3 if int(number) % 4 == 1 else 1)} <= set(found)
        atlas.add(atlas.get(committed[0]))
