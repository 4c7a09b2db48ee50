"""Numbers of the map: where everything of a space stands in two dimensions, in which family, and what that keeps."""

from __future__ import annotations

from taskspace.atlas.map._families import Family
from taskspace.atlas.map._kept import in_words, percent
from taskspace.atlas.map._map import Map, map_of
from taskspace.atlas.map._projections import METHODS, Method
from taskspace.atlas.map._similarities import Similarities, similarities
from taskspace.atlas.map.parquet import write_map

__all__ = [
    "METHODS",
    "Family",
    "Map",
    "Method",
    "Similarities",
    "in_words",
    "map_of",
    "percent",
    "similarities",
    "write_map",
]
