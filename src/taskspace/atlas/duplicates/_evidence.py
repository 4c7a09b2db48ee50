"""Why two entries are, or are not, the same task: what is stored of them, sentence by sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace.atlas.duplicates._values import Evidence, Pair, Strength

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.atlas.duplicates._effects import Effects
    from taskspace.ranking._rank import Candidate

_SEVERAL = 2


EQUAL = 1 - 1e-6
"""The similarity from which vectors count as equal: features differ by about 1e-6 between machines."""


def pair_of(first: Candidate, second: Candidate, similarity: float, threshold: float | None, effects: Effects) -> Pair:
    """Two entries that were found to be one task, with all that is known for and against it."""
    near: Strength = "vector" if similarity >= EQUAL else "similarity"
    strength = "content" if first.content == second.content else near
    effect = effects.between(first.name, second.name)
    said = [_joined_by(strength, first.kind, similarity, threshold), *_besides(first, second)]
    return Pair(first.name, second.name, first.kind, similarity, strength, (*said, *([effect] if effect else [])))


def _joined_by(strength: Strength, kind: str, similarity: float, threshold: float | None) -> Evidence:
    """The evidence that put a pair on the list."""
    if strength == "content":
        what = "the same rows and labels" if kind == "dataset" else "the same answers, code or files"
        return Evidence("content", f"{what} (equal fingerprints)", True)
    if strength == "vector":
        return Evidence("vector", "equal vectors", True)
    beyond = "" if threshold is None else f", threshold {threshold:.3f}"
    return Evidence("similarity", f"similarity {similarity:.3f}{beyond}", True)


def _besides(first: Candidate, second: Candidate) -> list[Evidence]:
    """What the provenance of two entries says for or against their being one task."""
    one, other = first.provenance, second.provenance
    found = (_checkpoint(one, other), _labels(one, other), _classes(one, other), _rows(one, other), _words(one, other))
    return [evidence for evidence in found if evidence is not None]


def _checkpoint(one: Mapping[str, Any], other: Mapping[str, Any]) -> Evidence | None:
    """Hub models by their id and commit; a local folder may hold anything."""
    model, commits = one.get("model"), [about.get("revision") for about in (one, other)]
    if not model or model != other.get("model") or not all(commits) or {"local", "wheel"} & set(commits):
        return None
    if commits[0] == commits[1]:
        return Evidence("checkpoint", f"both are {model} at {str(commits[0])[:12]}", True)
    return Evidence("checkpoint", f"both are {model}, at two revisions", None)


def _labels(one: Mapping[str, Any], other: Mapping[str, Any]) -> Evidence | None:
    mine, theirs = one.get("labels"), other.get("labels")
    if not isinstance(mine, list) or not isinstance(theirs, list) or len(mine) < _SEVERAL:
        return None
    if sorted(map(str, mine)) == sorted(map(str, theirs)):
        return Evidence("labels", "the same label names", True)
    return Evidence("labels", "other label names", None)  # a disguise changes them first


def _classes(one: Mapping[str, Any], other: Mapping[str, Any]) -> Evidence | None:
    mine, theirs = one.get("classes"), other.get("classes")
    if not mine or not theirs:
        return None
    if mine == theirs:
        return Evidence("classes", f"{mine} classes each", True)
    return Evidence("classes", f"{mine} classes against {theirs}", False)


def _rows(one: Mapping[str, Any], other: Mapping[str, Any]) -> Evidence | None:
    """Of data sets; every model answers the same pool.  As many rows, and as many of them in the pool, say more."""
    mine, theirs = one.get("input_rows"), other.get("input_rows")
    if not mine or not theirs or "pool_overlap" not in one or "pool_overlap" not in other:
        return None
    if mine != theirs:
        return Evidence("rows", f"{mine} rows against {theirs}", None)
    pooled = one["pool_overlap"]
    if pooled and pooled == other["pool_overlap"]:
        return Evidence("rows", f"{mine} rows each, {pooled} of them in the pool", True)
    return Evidence("rows", f"{mine} rows each", None)


def _words(one: Mapping[str, Any], other: Mapping[str, Any]) -> Evidence | None:
    described = str(one.get("description") or "").strip()
    if described and described == str(other.get("description") or "").strip():
        return Evidence("description", "the same description", True)
    return None
