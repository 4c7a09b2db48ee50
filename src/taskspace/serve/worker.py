"""The process that embeds: opens a space once, then embeds what it is sent until nobody sends any more.

    python -P -m taskspace.serve.worker ATLAS

It reads frames on stdin and answers on stdout.  It writes nothing, neither to the atlas nor anywhere else.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from taskspace.atlas import Atlas
from taskspace.errors import TaskspaceError
from taskspace.serve import frames
from taskspace.serve.limits import Limits
from taskspace.serve.posted import task_of
from taskspace.task import Task

if TYPE_CHECKING:
    from taskspace.embedding import TaskEmbedding
    from taskspace.space import Space

_FIRST = Task(["one word", "two words", "three words", "no word"], ["a", "b", "a", "b"])
"""Whatever is the first in a space waits until weights are loaded and the pool is read: let it be nobody's."""

_KINDNESS = 5
"""Added to the niceness: answering goes before embedding."""


def main(path: str) -> None:
    """Answer each message until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches this process too
    os.nice(_KINDNESS)
    out = _own_stdout()
    waiting: SimpleQueue[tuple[dict[str, Any], bytes]] = SimpleQueue()
    threading.Thread(target=_listen, args=(waiting,), daemon=True).start()
    opened: dict[str, Space] = {}
    while True:
        out.write(frames.packed(_answer(path, opened, *waiting.get())))
        out.flush()


def _own_stdout() -> BinaryIO:
    """For answers alone: what a package prints goes to stderr."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


def _listen(waiting: SimpleQueue[tuple[dict[str, Any], bytes]]) -> None:
    """Leave as soon as the service is gone, however it went and whatever is being done here."""
    while True:
        try:
            waiting.put(frames.read(sys.stdin.buffer))
        except (EOFError, OSError):
            os._exit(0)


def _answer(path: str, opened: dict[str, Space], message: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The embedding, or the sentence that says why there is none; a fault goes to stderr."""
    try:
        space = opened.get(message["space"])
        if space is None:
            space = opened[message["space"]] = _opened(path, message["space"])
        if message["do"] == "open":
            return {}
        task = task_of(body, message["name"], Limits(**message["limits"]))
        return {"embedding": _plain(space.embed(task))}
    except TaskspaceError as error:
        return {"problem": str(error)}
    except Exception as error:
        traceback.print_tb(error.__traceback__)  # without its words, which may be those of the rows
        sys.stderr.write(f"{type(error).__name__} while embedding\n")
        return {"fault": True}


def _opened(path: str, fingerprint: str) -> Space:
    """The space, warm; the atlas is let go of at once."""
    with Atlas(path, create=False) as atlas:
        space = atlas.open_space(fingerprint)
    space.embed(_FIRST)
    return space


def _plain(embedding: TaskEmbedding) -> dict[str, Any]:
    return {
        "name": embedding.name, "kind": embedding.kind, "space": embedding.space.fingerprint,
        "content": embedding.content, "dims": len(embedding.vector), "informative": embedding.informative,
        "provenance": dict(embedding.provenance), "blocks": embedding.blocks, "vector": embedding.vector.tolist(),
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
