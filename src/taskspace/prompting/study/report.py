"""The page of a study, made of its runs alone: every number and every verdict on it is computed when it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taskspace._files import replacing
from taskspace.errors import DataError
from taskspace.prompting.study.alike import alike_by_task, alike_table, cosine_table
from taskspace.prompting.study.claims import claims, details
from taskspace.prompting.study.figures import cosine_maps, mixed_dots, scale_triangle, shot_curves, write_png
from taskspace.prompting.study.mixed import mixed_table
from taskspace.prompting.study.pairs import pair_table
from taskspace.prompting.study.prompts import norms, read_prompts
from taskspace.prompting.study.rows import shown_p, to_markdown, write_table
from taskspace.prompting.study.runs import NAME, PARTS, of_main_metric, read_runs
from taskspace.prompting.study.shot_tables import shot_summary, shot_table
from taskspace.prompting.study.verdicts import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from matplotlib.figure import Figure

    from taskspace.prompting.study.claims import Claim
    from taskspace.prompting.study.prompts import TunedPrompt
    from taskspace.prompting.study.rows import Row
    from taskspace.prompting.study.runs import Run

REPORT = "report.md"


@dataclass(frozen=True)
class Section:
    """A part of the page: how to read it, its tables by file name, and its pictures by file name.

    ``shown`` names the tables that stand on the page itself; of the others it has the links.
    """

    title: str
    reading: str
    tables: Mapping[str, list[Row]]
    shown: tuple[str, ...]
    pictures: Mapping[str, Callable[[], Figure]]


def write_report(folder: str | Path, *, rules: Rules | None = None, figures: bool = True) -> Path:
    """Read ``runs.jsonl`` and ``prompts/`` of a study and write ``report.md``, ``tables/`` and ``figures/`` beside.

    A part of the study that has not run yet is left out, and what it would show is "not enough runs".

    Raises :class:`DataError` where no run is finished, or a line is not a run; :class:`PromptError` for a prompt
    that cannot be read; :class:`MissingExtra` without scipy, or without matplotlib where ``figures`` are wanted.
    """
    folder, rules = Path(folder), rules or Rules()
    runs = read_runs(folder / NAME)
    if not runs:
        raise DataError(f"there is no finished run in {folder / NAME}; run the study first")
    runs = of_main_metric(runs)
    prompts = read_prompts(folder, list(dict.fromkeys(run.task for run in runs)))
    found, places = claims(runs, prompts, rules), details(runs, prompts, rules)
    sections = [each for each in _sections(runs, prompts, rules) if any(each.tables.values())]
    tables = {"claims": [claim.row() for claim in found], "claims_by_place": [claim.row() for claim in places]}
    for name, rows in (tables | {name: rows for each in sections for name, rows in each.tables.items()}).items():
        write_table(rows, folder / "tables" / name)
    for name, draw in [each for section in sections if figures for each in section.pictures.items()]:
        write_png(draw(), folder / "figures" / f"{name}.png")
    page = [*_opening(runs, prompts), *_verdicts(found, places, rules)]
    page += [line for section in sections for line in _lines(section, figures)]
    with replacing(folder / REPORT) as partial:
        partial.write_text("\n".join(page) + "\n", encoding="utf-8")
    return folder / REPORT


def sentence(claim: Claim) -> str:
    """A claim as a line of prose: verdict, figure, interval, n, adjusted p, and what the mean hides."""
    words = f"**{_capital(claim.claim)}: {claim.verdict}.**"
    if claim.figure is None:
        return f"{words} No runs show it yet."
    said = [f"n = {claim.n} {claim.unit if claim.n != 1 else claim.unit.removesuffix('s')}"]
    if claim.low is not None and claim.high is not None:
        said.insert(0, f"95 % interval {claim.low:.3f} to {claim.high:.3f}")
    if claim.p_holm is not None:
        said.append(f"adjusted p {shown_p(claim.p_holm)}")
    measured = f"{_capital(claim.measured)}: {claim.figure:.3f} ({'; '.join(said)})."
    return " ".join([words, measured, *([f"{_capital(claim.note)}."] if claim.note else [])])


def _sections(runs: Sequence[Run], prompts: Sequence[TunedPrompt], rules: Rules) -> list[Section]:
    shots = shot_table(runs)
    return [
        Section(
            "Original and mixed initialisation",
            "Each vector on its own init and on the others. Foreign scores are averaged inside a vector, then paired "
            "with the score at home; `boot low` to `boot high` draws vectors and inits anew.",
            {"mixed": mixed_table(runs)}, ("mixed",), {"mixed": lambda: mixed_dots(runs)},
        ),
        Section(
            "Likeness of prompts and vectors",
            "Cosines across inits, within and between tasks; p permutes the tasks within each init. Where "
            "‖init‖ / ‖vector‖ (`ratio`) is far below 1, another init changes little, whatever the vector is.",
            {"alike": alike_table(prompts), "norms": norms(prompts), "alike_by_task": alike_by_task(prompts),
             "cosines": cosine_table(prompts)},
            ("alike", "norms"),
            {"cosines_vectors": lambda: cosine_maps(prompts, "vectors"),
             "cosines_prompts": lambda: cosine_maps(prompts, "prompts")},
        ),
        Section(
            "Sums of two vectors",
            f"λ from validation; `kept` is the share of the single-task score on the task served worse, tested "
            f"against {rules.share:g}; `untrained kept` is what no tuning at all keeps.",
            {"pairs": pair_table(runs, share=rules.share)}, ("pairs",),
            {"pairs": lambda: scale_triangle(runs)} if _searched(runs) else {},
        ),
        Section(
            "From 0 to k examples",
            "Means with 95 % intervals of raw runs; differences are paired by init. The best single source is chosen "
            "anew at each number of shots, by validation where it was recorded, else by test, in its favour. Cells "
            f"are mean ± sd (n); * and † mark adjusted p below {rules.level:g} against the random init and the best "
            "single source, up or down.",
            {"shots": shots, "shots_summary": shot_summary(shots, level=rules.level)}, ("shots_summary",),
            {"shots": lambda: shot_curves(runs)},
        ),
    ]  # fmt: skip


def _searched(runs: Sequence[Run]) -> bool:
    return any(run.part == "pairs" and run.split == "validation" for run in runs)


def _opening(runs: Sequence[Run], prompts: Sequence[TunedPrompt]) -> list[str]:
    counts = {part: sum(run.part == part for run in runs) for part in PARTS}
    inits = len({run.init for run in runs})
    metrics = ", ".join(sorted({run.metric for run in runs}))
    said = ", ".join(f"{count} {part}" for part, count in counts.items())
    return [
        "# Task prompt vectors: what this study shows",
        "",
        f"{len(runs)} runs ({said}) from {inits} inits, and {len(prompts)} tuned prompts. Scores: {metrics}.",
        "",
    ]


def _verdicts(found: Sequence[Claim], places: Sequence[Claim], rules: Rules) -> list[str]:
    shown = ("claim", "where", "figure", "low", "high", "n", "p_holm", "verdict")
    rows = [{name: claim.row()[name] for name in shown} for claim in places if claim.figure is not None]
    return [
        "## The claims",
        "",
        *(f"{i}. {sentence(claim)}" for i, claim in enumerate(found, 1)),
        "",
        f"A claim of a difference holds if the difference has the sign claimed and its adjusted p is below "
        f"{rules.level:g}; it does not hold if the 95 % interval lies below {rules.margin:g} (a cosine: if it is not "
        f"above 0). Independence holds if the interval lies within ±{rules.margin:g}, and does not if a difference "
        f"beyond that is sure, over all tasks or on one. A sum serves if it keeps more than {rules.share:g}, and does "
        "not if it surely keeps less. Everything else is not enough runs to tell. Adjusted is Holm's p, over these "
        "claims here and over the rows of one claim below; n counts inits or tasks, not runs. Intervals speak of other "
        "inits, not of other test rows: all runs of a task share the same ones.",
        "",
        *([to_markdown(rows)] if rows else []),
        f"Tables: {_links(('claims', 'claims_by_place'))}.",
        "",
    ]


def _lines(section: Section, figures: bool) -> list[str]:
    lines = [f"## {section.title}", "", section.reading, ""]
    for name in section.pictures if figures else ():
        lines += [f"![{section.title}: {name.replace('_', ' ')}](figures/{name}.png)", ""]
    for name in section.shown:
        lines += [to_markdown(section.tables[name])] if section.tables[name] else []
    return [*lines, f"Tables: {_links([name for name, rows in section.tables.items() if rows])}.", ""]


def _links(names: Iterable[str]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} ([CSV](tables/{name}.csv), [Markdown](tables/{name}.md))" for name in names
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
