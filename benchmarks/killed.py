"""Is anything lost when writers and the server are killed with ``kill -9`` at random moments?

Each round starts two writers on one atlas, and ``taskspace serve`` with a client beside them, waits until a random
number of commits was acknowledged and a random moment longer, and kills them.  Some rounds kill before anything was
opened, some while the atlas is being made.  After each round the atlas is opened: it must be sound, hold everything
that was acknowledged in any round, and everything whole: no vector but the one that its name stands for, no commit of
three embeddings with two of them there.

    python benchmarks/killed.py                      # 50 rounds for each engine, 20 minutes on two cores
    python benchmarks/killed.py --engine lance       # one of them; the other's figures stay in the result file
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np

from _common import RESULTS, machine
from taskspace import Atlas, SpaceId, TaskEmbedding

DIMS = 2_080
ENGINES = {"sqlite": "atlas.db", "lance": "atlas.lance"}
SPACE = SpaceId("random", "none", "none", {}, "response", {}, "none", 1, 0)


def vector_of(name: str) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).standard_normal(DIMS, dtype=np.float32)


def size_of(commit: int) -> int:
    """Every fourth commit is of three embeddings."""
    return 3 if commit % 4 == 1 else 1


def write(path: str, prefix: str) -> None:
    """One commit after the other, each acknowledged on stdout once it is done, with short pauses as between tasks."""
    rng = random.Random(prefix)
    with Atlas(path) as atlas:
        for commit in range(10_000):
            names = [f"{prefix}-{commit}-{i}" for i in range(size_of(commit))]
            atlas.add(*(TaskEmbedding(n, "dataset", SPACE, vector_of(n), (("all", DIMS),), f"c{n}") for n in names))
            print(*names, flush=True)
            time.sleep(rng.uniform(0, 0.02))


class Acknowledged:
    """What writers said was committed, read as they say it."""

    def __init__(self, writers: list[subprocess.Popen[str]]) -> None:
        self.commits: list[list[str]] = []
        self._threads = [threading.Thread(target=self._read, args=(writer,)) for writer in writers]
        for thread in self._threads:
            thread.start()

    def _read(self, writer: subprocess.Popen[str]) -> None:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line.endswith("\n"):
                self.commits.append(line.split())

    def wait(self, count: int, patience: float = 120) -> None:
        until = time.monotonic() + patience
        while len(self.commits) < count and time.monotonic() < until:
            time.sleep(0.01)

    def rest(self) -> list[list[str]]:
        """All of it, once the writers are dead."""
        for thread in self._threads:
            thread.join()
        return self.commits


class Client:
    """Asks the server, once it is up, for as long as it lives."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self.answers = 0
        self._thread = threading.Thread(target=self._ask, args=(server,))
        self._thread.start()

    def _ask(self, server: subprocess.Popen[str]) -> None:
        said = ""
        while not said.endswith("}\n"):
            line = server.stdout.readline() if server.stdout else ""
            if not line:
                return
            said += line
        url = json.loads(said)["url"]
        with contextlib.suppress(OSError, http.client.HTTPException):
            while server.poll() is None:
                with urllib.request.urlopen(f"{url}/v1/{('health', 'tasks', 'transfers')[self.answers % 3]}") as answer:
                    json.load(answer)
                self.answers += 1

    def wait(self, count: int, patience: float = 120) -> None:
        until = time.monotonic() + patience
        while self.answers < count and time.monotonic() < until:
            time.sleep(0.01)

    def rest(self) -> int:
        """How many answers came, once the server is dead."""
        self._thread.join()
        return self.answers


def round_of(path: Path, turn: int, rng: random.Random) -> tuple[list[list[str]], int]:
    """What was acknowledged, and how many answers the server gave."""
    start = [sys.executable, __file__, "--write", str(path)]
    writers = [subprocess.Popen([*start, f"r{turn}w{w}"], stdout=subprocess.PIPE, text=True) for w in range(2)]
    told = Acknowledged(writers)
    processes = list(writers)
    client = None
    if turn:  # before that there is no atlas to serve
        serve = [sys.executable, "-m", "taskspace", "serve", "--atlas", str(path), "--port", "0", "--json"]
        processes.append(subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        client = Client(processes[-1])
    if rng.random() < 0.2:
        time.sleep(rng.uniform(0, 6))  # anywhere between starting and the first commits
    else:
        told.wait(rng.randrange(1, 25))
        if client is not None:
            client.wait(rng.randrange(1, 20))
        time.sleep(rng.uniform(0, 0.5))
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
    return told.rest(), client.rest() if client else 0


def lost(path: Path, acknowledged: set[str]) -> tuple[int, int]:
    """How many acknowledged embeddings are gone or not whole, and how many are there."""
    with Atlas(path, create=False) as atlas:
        problems = atlas.check()
        assert not problems, problems
        if not atlas.spaces():
            return len(acknowledged), 0
        matrix = atlas.matrix()
        found = {row.name: vector for row, vector in zip(matrix.rows, matrix.vectors, strict=True)}
        gone = len(acknowledged - found.keys())
        for name, vector in found.items():
            prefix, commit, _ = name.rsplit("-", 2)
            together = {f"{prefix}-{commit}-{i}" for i in range(size_of(int(commit)))}
            gone += not (np.array_equal(vector, vector_of(name)) and together <= found.keys())
        return gone, len(found)


def measure(path: Path, rounds: int, seed: int) -> dict[str, int | float]:
    rng = random.Random(seed)
    acknowledged: set[str] = set()
    began = time.perf_counter()
    answers = up = held = opened = gone = 0
    for turn in range(rounds):
        commits, answered = round_of(path, turn, rng)
        acknowledged.update(name for commit in commits for name in commit)
        answers, up = answers + answered, up + bool(answered)
        if path.exists() and acknowledged:
            gone, held = lost(path, acknowledged)
            opened += 1
        print(f"{path.name}  round {turn + 1}: {len(acknowledged)} acknowledged, {gone} lost", flush=True)
        assert not gone
    return {
        "rounds": rounds, "opened_and_sound": opened, "rounds_with_the_server_up": up, "answers": answers,
        "acknowledged": len(acknowledged), "there": held, "lost": gone, "seconds": round(time.perf_counter() - began),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--out", type=Path, default=RESULTS / "killed.json")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write:
        write(*args.write)
        return
    done = json.loads(args.out.read_text())["table"] if args.out.is_file() else {}
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        os.environ["TASKSPACE_HOME"] = str(Path(folder) / "home")
        for engine in args.engine or ENGINES:
            done[engine] = measure(Path(folder) / ENGINES[engine], args.rounds, args.seed)
    result = {"seed": args.seed, "dims": DIMS, "load_average": os.getloadavg(), "table": done}
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    args.out.write_text(json.dumps({"command": command, "machine": machine(), **result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
