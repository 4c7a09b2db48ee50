"""README.md of a pushed atlas: what it holds, how it was made, and how to use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.hub import _card_tables as tables
from taskspace.hub._client import hub_client
from taskspace.hub._manifest import PICTURE, SPACES, TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.hub._manifest import SpacePart
    from taskspace.hub._packing import Packed

_SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
)  # fmt: skip

_OPENING = """
# {title}

{what}, in which **a task is a point in a space**: what lies near is alike, and what was measured to help says what to
start from. Made with [taskspace](https://pypi.org/project/taskspace/).

```sh
pip install 'taskspace[{extras}]'
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
    """What the card speaks of: what was packed, where it goes, and the command by which."""

    repo: str
    packed: Packed
    command: str
    license: str | None

    @property
    def title(self) -> str:
        return self.repo.partition("/")[2]

    @property
    def file(self) -> str:
        """What an atlas that is made of it may be called."""
        return f"{self.title}.db"

    @property
    def spaces(self) -> Sequence[SpacePart]:
        """The fullest first."""
        return sorted(self.packed.manifest.spaces, key=lambda part: -part.count)


def card_of(contents: Contents) -> str:
    """The whole README.md, with the YAML head that the Hub and its viewer read."""
    packed = contents.packed
    parts = [_opening(contents)]
    if packed.caption:
        parts.append(f"\n![{packed.caption}]({PICTURE})\n")
    if packed.entries:
        parts.append(tables.about_entries(packed.entries, packed.nearest))
    if packed.transfers:
        parts.append(tables.about_transfers(packed.transfers))
    parts += [tables.about_space(part) for part in contents.spaces]
    if any(part.identity.reads_texts for part in contents.spaces):
        pool = _WITH_POOL if packed.manifest.pools else _WITHOUT_POOL
        parts.append(pool.format(file=contents.file))
    return f"---\n{_head(contents)}\n---\n{''.join(parts)}{_files(contents)}"


def _head(contents: Contents) -> str:
    filled = [part for part in contents.spaces if part.count]
    configs = [{"config_name": part.name, "data_files": part.file.path} for part in filled]
    if contents.packed.transfers:
        configs.append({"config_name": "transfers", "data_files": TRANSFERS})
    configs += [
        {"config_name": f"pool-{pool.fingerprint[:12]}", "data_files": pool.file.path}
        for pool in contents.packed.manifest.pools
    ]
    told = [{**config, "default": True} if number == 0 else config for number, config in enumerate(configs)]
    count = len({(entry.name, entry.kind) for entry in contents.packed.entries})
    data = hub_client().DatasetCardData(
        license=contents.license,
        pretty_name=contents.title,
        size_categories=[next((name for limit, name in _SIZES if count < limit), "10M<n<100M")],
        tags=["taskspace", "task-embeddings", "transfer-learning"],
        configs=told or None,
    )
    return data.to_yaml()


def _opening(contents: Contents) -> str:
    packed = contents.packed
    return _OPENING.format(
        title=contents.title,
        what=tables.summary(packed.entries, len(contents.spaces), len(packed.transfers)),
        extras="embed,hub" if packed.manifest.pools else "hub",
        repo=contents.repo,
        file=contents.file,
        first=_first_question(contents),
    )


def _first_question(contents: Contents) -> str:
    """A command that works on what was pulled; of several spaces it has to say which."""
    entries = contents.packed.entries
    if not entries:
        return f"taskspace show --atlas {contents.file}"
    which = f" --learner {entries[0].space[:12]}" if len(contents.spaces) > 1 else ""
    return f"taskspace rank {tables.shell(entries[0].name)} --atlas {contents.file}{which}"


def _files(contents: Contents) -> str:
    manifest = contents.packed.manifest
    rows = [(SPACES, "each space's identity, and the size and SHA-256 of every file")]
    rows += [
        (part.file.path, f"{tables.some(part.count, 'embedding')} of {part.dims:,} numbers") for part in contents.spaces
    ]
    rows += [(pool.file.path, f"the {tables.some(pool.rows, 'text')} of a pool") for pool in manifest.pools]
    rows += [(TRANSFERS, tables.some(manifest.transfers.rows, "measured transfer"))]
    rows += [(file.path, "the picture above") for file in manifest.pictures]
    several = any(len(part.blocks) > 1 for part in contents.spaces)
    return _FILES.format(
        rows="\n".join(f"| `{path}` | {holds} |" for path, holds in rows),
        repo=contents.repo,
        config=contents.spaces[0].name if contents.spaces else "transfers",
        blocks=", taken block by block and averaged (`blocks` in `spaces.json`)" if several else "",
        version=manifest.version,
        command=contents.command,
    )
