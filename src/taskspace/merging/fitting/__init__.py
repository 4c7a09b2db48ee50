"""Coefficients learned from a few labelled rows, or from unlabelled ones by how sure the merged model is."""

from __future__ import annotations

from taskspace.merging.fitting._fit import Fitted, fit
from taskspace.merging.fitting._learned import learned, unlearned
from taskspace.merging.fitting._objective import Objective, objective
from taskspace.merging.fitting._pieces import PIECES
from taskspace.merging.fitting._rows import rows_objective

__all__ = ["PIECES", "Fitted", "Objective", "fit", "learned", "objective", "rows_objective", "unlearned"]
