"""Numbers and signals as a reader says them."""

from __future__ import annotations

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
    """A large number in words: "22.7 million"."""
    for size, word in ((1e9, " billion"), (1e6, " million")):
        if value >= size:
            return f"{value / size:.3g}{word}"
    return f"{value:,.0f}"


def power(value: float) -> str:
    """A very large number with a power of ten."""
    if value < 1e6:
        return f"{value:,.0f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits} {TIMES} 10{str(int(exponent)).translate(_POWERS)}"


def times(value: float) -> str:
    """How many times as much; a fraction as one."""
    return (
        f"1/{1 / value:.0f}"
        if 0 < value <= 0.5
        else f"{value:,.0f}"
        if value >= 9.95
        else f"{value:.1f}".removesuffix(".0")
    )


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
    """Whether a hit stands for not transferring."""
    return kind == "none"
