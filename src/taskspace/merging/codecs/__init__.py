"""How the numbers of a saved vector lie in its file: as they are, in few bits, by their largest, or by low rank."""

from __future__ import annotations

from taskspace.merging.codecs._codec import Bound, Codec, Decoder, Part, Parts, Plan, Tensor
from taskspace.merging.codecs._table import CODECS, plan_named, restored, told

__all__ = ["CODECS", "Bound", "Codec", "Decoder", "Part", "Parts", "Plan", "Tensor", "plan_named", "restored", "told"]
