"""The leaderboard as files: a page, a table with a row per method, one with a row per method and target, a picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from taskspace._files import replacing
from taskspace.bench.rank.figure import draw_board
from taskspace.bench.rank.page import page
from taskspace.prompting.study.figures import write_png
from taskspace.prompting.study.rows import to_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from taskspace.bench.rank.board import Leaderboard
    from taskspace.bench.rank.scoring import Entry
    from taskspace.prompting.study.rows import Row
    from taskspace.ranking.metrics import Interval


def write_report(board: Leaderboard, folder: Path, *, name: str = "leaderboard", picture: bool = True) -> Path:
    """Write ``NAME.md``, ``NAME.csv``, ``NAME_by_target.csv``, ``NAME.json`` and ``NAME.png``; gives the page's path.

    Raises :class:`MissingExtra` where a picture is wanted and matplotlib is not there, before anything is written.
    """
    drawn = draw_board(board) if picture else None
    texts: dict[str, Callable[[], str]] = {
        f"{name}.csv": lambda: to_csv([row(board, entry) for entry in _all(board)]),
        f"{name}_by_target.csv": lambda: to_csv(by_target(board)),
        f"{name}.json": lambda: json.dumps(document(board), indent=2) + "\n",
        f"{name}.md": lambda: page(board, f"{name}.png" if picture else None),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        with replacing(folder / file) as partial:
            partial.write_text(text(), encoding="utf-8")
    if drawn is not None:
        write_png(drawn, folder / f"{name}.png")
    return folder / f"{name}.md"


def row(board: Leaderboard, entry: Entry) -> Row:
    """All there is of one method, every digit kept; empty what does not apply."""
    found: Row = {"method": entry.name, "kind": entry.kind, "about": entry.about, "known": entry.known}
    for metric in entry.values:
        found |= _interval(metric, entry.mean(metric))
        found[f"{metric}_skill"] = board.skills.get(entry.name, {}).get(metric)
    found |= _interval(f"ndcg_over_{board.against.name}", entry.over(board.against))
    found |= {"p": entry.p, "seconds_per_target": entry.seconds, "needs": ", ".join(entry.needs)}
    if entry.cost is not None:
        found |= {f"texts_{key}": value for key, value in asdict(entry.cost).items()}
    return found


def by_target(board: Leaderboard) -> list[Row]:
    """Every metric of every method on every target."""
    found: list[Row] = []
    for entry in _all(board):
        for place, (target, count) in enumerate(zip(board.targets, board.candidates, strict=True)):
            values = {metric: float(of_targets[place]) for metric, of_targets in entry.values.items()}
            found.append({"method": entry.name, "target": target, "candidates": count, **values})
    return found


def document(board: Leaderboard) -> dict[str, Any]:
    """Plain values that ``json.dumps`` takes."""
    return {
        "title": board.title,
        "targets": list(board.targets),
        "candidates": list(board.candidates),
        "runs": list(board.runs),
        "unit": board.unit,
        "gains_over": "the mean of the target's sources" if board.relative else "not transferring",
        "against": board.against.name,
        "methods": [_nested(board, entry) for entry in _all(board)],
        "left_out": dict(board.silent),
        "shared_rows": [{"source": s, "target": t, "share": share} for s, t, share in board.shared],
    }


def _nested(board: Leaderboard, entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = dict(row(board, entry))
    found["needs"] = list(entry.needs)
    found["weights"] = None if entry.weights is None else dict(entry.weights)
    found["predicted_gains"] = None if entry.decisions is None else _plain(asdict(entry.decisions))
    return found


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Without NaN, which is not JSON."""
    return {
        key: _plain(value) if isinstance(value, dict) else None if value != value else value
        for key, value in values.items()
    }


def _all(board: Leaderboard) -> list[Entry]:
    return [*board.entries, *([board.ceiling] if board.ceiling else []), board.chance]


def _interval(name: str, said: Interval) -> Row:
    return {name: said.mean, f"{name}_low": said.low, f"{name}_high": said.high}
