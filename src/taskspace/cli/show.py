"""``taskspace show``: what an atlas holds, or all that is known of one entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o

if TYPE_CHECKING:
    from taskspace.atlas import Atlas


def show(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A name in the atlas; without it, everything is listed.")
    ] = None,
    kind: o.KindOption = None,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    as_json: o.AsJson = False,
) -> None:
    """Show the atlas, or one entry with where it came from."""
    from taskspace.atlas import Atlas

    with Atlas(o.atlas_path(atlas), create=False) as store:
        facts = _entry(store, name, learner) if name else _listing(store, o.checked_kind(kind), learner)
    if as_json:
        o.print_json(facts)
    elif name:
        typer.echo("\n".join(f"{key:<16} {value}" for key, value in _flat(facts)))
    else:
        typer.echo(_table(facts))


def _entry(atlas: Atlas, name: str, learner: str | None) -> dict[str, Any]:
    embedding = atlas.get(name, space=learner)
    return {
        "name": embedding.name,
        "kind": embedding.kind,
        "numbers": len(embedding.vector),
        "blocks": len(embedding.blocks),
        "content": embedding.content,
        "space": str(embedding.space),
        "space_id": embedding.space.fingerprint,
        "provenance": dict(embedding.provenance),
    }


def _listing(atlas: Atlas, kind: Any, learner: str | None) -> dict[str, Any]:
    learners = {space.fingerprint: space.learner for space in atlas.spaces()}
    entries = atlas.entries(kind=kind, space=learner) if learners or learner else []
    return {
        "atlas": str(atlas.path),
        "spaces": [{"id": space.fingerprint, "learner": space.learner, "what": str(space)} for space in atlas.spaces()],
        "entries": [
            {
                "name": entry.name, "kind": entry.kind, "learner": learners[entry.space],
                "added": entry.added, "provenance": dict(entry.provenance),
            }
            for entry in entries
        ],
        "transfers": len(atlas.transfers()),
    }  # fmt: skip


def _flat(facts: dict[str, Any]) -> list[tuple[str, Any]]:
    plain = [(key, value) for key, value in facts.items() if key != "provenance"]
    return plain + [(key, value) for key, value in facts["provenance"].items() if value != ""]


def _table(facts: dict[str, Any]) -> str:
    entries, transfers = len(facts["entries"]), facts["transfers"]
    lines = [
        f"{facts['atlas']}: {entries} {'entry' if entries == 1 else 'entries'},"
        f" {transfers} measured {'transfer' if transfers == 1 else 'transfers'}"
    ]
    lines += [f"space {space['id'][:8]}  {space['what']}" for space in facts["spaces"]]
    width = max((len(entry["name"]) for entry in facts["entries"]), default=0)
    for entry in facts["entries"]:
        about = entry["provenance"]
        skill = f"skill {about['skill']:5.2f}" if "skill" in about else ""
        silent = "" if about.get("informative", True) else "uninformative"
        size = f"{about['tensors']:>3} tensors" if "tensors" in about else f"{about.get('input_rows', '?'):>6} rows"
        lines.append(
            f"  {entry['name']:<{width}}  {entry['kind']:<8} {entry['learner']:<9} {size}  {skill}  {silent}".rstrip()
        )
    return "\n".join(lines)
