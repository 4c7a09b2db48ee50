"""What a target task may start from, in the order, words and colours that every table and figure uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Look:
    """How a method is written and drawn."""

    label: str
    colour: str
    marker: str = "o"


# Colours after Okabe and Ito 2008, and Tol's muted scheme for the last: told apart with any kind of colour vision.
LOOKS: dict[str, Look] = {
    "random": Look("random init", "#7a7a7a", "o"),
    "single": Look("best single source", "#56B4E9", "s"),
    "spot": Look("SPoT, several sources", "#0072B2", "^"),
    "tpv": Look("sum of vectors (TPV)", "#D55E00", "D"),
    "average": Look("mean of vectors", "#E69F00", "v"),
    "ties": Look("TIES of vectors", "#A6761D", "P"),
    "attempt": Look("ATTEMPT", "#009E73", "X"),
    "mpt": Look("MPT", "#CC79A7", "<"),
    "dept": Look("DePT", "#882255", ">"),
    "ptuning2": Look("P-tuning v2", "#332288", "p"),
}
_SPARE = (("#117733", "h"), ("#AA4499", "*"), ("#44AA99", "d"), ("#999933", "H"), ("#661100", "8"))


def ordered(names: Iterable[str]) -> list[str]:
    """Method names in the order of :data:`LOOKS`, unknown ones after them by name."""
    place = {name: i for i, name in enumerate(LOOKS)}
    return sorted(set(names), key=lambda name: (place.get(name, len(place)), name))


def look(name: str, among: Iterable[str]) -> Look:
    """How ``name`` is drawn; an unknown one takes a spare colour by its place ``among`` the names drawn."""
    if name in LOOKS:
        return LOOKS[name]
    unknown = [each for each in ordered(among) if each not in LOOKS]
    return Look(name, *_SPARE[unknown.index(name) % len(_SPARE)])
