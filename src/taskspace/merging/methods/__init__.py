"""How vectors become one: a short table of names, each a frozen value that holds its options."""

from __future__ import annotations

from taskspace.merging.methods._method import Combine, Inputs, Linear, Merged, Method, Telling
from taskspace.merging.methods._table import METHODS, method_named

__all__ = ["METHODS", "Combine", "Inputs", "Linear", "Merged", "Method", "Telling", "method_named"]
