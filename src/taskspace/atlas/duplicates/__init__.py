"""The same task in disguise: what an atlas holds under several names, with the evidence."""

from __future__ import annotations

from taskspace.atlas.duplicates._background import Background
from taskspace.atlas.duplicates._find import copies_of, find_duplicates
from taskspace.atlas.duplicates._values import Duplicates, Evidence, Group, Pair, Searched

__all__ = ["Background", "Duplicates", "Evidence", "Group", "Pair", "Searched", "copies_of", "find_duplicates"]
