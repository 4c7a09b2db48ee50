"""Codecs by name, and as a file's header tells them."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError, did_you_mean
from taskspace.merging.codecs.affine import Affine
from taskspace.merging.codecs.low_rank import LowRank, Svd
from taskspace.merging.codecs.raw import Raw
from taskspace.merging.codecs.residual import Residual
from taskspace.merging.codecs.sparse import Sparse
from taskspace.merging.methods._table import require_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from taskspace.merging.codecs._codec import Decoder, Plan

CODECS: dict[str, Callable[..., Plan]] = {
    "raw": Raw,
    "svd": Svd,
    "int8": partial(Affine, 8),
    "int4": partial(Affine, 4),
    "int2": partial(Affine, 2),
    "sparse": Sparse,
}
"""What a single vector can be saved with."""

_KINDS = {"raw": Raw, "affine": Affine, "low_rank": LowRank, "sparse": Sparse, "residual": Residual}
"""What a tensor in a file can be."""


def plan_named(name: str, **options: Any) -> Plan:
    """The plan of that name; raises :class:`SettingError` for what it does not know."""
    if name == "residual":
        raise SettingError("residual stores a base that several vectors share; call save_many with all of them")
    if name not in CODECS:
        raise SettingError(f"there is no codec {name!r}{did_you_mean(name, CODECS)}")
    takes = inspect.signature(CODECS[name]).parameters
    known = {option: str(each.annotation) for option, each in takes.items() if option != "bits"}
    for option, value in options.items():
        if option not in known:
            said = f"{did_you_mean(option, known)}; it takes {', '.join(known)}"
            raise SettingError(f"{name} has no option {option!r}{said}")
        require_kind(name, option, value, known[option])
    return CODECS[name](**options)


def told(codec: Decoder) -> dict[str, Any]:
    """A codec for a header."""
    kind = next(kind for kind, made in _KINDS.items() if isinstance(codec, made))
    return {"codec": kind, **asdict(codec)}  # pyright: ignore[reportArgumentType]  # every kind is a dataclass


def restored(said: Mapping[str, Any]) -> Decoder:
    """A codec from a header; raises KeyError and TypeError for what is none."""
    fields = dict(said)
    return _KINDS[fields.pop("codec")](**fields)
