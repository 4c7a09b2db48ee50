"""Whether two checkpoints are the same model: names, shapes, and what is copied and not added."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError, WeightsError, did_you_mean
from taskspace.merging.checkpoint import whole
from taskspace.merging.window import floating

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from taskspace.merging.checkpoint import Layout, Weights


def shared_layout(tuned: Weights, base: Weights, ignore: Sequence[str] = ()) -> Layout:
    """The floating tensors of both, less what the patterns of ``ignore`` match.

    Raises :class:`WeightsError` for a name that only one has, another shape, and buffers that differ, and
    :class:`SettingError` for a pattern that matches nothing.
    """
    require_matches(ignore, {**tuned.layout, **base.layout})
    mine, its = (_without(weights.layout, ignore) for weights in (tuned, base))
    _require_names(tuned, base, mine.keys() - its.keys(), its.keys() - mine.keys())
    for name, spec in its.items():
        if mine[name].shape != spec.shape or mine[name].floating != spec.floating:
            remedy = _remedy(mine[name].shape, spec.shape)
            raise WeightsError(f"{name!r} is {mine[name]} in {tuned.name} and {spec} in {base.name}; {remedy}")
    for name in its.keys() - floating(its).keys():
        if not np.array_equal(whole(tuned, name), whole(base, name)):
            raise WeightsError(
                f"{name!r}, which is {its[name]} and cannot be added, differs between {tuned.name} and {base.name};"
                f" name it in ignore to keep the base's"
            )
    return floating(its)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a shell pattern such as ``classifier.*`` matches."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def require_matches(patterns: Iterable[str], names: Iterable[str]) -> None:
    """Raise :class:`SettingError` for a pattern that matches none of the names, as a misspelt one does."""
    known = list(names)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            alike = {name.partition(".")[0] + ".*" for name in known} if pattern.endswith("*") else known
            raise SettingError(f"no tensor matches {pattern!r}{did_you_mean(pattern, alike)}")


def _without(layout: Layout, ignore: Sequence[str]) -> Layout:
    return {name: spec for name, spec in layout.items() if not matches(name, ignore)}


def _require_names(tuned: Weights, base: Weights, extra: set[str], missing: set[str]) -> None:
    for whose, other, names in ((tuned, base, extra), (base, tuned, missing)):
        if names:
            first, *rest = sorted(names)
            also = f" and {len(rest)} others" if rest else ""
            raise WeightsError(
                f"{whose.name} has {first!r}{also}, which {other.name} has not; give the same architecture, or name"
                f" them in ignore (such as {first.partition('.')[0] + '.*'!r})"
            )


def _remedy(one: tuple[int, ...], two: tuple[int, ...]) -> str:
    """Only another number of rows is likely another vocabulary."""
    if len(one) == len(two) > 1 and one[1:] == two[1:]:
        return "if that is the vocabulary, resize both models to one first, or name it in ignore"
    return "give models of one architecture, or name it in ignore"
