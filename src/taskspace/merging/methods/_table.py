"""Methods by name; nothing is imported before it is asked for."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from taskspace.merging.methods._method import Method

METHODS = {
    "sum": "sums:Sum",
    "mean": "sums:Mean",
    "lerp": "interpolation:Lerp",
    "slerp": "interpolation:Slerp",
    "magnitude": "trimmed:Magnitude",
    "ties": "trimmed:Ties",
    "dare": "dare:Dare",
    "dare_ties": "dare:DareTies",
    "tsv": "spectral:Tsv",
    "iso": "spectral:Iso",
    "lore": "lore:Lore",
    "ema": "interpolation:Ema",
    "remove": "removal:Remove",
    "graft": "grafting:Graft",
}
"""Name to module and class in this folder."""


def method_named(name: str, /, **options: Any) -> Method:
    """The method of that name with its options, ``mergekit:NAME`` with those of mergekit.

    Raises :class:`SettingError` for what it does not know.
    """
    if name.startswith("mergekit:"):
        from taskspace.merging.methods.delegated import Delegated

        return Delegated(name.removeprefix("mergekit:"), options)
    if name not in METHODS:
        raise SettingError(f"there is no merge method {name!r}{did_you_mean(name, METHODS)}")
    module, _, kind = METHODS[name].partition(":")
    made = getattr(import_module(f"taskspace.merging.methods.{module}"), kind)
    known = {field.name: str(field.type) for field in fields(made)}
    for option, value in options.items():
        if option not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise SettingError(f"{name} has no option {option!r}{did_you_mean(option, known)}; {takes}")
        require_kind(name, option, value, known[option])
    return made(**options)


_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "float": (Real, "one number (values by layer or by filter are not read)"),
    "float | None": ((Real, type(None)), "one number"),
    "int": (Integral, "a whole number"),
    "int | None": ((Integral, type(None)), "a whole number"),
    "bool": (bool, "true or false"),
}
"""What a field's annotation takes, and how that is asked for."""


def require_kind(name: str, option: str, value: object, annotation: str) -> None:
    """Recipes and command lines may bring words where numbers belong."""
    kind, wanted = _KINDS.get(annotation, (object, ""))
    if not isinstance(value, kind) or (isinstance(value, bool) and annotation != "bool" and wanted):
        raise SettingError(f"{option} of {name} is {value!r}; give {wanted}")


def require_share(what: str, value: float) -> None:
    """A share of numbers to keep: above 0, at most 1."""
    if not 0 < value <= 1:
        raise SettingError(f"{what} is {value}; give the share of numbers to keep, above 0 and at most 1")
