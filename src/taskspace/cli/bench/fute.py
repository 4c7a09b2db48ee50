"""``taskspace bench fute``: task embeddings of models and data sets, ranked against measured transfers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.cli.bench._words import words
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from taskspace.ranking.history import Transfers


def fute(
    out: Annotated[Path, typer.Option(help="Where vectors, rows and tables go; an unfinished study goes on.")],
    truth: Annotated[
        Path | None, typer.Option(help="Measured transfers: a folder of 'taskspace bench transfer', or a table.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of task folders, each with a train split.")] = None,
    pool: Annotated[
        Path | None, typer.Option(help="Unlabelled texts as JSON lines, with the 'source' of each where it is known.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="A folder of 'taskspace bench transfer' with tuned sources (default: the truth's)."),
    ] = None,
    sources: Annotated[str | None, typer.Option(help="Source tasks (default: those of the truth): sst2,trec,…")] = None,
    targets: Annotated[str | None, typer.Option(help="Target tasks (default: those of the truth).")] = None,
    cross_domain: Annotated[str, typer.Option(help="Targets whose subject no source has.")] = "",
    graded: Annotated[str, typer.Option(help="Tasks whose classes are grades in their order: stsb,sst5,…")] = "",
    kinds: Annotated[
        Path | None, typer.Option(help="A table of models of other kinds that was measured: task,kind,accuracy,…")
    ] = None,
    parts: Annotated[str, typer.Option(help="Which parts to run.")] = "pairings,pools,surrogates,families,tasks,scale",
    learners: Annotated[
        str | None, typer.Option(help="Which learners (default: fisher, tuned:prefix, tuned:prompt, response, text).")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The base model of all sources: a Hub id or folder (default: all-MiniLM-L6-v2).")
    ] = None,
    max_length: Annotated[int, typer.Option(min=1, help="Tokens of a text that are read, as in the truth.")] = 64,
    source_rows: Annotated[int, typer.Option(min=2, help="Rows a source's data set is embedded from.")] = 400,
    fitted_rows: Annotated[int, typer.Option(min=2, help="Rows the sources were tuned on.")] = 1000,
    shots: Annotated[int, typer.Option(min=2, help="Rows a target is embedded from, as in the truth.")] = 128,
    pool_size: Annotated[int, typer.Option(min=2, help="Rows of the pool.")] = 2000,
    sizes: Annotated[str, typer.Option(help="Sizes of the pools that are compared.")] = "50,200,1000,5000,20000",
    counts: Annotated[str, typer.Option(help="How many models the part 'scale' ranks.")] = "10,100,1000",
    seed: Annotated[int, typer.Option(min=0, help="Seed of draws.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, … (default: cuda where there is one)")] = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Run nothing: make the tables of what is there, with this truth.")
    ] = False,
    page: Annotated[
        Path | None, typer.Option(help="A Markdown page whose blocks <!-- fute: NAME --> are filled with the tables.")
    ] = None,
    as_json: o.AsJson = False,
) -> None:
    """FUTE's study: rank sources by embeddings of models (MTE) and data sets (DTE), against measured transfers.

    Vectors go to OUT/atlas.db and rows to OUT/measured as they are made; tables, a figure and OUT/report.md are made
    anew each time, with as much of the truth as there is.
    """
    from taskspace.bench.fute import run_study, write_report

    known = _read_truth(truth)
    if not report_only:
        from taskspace.bench.fute import LEARNERS, Corpus, Plan, Study, TaskFolders
        from taskspace.surrogates import DEFAULT_SURROGATE, load_surrogate

        if data is None or pool is None:
            raise SettingError(f"{'--data' if data is None else '--pool'} is not said; give it, or --report-only")
        chosen = {name: LEARNERS.get(name, {}) for name in (LEARNERS if learners is None else words(learners))}
        plan = Plan(
            sources=_names(sources, known and known.sources, "--sources"),
            targets=_names(targets, known and known.targets, "--targets"),
            cross_domain=words(cross_domain),
            graded=words(graded),
            parts=words(parts),
            learners=chosen,
            source_rows=source_rows,
            fitted_rows=fitted_rows,
            shots=shots,
            pool_size=pool_size,
            sizes=_numbers(sizes),
            counts=_numbers(counts),
            seed=seed,
        )
        surrogate = load_surrogate(model or DEFAULT_SURROGATE, max_length=max_length, device=device)
        run_study(
            Study(
                plan, TaskFolders(data), Corpus(pool, seed), surrogate, out, models or _folder_of(truth), kinds, o.say
            )
        )
    report = write_report(out, known, page=page)
    if as_json:
        o.print_json(_tables(report))
    else:
        typer.echo(report.read_text(encoding="utf-8"))


def _read_truth(path: Path | None) -> Transfers | None:
    from taskspace.bench.transfer.running import TABLE
    from taskspace.ranking.history import Transfers

    if path is None:
        return None
    return Transfers.read(path / TABLE if path.is_dir() else path)


def _folder_of(truth: Path | None) -> Path:
    return Path() if truth is None else truth if truth.is_dir() else truth.parent


def _names(said: str | None, known: tuple[str, ...] | None, option: str) -> tuple[str, ...]:
    if said is None and known is None:
        raise SettingError(f"without --truth nothing says which tasks are meant; give {option} a,b,…")
    return words(said) if said is not None else known or ()


def _numbers(said: str) -> tuple[int, ...]:
    found = words(said)
    odd = next((word for word in found if not word.isdigit() or int(word) < 2), None)
    if odd is not None:
        raise SettingError(f"{odd!r} is no number of at least 2; say whole numbers such as 50,200")
    return tuple(map(int, found))


def _tables(report: Path) -> dict[str, Any]:
    """The tables by name, as numbers."""
    from taskspace.bench.fute.records import read_rows

    files = sorted((report.parent / "tables").glob("*.csv"))
    return {"report": str(report), "tables": {file.stem: read_rows(file) for file in files}}
