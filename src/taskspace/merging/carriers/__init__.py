"""What a task vector is made of: a difference of checkpoints, factor pairs, arrays, or a sum of these."""

from __future__ import annotations

from taskspace.merging.carriers._carrier import Carrier
from taskspace.merging.carriers.arrays import Arrays
from taskspace.merging.carriers.combined import Combined, combine
from taskspace.merging.carriers.decomposed import Decomposed
from taskspace.merging.carriers.difference import Difference
from taskspace.merging.carriers.factors import Factors, Pair, Place

__all__ = ["Arrays", "Carrier", "Combined", "Decomposed", "Difference", "Factors", "Pair", "Place", "combine"]
