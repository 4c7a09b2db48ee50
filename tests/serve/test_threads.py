"""Threads that answer, and end with the process whatever they are at."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from taskspace.serve.threads import Thinkers

UNDER_WAY = """
import asyncio, threading
from taskspace.atlas import Atlas
from taskspace.serve import Limits
from taskspace.serve.library import Library

began = threading.Event()

def forever():
    began.set()
    threading.Event().wait()

async def served(library):
    asking = [
        asyncio.ensure_future(library.once("a ranking", forever)),
        asyncio.ensure_future(library.alone("a map", forever)),
    ]
    await asyncio.to_thread(began.wait)
    library.close()

with Atlas("my.db") as atlas:
    asyncio.run(served(Library(atlas, Limits())))
print("ended")
"""


def test_nobody_waits_at_the_end_for_what_is_under_way(tmp_path):
    """As at Ctrl-C, when the service ends while a map of minutes is made."""
    done = subprocess.run([sys.executable, "-c", UNDER_WAY], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("ended", 0), done.stderr


def test_each_question_is_answered_by_one_of_so_many_threads():
    async def story():
        thinkers = Thinkers(2, "t")
        both = threading.Barrier(2, timeout=30)
        first = await asyncio.gather(*(thinkers.do(both.wait) for _ in range(2)))
        names = {await thinkers.do(lambda: threading.current_thread().name) for _ in range(20)}
        total = await thinkers.do(sum, [1, 2, 3])
        thinkers.close()
        return sorted(first), names, total

    assert asyncio.run(story()) == ([0, 1], {"t-0", "t-1"}, 6)


def test_what_goes_wrong_is_raised_where_it_was_asked():
    async def story():
        thinkers = Thinkers(1, "t")
        with pytest.raises(ZeroDivisionError):
            await thinkers.do(lambda: 1 / 0)
        assert await thinkers.do(lambda: "goes on") == "goes on"
        thinkers.close()

    asyncio.run(story())


def test_what_has_not_begun_is_let_go_of_at_the_end():
    async def story():
        thinkers, began, go_on = Thinkers(1, "t"), threading.Event(), threading.Event()
        first = asyncio.ensure_future(thinkers.do(lambda: (began.set(), go_on.wait(30))))
        second = asyncio.ensure_future(thinkers.do(lambda: "never"))
        await asyncio.to_thread(began.wait, 30)
        thinkers.close()
        go_on.set()
        assert (await first)[1]
        with pytest.raises(asyncio.CancelledError):
            await second
        with pytest.raises(RuntimeError, match="ended"):
            await thinkers.do(lambda: "too late")

    asyncio.run(story())
