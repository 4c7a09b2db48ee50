"""``taskspace bench transfer``: a ground truth of what each source does for each target."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o
from taskspace.cli.bench._words import words
from taskspace.errors import SettingError, TaskspaceError

if TYPE_CHECKING:
    from taskspace.bench.transfer import Distilled, Plan, Run, Summary
    from taskspace.bench.transfer.rows import Data
    from taskspace.surrogates import Surrogate
    from taskspace.tuning.fine_tuning import FineTuning

_NAMED = re.compile(r"([^:=]+)=(.+)", re.DOTALL)
"""``NAME=KIND:REST``."""


def transfer(
    targets: Annotated[str, typer.Option(help="Target tasks: names of folders under --data, or files: trec,my.csv,…")],
    out: Annotated[
        Path, typer.Option(help="Where runs, tuned sources and the table go; what is there is not run again.")
    ],
    sources: Annotated[str | None, typer.Option(help="Source tasks, said like targets.")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of task folders.")] = None,
    labeler: Annotated[
        list[str] | None,
        typer.Option(help="A black box as a source, known by its answers to --pool: [NAME=]KIND:…, as for embed."),
    ] = None,
    pool: Annotated[Path | None, typer.Option(help="Unlabelled texts that labelers answer.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The model that is tuned: a Hub id or folder (default: all-MiniLM-L6-v2).")
    ] = None,
    shots: Annotated[int, typer.Option(min=2, help="Training rows of a target.")] = 128,
    seeds: Annotated[
        int, typer.Option(min=1, help="Draws of these rows, each with an order and a head of its own.")
    ] = 3,
    source_rows: Annotated[int, typer.Option(min=2, help="Rows a source is tuned on, at most.")] = 1000,
    test_rows: Annotated[int, typer.Option(min=2, help="Test rows of a target, at most.")] = 400,
    metric: Annotated[
        str, typer.Option(help="accuracy, macro_f1, f1, matthews; of targets with numbers spearman or pearson.")
    ] = "accuracy",
    max_length: Annotated[int, typer.Option(min=1, help="Tokens of a text that are read.")] = 64,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the rows of a target.")] = 4,
    rate: Annotated[
        float, typer.Option(help="Learning rate on a target; that of the new head is ten times it.")
    ] = 3e-4,
    source_epochs: Annotated[int, typer.Option(min=1, help="Passes over the rows of a source.")] = 2,
    source_rate: Annotated[float, typer.Option(help="Learning rate on a source.")] = 2e-4,
    batch: Annotated[int, typer.Option(min=1, help="Rows of a step.")] = 16,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of a process (default: one each where there are several).")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, … (default: cuda where there is one)")] = None,
    atlas: Annotated[
        str | None, typer.Option(metavar="PATH", help="Note each measured transfer in this atlas too, once.")
    ] = None,
    reads: Annotated[str | None, typer.Option(help="What labelers are given: texts, pairs or both.")] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Unpickle joblib and pickle files: only those you made.")
    ] = False,
    as_json: o.AsJson = False,
) -> None:
    """Measure what each source does for each target: fine-tune on the source, then few-shot on the target.

    Each target is tuned without a source too, the baseline.  Every finished run is a row of OUT/runs.db and of
    OUT/transfers.csv; a measurement that was stopped goes on where it was.
    """
    from taskspace.atlas import Atlas
    from taskspace.bench.transfer import Plan, note_transfers
    from taskspace.bench.transfer.reading import find_tasks, read_splits
    from taskspace.surrogates import DEFAULT_SURROGATE, load_surrogate

    from_words, to_words = words(sources or ""), words(targets)
    paths = find_tasks([*from_words, *to_words], data)
    answers = _distilled(labeler or [], pool, set(paths), reads=reads, trust_pickle=trust_pickle, device=device)
    plan = Plan(
        sources=(*find_tasks(from_words, data), *answers),
        targets=tuple(find_tasks(to_words, data)),
        seeds=tuple(range(seeds)),
        shots=shots,
        source_rows=source_rows,
        test_rows=test_rows,
        metric=metric,
        on_source=_tuning(source_epochs, source_rate, batch),
        on_target=_tuning(epochs, rate, batch),
    )
    rows = {name: read_splits(path, name, test_rows=test_rows) for name, path in paths.items()} | answers
    surrogate = load_surrogate(model or DEFAULT_SURROGATE, max_length=max_length, device=device, cache=False)
    befell = _measured(plan, rows, surrogate, out, workers, threads)
    runs = _runs(out)
    if atlas is not None:
        with Atlas(atlas) as store:
            o.say(f"{note_transfers(store, runs)} new transfers in {atlas}")
    left = {*plan.cells()} - {run.cell for run in runs}
    _report(out, runs, len(left), as_json=as_json)
    if left:
        raise TaskspaceError(
            f"{len(befell)} of {workers} workers ended early and {len(left)} of {len([*plan.cells()])} runs are left; "
            "run the same command again to go on"
        )


def _tuning(epochs: int, rate: float, batch: int) -> FineTuning:
    from taskspace.tuning.fine_tuning import FineTuning

    return FineTuning(epochs=epochs, rate=rate, head_rate=float(f"{10 * rate:.12g}"), batch=batch)


def _distilled(
    specs: list[str],
    pool: Path | None,
    taken: set[str],
    *,
    reads: str | None,
    trust_pickle: bool,
    device: str | None,
) -> dict[str, Distilled]:
    """What each labeler says of the pool, by name."""
    from taskspace.bench.transfer import distilled
    from taskspace.labelers import require_reads
    from taskspace.labelers.load import Loader
    from taskspace.task import Pool

    if bool(specs) != (pool is not None):
        given, lacks = ("--labeler", "--pool FILE, the texts it answers") if specs else ("--pool", "--labeler SPEC")
        raise SettingError(f"{given} was given alone; give {lacks} too")
    if pool is None:
        return {}
    texts = Pool.from_file(pool)
    loader = Loader(trust_pickle, None if reads is None else require_reads(reads), device)
    found: dict[str, Distilled] = {}
    for said in specs:
        match = _NAMED.fullmatch(said)
        name, spec = match.groups() if match else (None, said)
        one = loader.load(spec, name=name)
        if one.name in taken or one.name in found:
            raise SettingError(f"{spec} is called {one.name!r} like another; give it a name, --labeler NAME={spec}")
        found[one.name] = distilled(one, texts, progress=o.on_terminal())
    return found


def _measured(plan: Plan, rows: Data, surrogate: Surrogate, out: Path, workers: int, threads: int | None) -> list[str]:
    """What befell processes that ended before their time."""
    from taskspace._extras import require
    from taskspace.bench.transfer import measure_together, measure_transfers, shared_rows
    from taskspace.bench.transfer.rows import require_measurable

    require_measurable(plan, rows)
    for each in shared_rows(plan, rows):
        o.say(
            f"taskspace: note: {each.rows} rows on which {each.source} is tuned are test rows of {each.target}; "
            "what it does there is flattered"
        )
    if workers > 1:
        return measure_together(plan, rows, surrogate, out, workers=workers, threads=threads or 1, tell=o.say)
    if threads is not None:
        require("torch", extra="embed", why="fine-tuning").set_num_threads(threads)
    measure_transfers(plan, rows, surrogate, out, tell=o.say)
    return []


def _runs(out: Path) -> list[Run]:
    from taskspace.bench.transfer import Records
    from taskspace.bench.transfer.running import DATABASE

    return Records(out / DATABASE).runs()


def _report(out: Path, runs: list[Run], left: int, *, as_json: bool) -> None:
    from taskspace.bench.transfer import summaries
    from taskspace.bench.transfer.running import DATABASE, TABLE
    from taskspace.bench.transfer.table import as_text

    found: list[Summary] = summaries(runs)
    if not as_json:
        typer.echo(as_text(found))
        o.say(f"{len(runs)} runs in {out / TABLE}")
        return
    files = {"table": str(out / TABLE), "database": str(out / DATABASE)}
    o.print_json({**files, "runs": len(runs), "left": left, "targets": [asdict(each) for each in found]})
