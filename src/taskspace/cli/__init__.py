"""The command line: one file per verb, each a thin call of a public function."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run ``taskspace``.  Exit code 0: done; 2: the user can mend it, one sentence; 1: a bug."""
    from taskspace.errors import TaskspaceError

    debug = "--debug" in sys.argv
    argv = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        from taskspace.cli._app import app

        app(argv, prog_name="taskspace")
    except TaskspaceError as error:
        if debug:
            raise
        sys.stderr.write(f"taskspace: {error}\n")
        raise SystemExit(2) from None
    except BrokenPipeError:
        # Whoever read our output has gone (``| head``); nothing is left to say to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        sys.stderr.write("taskspace: stopped; what was finished is kept, run the same command to go on\n")
        raise SystemExit(130) from None
