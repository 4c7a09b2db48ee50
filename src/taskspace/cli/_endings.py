"""A run that ends before its time and through no fault: nobody reads on, or somebody pressed Ctrl-C."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def ended_early() -> Generator[None]:
    """Leave with exit code 0 when the reader has gone (``| head``), and with 130 and a sentence at Ctrl-C."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes stdout once more on its way out; there is nobody left to complain to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        sys.stderr.write("taskspace: stopped; what was finished is kept, run the same command to go on\n")
        raise SystemExit(130) from None
