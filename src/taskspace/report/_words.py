"""Numbers and signals as a reader says them."""

from __future__ import annotations

import math

from taskspace.ranking import DO_NOT_TRANSFER

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
_POWERS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def signed(value: float, *, hundredths: bool) -> str:
    """A gain: in points with one decimal, else with four; a true minus, no sign at 0."""
    text = f"{100 * value:+.1f}" if hundredths else f"{value:+.4f}"
    return text.replace("-", MINUS) if any(digit in text for digit in "123456789") else text[1:]


def unit_of(metric: str, *, hundredths: bool) -> str:
    """What a gain is counted in: "points of accuracy"."""
    return f"points of {metric}" if hundredths else metric


def share(part: float) -> str:
    """A share of a whole, never 0 % or 100 % where it is not."""
    if 0 < part < 0.005:
        return "under 1 %"
    if 0.995 < part < 1:
        return "over 99 %"
    return f"{part:.0%}".replace("%", " %")


def large(value: float) -> str:
    """A large number: "22.7 million", or with a power of ten from a million millions on."""
    for size, word in ((1e9, " billion"), (1e6, " million")):
        if size <= value < 1e12:
            return f"{value / size:.3g}{word}"
    if value < 1e6:
        return f"{value:,.0f}"
    power = math.floor(math.log10(value))
    return f"{value / 10**power:.1f} {TIMES} 10{str(power).translate(_POWERS)}"


def lasting(seconds: float) -> str:
    """A time in the unit that suits it."""
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {word}"
    return f"{seconds:.2g} seconds"


def listed(names: list[str], most: int = 5) -> str:
    """Names in a row, and how many more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def in_words(signal: str, learner: str) -> str:
    """What a signal asks, for someone who knows none of their names."""
    known = {
        "level": "what any source adds on average here",
        "prior": "what it did for targets in general",
        "prior+ranks": "how it ranked on targets in general",
        "logme": "how well its features separate the labels",
        learner: "how alike the tasks are",
        f"{learner}+centred": "how alike the tasks are, apart from what all have in common",
        f"{learner}+neighbours": "what it did for the targets most like this one",
    }
    return known.get(signal, signal)


def is_none(kind: str) -> bool:
    """Whether a hit is :data:`~taskspace.ranking.DO_NOT_TRANSFER`."""
    return kind == "none"


PLAIN = DO_NOT_TRANSFER
