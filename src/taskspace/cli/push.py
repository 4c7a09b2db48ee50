"""``taskspace push``: an atlas to a data set repository of the Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o
from taskspace.cli._hub import bars_for_watchers

if TYPE_CHECKING:
    from taskspace.hub import Pushed


def push(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name; made if it is not there.")],
    private: Annotated[
        bool | None, typer.Option("--private/--public", help="Who sees a new repository (default: private)")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="A branch; made if it is not there (default: main)")] = None,
    message: Annotated[str | None, typer.Option(help="Of the commit.")] = None,
    license: Annotated[
        str | None,
        typer.Option(help="As the Hub knows it, such as cc-by-4.0 (default: what is stated there, else none)"),
    ] = None,
    with_pool: Annotated[
        bool, typer.Option("--with-pool", help="The pool's texts too, so that others can embed what is new.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go up; send and ask nothing.")] = False,
    atlas: o.AtlasPath = None,
    as_json: o.AsJson = False,
) -> None:
    """Push the atlas, with a card, to a data set repository of the Hub: one commit, and nothing changes here.

    Vectors, names, times, provenance and transfers go up; folders of this machine and the pool's texts do not.
    Log in with hf auth login, or set HF_TOKEN.
    """
    from taskspace.atlas import Atlas
    from taskspace.hub import push as push_atlas

    bars_for_watchers()
    with Atlas(o.atlas_path(atlas), create=False) as store:
        pushed = push_atlas(
            store, repo, private=private, revision=revision, message=message, license=license, with_pool=with_pool,
            dry_run=dry_run,
        )  # fmt: skip
    if as_json:
        o.print_json(pushed.to_dict())
    else:
        typer.echo("\n".join(_lines(pushed)))


def _lines(pushed: Pushed) -> list[str]:
    width = max(len(file.path) for file in pushed.files)
    lines = [f"  {file.path:<{width}}  {_size(file.bytes):>10}" for file in pushed.files]
    lines += [f"  {path:<{width}}  {'deleted':>10}" for path in pushed.deleted]
    lines += [f"stays here: {what}" for what in pushed.left_out]
    files = f"{len(pushed.files)} files, {_size(pushed.bytes)}"
    if pushed.commit is None:
        return [f"would push to {pushed.repo}: {files}", *lines]
    if not pushed.changed:
        return [f"{pushed.repo} holds all of it already, at commit {pushed.commit[:12]}"]
    who = "private" if pushed.private else "public"
    return [f"pushed to {pushed.repo} ({who}): {files}", *lines, str(pushed.url)]


def _size(count: int) -> str:
    """Bytes as people read them."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"
