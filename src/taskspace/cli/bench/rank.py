"""``taskspace bench rank``: the leaderboard of signals and answers on a ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.cli.bench._words import words

if TYPE_CHECKING:
    from taskspace.bench.rank import TaskRows
    from taskspace.surrogates import Surrogate


def rank(
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="A folder that `taskspace bench transfer` filled, or a CSV of it.")
    ],
    out: Annotated[Path, typer.Option(help="Where vectors, features and the report go; what is there is kept.")],
    data: Annotated[
        Path | None, typer.Option(help="The task folders; without, only what needs no texts is scored.")
    ] = None,
    signals: Annotated[
        str | None, typer.Option(help="Signals and answers by name (default: all that can be read): response,prior,…")
    ] = None,
    learners: Annotated[str, typer.Option(help="Learners whose vectors are made.")] = "response,text,fisher",
    model: Annotated[
        str | None, typer.Option(help="The model that was tuned: a Hub id or folder (default: all-MiniLM-L6-v2).")
    ] = None,
    max_length: Annotated[int, typer.Option(min=1, help="Tokens of a text that are read, as in the truth.")] = 64,
    pool: Annotated[Path | None, typer.Option(help="Unlabelled texts (default: drawn from the sources).")] = None,
    source_rows: Annotated[
        int | None, typer.Option(min=2, help="Rows of a source that are read (default: as in the truth, else 1000).")
    ] = None,
    target_rows: Annotated[
        int | None, typer.Option(min=2, help="Labelled rows of a target (default: as in the truth, else 128).")
    ] = None,
    name: Annotated[str, typer.Option(help="What the files of the report are called.")] = "leaderboard",
    title: Annotated[str, typer.Option(help="What stands above it.")] = "Leaderboard",
    picture: Annotated[bool, typer.Option(help="Draw the figure, which needs matplotlib.")] = True,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, … (default: cuda where there is one)")] = None,
    as_json: o.AsJson = False,
) -> None:
    """Score every signal and the fused answers on measured transfers, each target left out in turn.

    Writes OUT/leaderboard.md, .csv, .json and .png, and prints the page.  Vectors and features are made once.
    """
    from taskspace.bench.rank import (
        GroundTruth,
        Opening,
        chosen,
        document,
        leaderboard,
        near_duplicates,
        read_truth,
        rows_of,
        write_report,
    )  # fmt: skip
    from taskspace.task import Pool

    asked, recipes = chosen(None if signals is None else words(signals))
    transfers, settings = read_truth(truth, out)
    tasks: TaskRows | None = None
    if data is None:
        ground = GroundTruth(transfers=transfers)
    else:
        tasks = rows_of(data, settings, source_rows, target_rows)
        ground = Opening(
            transfers=transfers, tasks=tasks, surrogate=_surrogate(model, max_length, device, settings), out=out,
            truth=truth if truth.is_dir() else None, learners=words(learners),
            pool=None if pool is None else Pool.from_file(pool), tell=o.say,
        ).open()  # fmt: skip
    board = leaderboard(
        ground, asked, recipes, title=title, tell=o.say,
        target_rows=tasks.target_rows if tasks else 0, source_rows=tasks.source_rows if tasks else 0,
        shared=near_duplicates(tasks, transfers.sources, ground.targets) if tasks else (),
    )  # fmt: skip
    report = write_report(board, out, name=name, picture=picture)
    if as_json:
        o.print_json({"report": str(report), **document(board)})
    else:
        typer.echo(report.read_text(encoding="utf-8"))


def _surrogate(model: str | None, max_length: int, device: str | None, settings: dict[str, Any]) -> Surrogate:
    """The model that was tuned, where the truth says which it was."""
    from taskspace.bench.rank import require_same_model
    from taskspace.surrogates import DEFAULT_SURROGATE, load_surrogate

    surrogate = load_surrogate(model or DEFAULT_SURROGATE, max_length=max_length, device=device)
    require_same_model(surrogate, settings)
    return surrogate
