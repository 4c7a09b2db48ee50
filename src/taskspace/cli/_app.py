"""The verbs, gathered; nothing heavy is imported before a verb runs."""

from __future__ import annotations

from typing import Annotated

import typer

from taskspace.cli._endings import ended_early
from taskspace.cli.bench._verbs import bench
from taskspace.cli.choose_prompt import choose_prompt
from taskspace.cli.copy import copy
from taskspace.cli.demo import demo
from taskspace.cli.doctor import doctor
from taskspace.cli.duplicates import duplicates
from taskspace.cli.embed import embed
from taskspace.cli.export import export
from taskspace.cli.map import map as map_
from taskspace.cli.merge import merge
from taskspace.cli.near import near
from taskspace.cli.observe import observe
from taskspace.cli.prompt._verbs import prompt
from taskspace.cli.pull import pull
from taskspace.cli.push import push
from taskspace.cli.rank import rank
from taskspace.cli.remove import remove
from taskspace.cli.report import report
from taskspace.cli.serve import serve
from taskspace.cli.show import show

app = typer.Typer(
    name="taskspace",
    help="A task is a point in a space: embed data sets and models, rank what to start from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from taskspace._version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A task is a point in a space: embed data sets and models, rank what to start from.

    Add --debug to any verb for a traceback.
    """


for verb in (
    embed,
    rank,
    near,
    map_,
    observe,
    choose_prompt,
    show,
    duplicates,
    report,
    remove,
    export,
    copy,
    push,
    pull,
    merge,
    serve,
    doctor,
    demo,
):
    app.command()(ended_early()(verb))  # around the verb itself, since typer has other ends for these errors

for word in (prompt, bench):
    app.add_typer(word)
