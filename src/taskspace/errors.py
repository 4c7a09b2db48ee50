"""Every error that a user can cause, in one tree.

    TaskspaceError
    ├── DataError             a file, column, row or label that cannot be read as a task
    ├── LabelerError          answers that are not class probabilities, labels or numbers
    ├── SurrogateError        a base model that cannot be found, loaded or trusted
    ├── SpaceMismatch         two embeddings that live in different spaces
    ├── EmbeddingError        a vector that cannot be made, saved or read back
    ├── PromptError           a soft prompt or prompt vector that cannot be read, or does not fit
    ├── WeightsError          a checkpoint, adapter or task vector that cannot be read, or does not fit
    ├── AtlasError            a store that cannot be opened, read or written
    │   └── UnknownName       a name that is not in the atlas
    ├── MissingExtra          an optional package that is not installed
    └── SettingError          an option or name that is not among the choices

Each message is one sentence: what was seen, and what to do.  Anything else that is raised is a bug.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class TaskspaceError(Exception):
    """Root of all errors that the user can mend; the command line prints it without a traceback."""


class DataError(TaskspaceError):
    """A file, column, row or label that cannot be read as a task."""


class LabelerError(TaskspaceError):
    """Answers of a labeler that are not class probabilities, labels or numbers."""


class SurrogateError(TaskspaceError):
    """A base model that cannot be found, loaded or trusted."""


class SpaceMismatch(TaskspaceError):
    """Two embeddings that live in different spaces; the message names the field that differs."""


class EmbeddingError(TaskspaceError):
    """A vector that cannot be made, saved or read back."""


class PromptError(TaskspaceError):
    """A soft prompt or prompt vector that cannot be read, written, or put with another one or on a model."""


class WeightsError(TaskspaceError):
    """A checkpoint, adapter or task vector that cannot be read or written, or does not fit another one."""


class AtlasError(TaskspaceError):
    """A store that cannot be opened, read or written."""


class UnknownName(AtlasError):
    """A name that is not in the atlas."""


class MissingExtra(TaskspaceError):
    """An optional package that is not installed; the message names the extra that brings it."""


class SettingError(TaskspaceError):
    """An option or name that is not among the choices."""


class TaskspaceWarning(UserWarning):
    """Something left out or doubtful that the user should know of; the command line prints it as a note."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a sentence's end: the nearest known name, else a few of them, else nothing."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    if not names:
        return ""
    shown = ", ".join(repr(n) for n in names[:8])
    return f"; there is {shown}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
