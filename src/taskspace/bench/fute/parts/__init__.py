"""The parts of the study by name."""

from __future__ import annotations

from taskspace.bench.fute.parts import beyond, families, pairings, pools, scale, surrogates
from taskspace.bench.fute.parts._part import Part

PARTS = {module.PART.name: module.PART for module in (pairings, pools, surrogates, families, beyond, scale)}

__all__ = ["PARTS", "Part"]
