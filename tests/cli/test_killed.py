"""``embed`` killed at random moments: running it again ends with the atlas of an unbroken run."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass

import pytest

KILLS = 20
EACH = 4
"""Kills on one atlas before a run is let through."""

COLD = 3
"""So many of the kills come while text features are still being computed."""

SLOW = """
import time

def _slow(number):
    def answer(texts):
        time.sleep(0.1)
        return [str((len(text) + number) % 3) for text in texts]
    return answer

a, b, c, d = map(_slow, range(4))
"""


@dataclass
class Shelf:
    """The words of one and the same command."""

    words: list

    def start(self, atlas):
        command = [sys.executable, "-m", "taskspace", "embed", *map(str, self.words), "--atlas", str(atlas)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def whole(self, atlas):
        """An unbroken run: what it printed, and seconds."""
        begun = time.monotonic()
        running = self.start(atlas)
        out, err = running.communicate(timeout=300)
        assert running.returncode == 0, err
        return out, time.monotonic() - begun

    def cut(self, atlas, moment):
        """A run killed after so many seconds; False when it was done by then."""
        running = self.start(atlas)
        try:
            running.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            running.kill()
        out, err = running.communicate(timeout=60)
        assert running.returncode in (0, -signal.SIGKILL), err
        return running.returncode != 0


@pytest.fixture
def shelf(folder, tiny_encoder, make_tasks, mixed_pool, rows_of, write):
    from taskspace.data import write_pool

    names = []
    for seed in range(10):
        for name, task in make_tasks(rows=16, seed=seed).items():
            names.append(write(f"{name}-{seed}.jsonl", rows_of(task)).name)
    write_pool(mixed_pool, folder / "pool.jsonl")
    (folder / "slow.py").write_text(SLOW)
    models = [word for name in "abcd" for word in ("--labeler", f"python:slow.py:{name}")]
    return Shelf([*names, *models, "--surrogate", tiny_encoder, "--pool", "pool.jsonl"])


def held(atlas):
    """All that counts of an atlas: not when a row was added nor in which order."""
    with closing(sqlite3.connect(atlas)) as connection:
        spaces = connection.execute("SELECT fingerprint, identity, options, blocks FROM spaces").fetchall()
        pools = connection.execute("SELECT fingerprint, rows FROM pools").fetchall()
        entries = connection.execute(
            "SELECT name, kind, content, informative, provenance, vector, s.fingerprint"
            " FROM embeddings JOIN spaces AS s ON s.id = embeddings.space"
        ).fetchall()
    return {"spaces": set(spaces), "pools": set(pools), "entries": set(entries)}


def left_behind(atlas, place):
    """What a killed run left, looked at in a copy, so that the next run meets it untouched."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for path in atlas.parent.glob(f"{atlas.name}*"):
        shutil.copy(path, place / path.name)
    copy = place / atlas.name
    if not copy.exists():
        return {"entries": set()}
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        begun = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'embeddings'").fetchone()
    return held(copy) if begun else {"entries": set()}


@pytest.mark.slow
def test_killing_and_running_again_ends_with_the_atlas_of_an_unbroken_run(shelf, folder, monkeypatch):
    monkeypatch.setenv("TASKSPACE_HOME", str(folder / "one-home"))
    _, cold = shelf.whole(folder / "whole.db")
    whole = held(folder / "whole.db")
    assert len(whole["entries"]) == 54
    _, warm = shelf.whole(folder / "again.db")
    assert held(folder / "again.db") == whole

    monkeypatch.setenv("TASKSPACE_HOME", str(folder / "another-home"))
    rng = random.Random(20)
    early = spread(rng, 0.5, COLD, cold)  # while text features are being computed
    later = spread(rng, 0.2, KILLS - COLD, warm)  # while the atlas is being filled
    rounds = [early, *(later[i : i + EACH] for i in range(0, len(later), EACH))]
    counts: list[int] = []
    for number, moments in enumerate(rounds):
        atlas = folder / f"cut{number}.db"
        for moment in moments:
            atlas = cut_at(shelf, atlas, moment, whole, warm)
            found = left_behind(atlas, folder / "copy")
            assert found["entries"] <= whole["entries"]
            counts.append(len(found["entries"]))
        out, _ = shelf.whole(atlas)
        assert held(atlas) == whole
        assert out.count("kept ") == counts[-1]
    assert len(counts) == KILLS
    between = [count for count in counts if 0 < count < len(whole["entries"])]
    assert len(between) >= 5, counts
    assert len(set(between)) >= 3, counts


def cut_at(shelf, atlas, moment, whole, warm):
    """Kill a run on that atlas; where it ends before, as what is left to do grows shorter, on a fresh one, sooner."""
    for again in range(10):
        if shelf.cut(atlas, moment):
            return atlas
        assert held(atlas) == whole
        atlas, moment = atlas.with_name(f"{atlas.stem}-{again}.db"), 0.8 * min(moment, warm)
    pytest.fail("no run could be killed before its end")


def spread(rng, share, number, seconds):
    """Moments over the last part of a run, one in each stretch of it, in no order."""
    stretch = (1 - share) / number
    moments = [(share + (part + rng.random()) * stretch) * seconds for part in range(number)]
    rng.shuffle(moments)
    return moments
