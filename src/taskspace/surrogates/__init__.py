"""Surrogates: the one frozen base model through which every task of a space is seen."""

from __future__ import annotations

from taskspace.surrogates._locate import DEFAULT_SURROGATE, Located, locate
from taskspace.surrogates._modules import gist, load_tokenizer, quiet
from taskspace.surrogates._shape import ModelKind
from taskspace.surrogates._surrogate import Surrogate, load_surrogate, masked_mean
from taskspace.surrogates._written import SILENT, written_batches

__all__ = [
    "DEFAULT_SURROGATE",
    "SILENT",
    "Located",
    "ModelKind",
    "Surrogate",
    "gist",
    "load_surrogate",
    "load_tokenizer",
    "locate",
    "masked_mean",
    "quiet",
    "written_batches",
]
