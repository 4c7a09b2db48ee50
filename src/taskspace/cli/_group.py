"""Verbs under a common word: ``taskspace WORD VERB``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from taskspace.cli._endings import ended_early

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def group(name: str, about: str, verbs: Mapping[str, Callable[..., None]]) -> typer.Typer:
    """The word alone prints what it can do."""
    made = typer.Typer(name=name, help=about)

    def overview(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    made.callback(invoke_without_command=True, help=about)(overview)
    for verb, function in verbs.items():
        made.command(verb)(ended_early()(function))  # around the verb itself, since typer has other ends
    return made
