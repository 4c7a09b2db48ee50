"""What LanceDB raises, as sentences.  Its errors are plain ones, so the text has to tell them apart."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from taskspace.errors import AtlasError, TaskspaceError

if TYPE_CHECKING:
    from collections.abc import Generator

_SENTENCES = (
    (
        r"no space left|os error 28\b|storage ?full|file too large|os error 27\b|quota",
        "cannot be written, as the disk is full; free some space and run again, what was stored before is safe",
    ),
    (r"read-only file ?system|os error 30\b", "is read-only; copy it to a place you may write to"),
    (
        r"permission denied|os error 13\b|access ?denied|forbidden|unauthori[sz]ed|invalidaccesskeyid|signature ?does"
        r"|unauthenticated|credential",
        "may not be read or written with these rights; check that you may write to it, and the credentials of a store",
    ),
    (r"no ?such ?bucket|bucket does not exist", "is in a bucket that does not exist; make it first or check the name"),
    (
        r"connect ?error|connection refused|error sending request|dns error|timed? ?out|kind: connect|unreachable",
        "cannot be reached; check the address and the network, and run again",
    ),
    (
        r"not found|no such file|no longer exists|invalid magic|corrupt|end of file|unexpected eof|fill whole buffer"
        r"|protobuf|decode|checksum|too small|out of (range|bounds)",
        "is damaged, or was tidied up while it was read ({error}); run again, or else restore it from a copy",
    ),
    (
        r"store provider|unsupported scheme|unknown scheme",
        "is no place that LanceDB can open ({error}); give a path, or another URI",
    ),
)
_STOP = re.compile(r"[.!?] (?=[A-Z])")
_NOISE = re.compile(r", /\S+?:\d+:\d+|location: .*$|\s+", re.DOTALL)


@contextmanager
def sentences(place: object) -> Generator[None]:
    """Raise what goes wrong in the block as :class:`AtlasError` about ``place``."""
    try:
        yield
    except (TaskspaceError, UnicodeEncodeError):
        raise
    except (ValueError, RuntimeError, OSError) as error:
        text = str(error)
        for pattern, what in _SENTENCES:
            if re.search(pattern, text, re.IGNORECASE):
                raise AtlasError(f"{place} {what.format(error=_short(text))}") from error
        raise AtlasError(
            f"{place} cannot be used ({_short(text)}); run again, or else restore it from a copy"
        ) from error


def is_conflict(error: BaseException) -> bool:
    """Whether a commit lost against another one, and may be tried again."""
    return bool(re.search(r"commit conflict|concurrent|please retry|too many .*retries", str(error), re.IGNORECASE))


def is_there_already(error: BaseException) -> bool:
    return "already exists" in str(error)


def is_missing_table(error: BaseException) -> bool:
    return bool(re.search(r"table '.*' was not found", str(error), re.IGNORECASE | re.DOTALL))


def _short(text: str) -> str:
    """In one sentence, without places in LanceDB's source."""
    plain = _STOP.sub("; ", _NOISE.sub(" ", text).strip())
    return plain if len(plain) <= 160 else f"{plain[:159]}…"
