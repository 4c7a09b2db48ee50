"""Who gave an answer, and how its rows are counted: the subject of each error sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Origin:
    """``who`` opens the sentence; ``numbers`` are the lines or rows of a file, else rows count from 0."""

    who: str
    unit: str = "row"
    numbers: Sequence[int] | None = None

    def __str__(self) -> str:
        return self.who

    def at(self, row: int) -> str:
        """``row 3``, or ``line 5`` of a file."""
        return f"{self.unit} {row if self.numbers is None else self.numbers[row]}"


def labeler_origin(name: str) -> Origin:
    return Origin(f"labeler {name!r}")
