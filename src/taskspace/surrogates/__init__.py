"""Surrogates: the one frozen base model through which every task of a space is seen."""

from __future__ import annotations

from taskspace.surrogates._encoder import Encoder, load_surrogate, masked_mean
from taskspace.surrogates._locate import DEFAULT_SURROGATE, Located, locate

__all__ = ["DEFAULT_SURROGATE", "Encoder", "Located", "load_surrogate", "locate", "masked_mean"]
