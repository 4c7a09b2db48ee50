"""The page: one file without scripts, which prints on A4 and follows the reader's light or dark."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.report import _words as words
from taskspace.report._doubts import ITSELF, TITLES
from taskspace.report._figures import map_svg, ranking_svg
from taskspace.report._why import why

if TYPE_CHECKING:
    from taskspace.report._values import Report


def render(report: Report) -> str:
    """The page as HTML; the same report gives the same bytes.

    Whatever comes from files or from an atlas is escaped.  Raises :class:`MissingExtra` without jinja2 or matplotlib.
    """
    markup: Any = require("markupsafe", extra="report", why="a report").Markup
    template = _environment().get_template("report.html.j2")
    ranking = markup(ranking_svg(report)) if report.candidates else None
    chart = markup(map_svg(report, report.map)) if report.map is not None and len(report.map) > 1 else None
    style = markup(files("taskspace.report").joinpath("report.css").read_text("utf-8"))
    return template.render(
        r=report, ranking=ranking, map=chart, style=style, why=why(report), signals=_signals(report),
        plain=next((hit for hit in report.ranking if words.is_none(hit.kind)), None),
        plain_before=sum(candidate.hit.score > 0 for candidate in report.candidates),
        titles=TITLES, itself=[note for note in report.ranking.notes if note.startswith(ITSELF)],
    )  # fmt: skip


def _signals(report: Report) -> list[tuple[str, str]]:
    """The signals behind the first candidates, each with its words, in the order of what they add to the first."""
    return list({step.signal: step.says for candidate in report.candidates[:3] for step in candidate.steps}.items())


def _environment() -> Any:
    jinja: Any = require("jinja2", extra="report", why="a report")
    environment = jinja.Environment(
        loader=jinja.PackageLoader("taskspace.report", "."), autoescape=True, undefined=jinja.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(
        share=words.share,
        large=words.large,
        power=words.power,
        times=words.times,
        lasting=words.lasting,
        counted=words.counted,
        signed=words.signed,
    )
    return environment
