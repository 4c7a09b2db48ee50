"""How much one may ask of the service."""

from __future__ import annotations

from dataclasses import dataclass

from taskspace.errors import SettingError


@dataclass(frozen=True)
class Limits:
    """What protects the service from its clients; sizes of what is posted first, then of the work.

    ``body`` bytes, ``rows`` rows and ``text`` characters a text may have, and ``upload_seconds`` to arrive in.
    ``jobs_per_minute`` are accepted from one client; ``queue`` may wait or run at once; opening a space may take
    ``opening_seconds`` and embedding ``job_seconds``.  ``kept`` finished jobs stay for ``kept_seconds``.
    ``computing`` maps and rankings may wait to be worked out at once, and ``remembered`` bytes of them stay in memory.
    """

    body: int = 4_000_000
    rows: int = 2_000
    text: int = 20_000
    upload_seconds: float = 30.0
    jobs_per_minute: int = 10
    queue: int = 8
    opening_seconds: float = 600.0
    job_seconds: float = 120.0
    kept: int = 100
    kept_seconds: float = 3600.0
    computing: int = 64
    remembered: int = 64_000_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise SettingError(f"the limit {name} is {value}; give more than 0")
