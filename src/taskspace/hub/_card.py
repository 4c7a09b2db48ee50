"""README.md of a pushed atlas: what it holds, how it was made, and how to use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.hub import _card_tables as tables
from taskspace.hub._client import hub_client
from taskspace.hub._manifest import PICTURE, SPACES, TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.atlas import Entry, Transfer
    from taskspace.hub._manifest import Manifest, SpacePart

_SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
)  # fmt: skip

_OPENING = """
# {title}

{what}, in which **a task is a point in a space**: what lies near is alike, and what was measured to help says what to
start from. Made with [taskspace](https://pypi.org/project/taskspace/).

```sh
pip install 'taskspace[embed,hub]'
taskspace pull {repo} --atlas {file}
{first}
```
"""

_WITH_POOL = """
## The pool is here

The unlabelled texts through which everything was seen lie under `pools/`, so what is new can be embedded beside all
this: `taskspace embed my.jsonl --atlas {file}`. The texts are their writers', and their license may be another one than
that of this page.
"""

_WITHOUT_POOL = """
## What is not here

The texts of the pool: they are somebody's data. Everything on this page can be shown, compared, searched and ranked by
name without them. **Embedding something new needs them**, a data set as much as a model, since the pool defines the
space. Whoever has them as a file can bring them, and they are known by their hash:
`taskspace embed my.jsonl --atlas {file} --pool pool.jsonl`.
"""

_FILES = """
## Files

| file | holds |
|---|---|
{rows}

A row of a space is `name`, `kind`, `space`, `content` (the hash of what was embedded), `added`, `informative`,
`provenance` (JSON) and `vector` (float32, to the bit). Without taskspace:

```python
from datasets import load_dataset

points = load_dataset("{repo}", "{config}", split="train").with_format("numpy")
```

The cosine of two vectors is their likeness{blocks}. Of folders on the machine that pushed it only last names are here.

Pushed with taskspace {version} by

```sh
{command}
```
"""


@dataclass(frozen=True)
class Contents:
    """What the card speaks of."""

    title: str
    repo: str
    file: str
    manifest: Manifest
    entries: Sequence[Entry]
    transfers: Sequence[Transfer]
    nearest: Mapping[tuple[str, str], tuple[str, float]]
    caption: str
    command: str
    license: str | None = None

    @property
    def spaces(self) -> Sequence[SpacePart]:
        """The fullest first."""
        return sorted(self.manifest.spaces, key=lambda part: -part.count)


def card_of(contents: Contents) -> str:
    """The whole README.md, with the YAML head that the Hub and its viewer read."""
    parts = [_opening(contents)]
    if contents.caption:
        parts.append(f"\n![{contents.caption}]({PICTURE})\n")
    if contents.entries:
        parts.append(tables.about_entries(contents.entries, contents.nearest))
    if contents.transfers:
        parts.append(tables.about_transfers(contents.transfers))
    parts += [tables.about_space(part) for part in contents.spaces]
    if contents.spaces:
        pool = _WITH_POOL if contents.manifest.pools else _WITHOUT_POOL
        parts.append(pool.format(file=contents.file))
    return f"---\n{_head(contents)}\n---\n{''.join(parts)}{_files(contents)}"


def _head(contents: Contents) -> str:
    filled = [part for part in contents.spaces if part.count]
    configs = [{"config_name": part.name, "data_files": part.file.path} for part in filled]
    if contents.transfers:
        configs.append({"config_name": "transfers", "data_files": TRANSFERS})
    configs += [
        {"config_name": f"pool-{pool.fingerprint[:12]}", "data_files": pool.file.path}
        for pool in contents.manifest.pools
    ]
    told = [{**config, "default": True} if number == 0 else config for number, config in enumerate(configs)]
    count = len({(entry.name, entry.kind) for entry in contents.entries})
    data = hub_client().DatasetCardData(
        license=contents.license,
        pretty_name=contents.title,
        size_categories=[next((name for limit, name in _SIZES if count < limit), "10M<n<100M")],
        tags=["taskspace", "task-embeddings", "transfer-learning"],
        configs=told or None,
    )
    return data.to_yaml()


def _opening(contents: Contents) -> str:
    name = next((entry.name for entry in contents.entries), None)
    first = "show" if name is None else f"rank {tables.shell(name)}"
    return _OPENING.format(
        title=contents.title,
        what=tables.summary(contents.entries, len(contents.spaces), len(contents.transfers)),
        repo=contents.repo,
        file=contents.file,
        first=f"taskspace {first} --atlas {contents.file}",
    )


def _files(contents: Contents) -> str:
    manifest = contents.manifest
    rows = [(SPACES, "each space's identity, and the size and SHA-256 of every file")]
    rows += [
        (part.file.path, f"{tables.some(part.count, 'embedding')} of {part.dims:,} numbers") for part in contents.spaces
    ]
    rows += [(pool.file.path, f"the {tables.some(pool.rows, 'text')} of a pool") for pool in manifest.pools]
    rows += [(TRANSFERS, tables.some(manifest.transfers.rows, "measured transfer"))]
    rows += [(file.path, f"the picture above: {contents.caption}") for file in manifest.pictures]
    several = any(len(part.blocks) > 1 for part in contents.spaces)
    return _FILES.format(
        rows="\n".join(f"| [`{path}`]({path}) | {holds} |" for path, holds in rows),
        repo=contents.repo,
        config=contents.spaces[0].name if contents.spaces else "transfers",
        blocks=", taken block by block and averaged (`blocks` in `spaces.json`)" if several else "",
        version=manifest.version,
        command=contents.command,
    )
