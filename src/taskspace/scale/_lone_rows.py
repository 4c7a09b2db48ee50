"""A note on classes of which nearly nothing can be learned."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import TaskspaceWarning
from taskspace.labels import Classes
from taskspace.task import Task

if TYPE_CHECKING:
    from taskspace.labelers import Labeler


def warn_of_lone_rows(what: Task | Labeler) -> None:
    """What is known of a class from one row is mostly what that row happens to say."""
    labels = what.stated_labels if isinstance(what, Task) else None
    if not isinstance(labels, Classes):
        return
    counts = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.names))
    lone = [labels.names[code] for code in np.flatnonzero(counts == 1)]
    if lone:
        named = ", ".join(map(repr, lone[:3])) + (", …" if len(lone) > 3 else "")
        warnings.warn(
            f"{len(lone)} of {np.count_nonzero(counts)} classes of {what.name!r} have one row only ({named});"
            " little can be learned of them",
            TaskspaceWarning,
            stacklevel=3,
        )
