"""The tables of a study, made of what was measured and of the truth: in seconds, and as often as the truth grows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from taskspace._files import replacing
from taskspace.bench.fute.figure import ndcg_dots
from taskspace.bench.fute.findings import findings
from taskspace.bench.fute.judging import Judge
from taskspace.bench.fute.parts import PARTS
from taskspace.bench.fute.records import read_rows
from taskspace.bench.fute.running import measured, read_settings
from taskspace.bench.fute.shown import for_reading
from taskspace.errors import DataError, did_you_mean
from taskspace.prompting.study.figures import write_png
from taskspace.prompting.study.rows import to_csv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from taskspace.prompting.study.rows import Row
    from taskspace.ranking.history import Transfers

REPORT, FIGURE = "report.md", "pairings.png"
FINDINGS = "findings"
MISSING = "*Not measured yet.*\n"
"""What stands on a page for a table that there is not yet."""

_PANELS = {
    "all sources": "pairings", "in class": "pairings_in_class", "cross-domain targets": "pairings_cross_domain",
}  # fmt: skip
_BLOCK = re.compile(r"(<!-- fute: (?P<name>\w+) -->\n).*?(<!-- /fute -->)", re.DOTALL)


def write_report(folder: Path, truth: Transfers | None, *, page: Path | None = None, figure: bool = True) -> Path:
    """Write ``tables/*.csv``, ``report.md`` and a figure of what ``folder`` has measured so far.

    ``page`` is a Markdown page of yours: what stands between ``<!-- fute: NAME -->`` and ``<!-- /fute -->`` is
    replaced by the table of that name (:data:`MISSING` where it is not measured), or by the sentences for the name
    ``findings``.

    Raises :class:`DataError` where nothing is measured, or the page asks for a table that no part makes.
    """
    settings = read_settings(folder)
    judge = None if truth is None else Judge.of(truth, settings["pairs"], settings["cross_domain"])
    rows = {name: read_rows(path) for name in PARTS if (path := measured(folder, name)).is_file()}
    if not rows:
        raise DataError(f"{folder} holds nothing measured; run the study first")
    tables = {name: PARTS[name].tables(found, judge) for name, found in rows.items()}
    blocks = {name: for_reading(table) for found in tables.values() for name, table in found.items() if table}
    if judge is not None and "pairings" in rows:
        blocks[FINDINGS] = "".join(f"* {said}\n" for said in findings(rows["pairings"], judge))
    for name, table in [each for found in tables.values() for each in found.items() if each[1]]:
        _write(folder / "tables" / f"{name}.csv", to_csv(table))
    drawn = figure and bool(tables.get("pairings"))
    if drawn:
        shown = {title: tables["pairings"][name] for title, name in _PANELS.items()}
        write_png(ndcg_dots(shown), folder / "figures" / FIGURE)
    _write(folder / REPORT, _page(tables, blocks, drawn))
    if page is not None:
        fill(page, blocks)
    return folder / REPORT


def fill(page: Path, blocks: Mapping[str, str]) -> None:
    """Put the blocks into a page; raises :class:`DataError` for one that asks for a table that no part makes."""
    text = page.read_text(encoding="utf-8")
    known = {FINDINGS, *(name for part in PARTS.values() for name in part.made)}
    odd = next((match["name"] for match in _BLOCK.finditer(text) if match["name"] not in known), None)
    if odd is not None:
        raise DataError(f"{page} asks for a table {odd!r}, which no part makes{did_you_mean(odd, known)}")
    _write(page, _BLOCK.sub(lambda match: f"{match[1]}{blocks.get(match['name'], MISSING)}{match[3]}", text))


def _page(tables: Mapping[str, Mapping[str, list[Row]]], blocks: Mapping[str, str], drawn: bool) -> str:
    lines = ["# Task embeddings across models and data sets: what this study shows", ""]
    lines += [blocks[FINDINGS]] if FINDINGS in blocks else []
    for part, found in tables.items():
        lines += [f"## {PARTS[part].title}", "", PARTS[part].reading, ""]
        lines += [f"![NDCG of every learner and pairing](figures/{FIGURE})", ""] if drawn and part == "pairings" else []
        for name in [name for name, table in found.items() if table]:
            lines += [f"`{name}` ([CSV](tables/{name}.csv))", "", blocks[name]]
    return "\n".join(lines).rstrip("\n") + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
