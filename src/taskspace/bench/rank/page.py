"""The page of a leaderboard, in Markdown: every number on it is computed when it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.bench.rank.scoring import ANSWER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.bench.rank.board import Leaderboard
    from taskspace.bench.rank.decisions import Decisions
    from taskspace.bench.rank.scoring import Entry
    from taskspace.ranking.metrics import Interval

_NOTHING = "–"


def page(board: Leaderboard, picture: str | None = None) -> str:
    """The whole page; ``picture`` is where the figure lies beside it."""
    parts = [f"# {board.title}", opening(board), orders_table(board)]
    if picture is not None:
        parts.append(f"![Mean NDCG of every method, with 95 % intervals]({picture})")
    if any(entry.decisions for entry in board.entries):
        parts += ["## Predicted gains", _reading_of_gains(board), gains_table(board)]
    if learned := weights_table(board):
        parts += ["## What the answers learned", learned]
    parts += ["## What it costs", _READING_OF_COSTS, costs_table(board)]
    if board.silent:
        parts += ["## Left out", _left_out(board)]
    if board.shared:
        parts += ["## Texts that stand on both sides", _shared(board)]
    return "\n\n".join(parts) + "\n"


def opening(board: Leaderboard) -> str:
    """What was ranked, on what, and how to read it."""
    few, many = min(board.candidates), max(board.candidates)
    sources = f"{many}" if few == many else f"{few} to {many}"
    fewest, most = board.runs
    runs = f"{most} {'run' if most == 1 else 'runs'}" if fewest == most else f"{fewest} to {most} runs"
    lines = [
        f"{len(board.targets)} targets, {sources} sources each, {runs} a cell.",
        "Every target is left out in turn: nothing that was measured on it is known to what orders its sources.",
        "NDCG has linear gain, min-max scaled per target; *skill* is 0 for chance and 1 for the perfect order;",
        f"*over* is the mean difference in NDCG to `{board.against.name}`, paired by target;",
        "*p* is how often shuffled scores do as well.  Regrets are in points (hundredths of the score).",
        "Brackets are 95 % intervals, bootstrapped over targets.",
    ]
    return "\n".join(lines)


def orders_table(board: Leaderboard) -> str:
    """How good every order is, best first, answers before signals, the bounds last."""
    head = ("method", "NDCG", "skill", f"over `{board.against.name}`", "p", "regret@1", "regret@3", "place of best",
            "top-3 hits", "Spearman", "known")  # fmt: skip
    rows = [_order_row(board, entry) for entry in board.entries]
    rows += [_order_row(board, bound) for bound in (board.ceiling, board.chance) if bound is not None]
    return _table(head, rows)


def gains_table(board: Leaderboard) -> str:
    """How good the predicted gains of every answer are."""
    head = ("method", "coverage of 90 %", "width", "error", "AUC helps", "within targets", "Brier (of the share)",
            "follow the advice", "always transfer", "never", "advised")  # fmt: skip
    said = [(entry, entry.decisions) for entry in board.entries if entry.decisions is not None]
    return _table(head, [_gain_row(entry, decisions) for entry, decisions in said])


def weights_table(board: Leaderboard) -> str:
    """The weights of the answers, mean over the folds; empty where there are none."""
    fused = [entry for entry in board.of_kind(ANSWER) if entry.weights]
    names = list(dict.fromkeys(name for entry in fused for name in entry.weights or ()))
    rows = [(f"`{e.name}`", *(_number((e.weights or {}).get(name)) for name in names)) for e in fused]
    return _table(("weight of", *names), rows) if rows else ""


def costs_table(board: Leaderboard) -> str:
    """Seconds, and texts that have to be read."""
    head = ("method", "ms a target", "texts a target", "texts a candidate", "texts a source, once", "needs")
    return _table(head, [_cost_row(entry) for entry in board.entries])


def _order_row(board: Leaderboard, entry: Entry) -> tuple[str, ...]:
    over = _NOTHING if entry is board.against else spread(entry.over(board.against), "+")
    skill = board.skills.get(entry.name, {}).get("ndcg")
    name = f"**{entry.name}**" if entry.kind == ANSWER else entry.name
    points = [f"{100 * entry.mean(metric).mean:.1f}" for metric in ("regret_1", "regret_3")]
    return (
        name, spread(entry.mean()), _number(skill, 2), over, _p(entry.p), *points,
        f"{entry.mean('rank_of_best').mean:.1f}", f"{entry.mean('precision_3').mean:.2f}",
        f"{entry.mean('spearman').mean:.2f}", f"{entry.known:.0%}",
    )  # fmt: skip


def _gain_row(entry: Entry, said: Decisions) -> tuple[str, ...]:
    points = [f"{100 * each.mean:.1f} [{100 * each.low:.1f}, {100 * each.high:.1f}]"
              for each in (said.following, said.always, said.never)]  # fmt: skip
    return (
        f"**{entry.name}**", f"{said.coverage.mean:.0%} [{said.coverage.low:.0%}, {said.coverage.high:.0%}]",
        f"{100 * said.width:.1f}", f"{100 * said.error:.1f}", f"{said.auc:.2f}", _number(said.within, 2),
        f"{said.brier:.3f} ({said.brier_of_share:.3f})", *points, f"{said.advised:.0%}",
    )  # fmt: skip


def _cost_row(entry: Entry) -> tuple[str, ...]:
    cost = entry.cost
    texts = (
        [_NOTHING] * 3 if cost is None else [f"{n:.0f}" for n in (cost.per_target, cost.per_candidate, cost.per_source)]
    )
    took = _NOTHING if entry.seconds is None else f"{1000 * entry.seconds:.1f}"
    return (entry.name, took, *texts, ", ".join(entry.needs))


_READING_OF_COSTS = """\
Milliseconds for all sources of one target, with features and vectors at hand.  Where they are not, texts have to go
through a model once: the target's, the target's for each candidate model anew, and a source's when it is taken in.  A
text is a forward pass; `fisher` needs a backward pass too, and the tuned learners some hundred steps."""


def _reading_of_gains(board: Leaderboard) -> str:
    helped = next((e.decisions.helped for e in board.entries if e.decisions is not None), float("nan"))
    over = "the mean of the target's other sources, since no score without transfer is known" if board.relative else (
        "not transferring"
    )  # fmt: skip
    return "\n".join([
        f"Gains are over {over}; {helped:.0%} of all sources help.",
        "*Width* is that of the intervals and *error* the root mean square error, both in points.",
        "AUC of whether a source helps is over all cells, and within the targets where some help and some do not.",
        "The Brier score stands beside that of always saying the share that helps.  The last columns are what is lost",
        "against the best choice, not transferring among them: when the first source is taken if its predicted gain is",
        "above 0, always, and never; and for how many targets transferring is advised.",
    ])  # fmt: skip


def _left_out(board: Leaderboard) -> str:
    """Methods that lack the same together."""
    reasons = dict.fromkeys(board.silent.values())
    return "\n".join(
        f"* {', '.join(f'`{name}`' for name, said in board.silent.items() if said == why)}: {why}" for why in reasons
    )


def _shared(board: Leaderboard) -> str:
    rows = [(source, target, f"{share:.1%}") for source, target, share in board.shared]
    return _table(("source", "target", "of the target's rows"), rows)


def spread(said: Interval, sign: str = "") -> str:
    """A mean and its interval."""
    return f"{said.mean:{sign}.3f} [{said.low:{sign}.3f}, {said.high:{sign}.3f}]"


def _number(value: float | None, digits: int = 3) -> str:
    return _NOTHING if value is None or np.isnan(value) else f"{value:.{digits}f}"


def _p(p: float | None) -> str:
    return _NOTHING if p is None else "< 0.01" if p < 0.01 else f"{p:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
