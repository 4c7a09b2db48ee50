"""The command line: one file per verb, each a thin call of a public function."""

from __future__ import annotations

import re
import sys
import warnings
from contextlib import contextmanager
from errno import ENAMETOOLONG, ENOSPC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator


def main() -> None:
    """Run ``taskspace``.  Exit code 0: done; 2: the user can mend it, one sentence; 1: a bug."""
    from taskspace.cli._endings import ended_early
    from taskspace.errors import TaskspaceError

    debug = "--debug" in sys.argv
    argv = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        with ended_early(), _plain_notes(), _tracing(debug):
            code = _run(argv)
        raise SystemExit(code)
    except TaskspaceError as error:
        sys.stderr.write(f"taskspace: {error}\n")
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno not in (ENAMETOOLONG, ENOSPC):
            raise
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
        sys.stderr.write(f"taskspace: {what}; say a shorter name or free some space, what was stored before is safe\n")
        raise SystemExit(2) from None


def _run(argv: list[str]) -> int:
    """The exit code; a mistyped verb or option is one sentence like any other mistake."""
    import typer

    from taskspace.cli._app import app
    from taskspace.errors import SettingError

    usage: Any = typer.BadParameter.__base__  # the parent of all mistyped words, which typer has no public name for
    try:
        ended = app(argv or ["--help"], prog_name="taskspace", standalone_mode=False)
    except usage as error:
        verb = error.ctx.command_path if error.ctx else "taskspace"
        raise SettingError(f"{_uncapped(error.format_message())}; see {verb} --help") from error
    return ended if isinstance(ended, int) else 0


def _uncapped(sentence: str) -> str:
    """Somebody else's sentence as the first half of ours."""
    sentence = re.sub(r"\. (\w)", lambda start: f", {start[1].lower()}", " ".join(sentence.split()).rstrip("."))
    return sentence[:1].lower() + sentence[1:]


@contextmanager
def _plain_notes() -> Generator[None]:
    """Our own warnings as one line on stderr, each once; those of others as Python shows them."""
    from taskspace.errors import TaskspaceWarning

    with warnings.catch_warnings():
        usual = warnings.showwarning
        told: set[str] = set()  # Python's own memory of them is wiped whenever a package sets a filter

        def show(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
            if not issubclass(category, TaskspaceWarning):
                usual(message, category, *where, **more)  # pyright: ignore[reportArgumentType]  # handed on as it came
            elif str(message) not in told:
                from tqdm import tqdm

                told.add(str(message))
                tqdm.write(f"taskspace: note: {message}", file=sys.stderr)

        warnings.showwarning = show
        warnings.simplefilter("always", TaskspaceWarning)
        yield


@contextmanager
def _tracing(debug: bool) -> Generator[None]:
    """With ``--debug``, a traceback for what else is told in one sentence: also where a run goes on after it."""
    if not debug:
        yield
        return
    import logging
    import traceback

    from taskspace.errors import TaskspaceError

    log, handler = logging.getLogger("taskspace"), logging.StreamHandler()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    except TaskspaceError:
        traceback.print_exc()
        raise
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
