"""Whole numbers, checked before anything is computed from them."""

from __future__ import annotations

from numbers import Integral

from taskspace.errors import SettingError


def require_whole(least: int, **settings: object) -> None:
    """:class:`SettingError` for a setting that is no whole number (numpy's are), or less than ``least``."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
            raise SettingError(f"{name}={value!r} is not a whole number of at least {least}; give one")
