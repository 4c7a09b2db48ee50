"""Options that several verbs share, and what they print with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace._home import default_atlas
from taskspace.errors import AtlasError, SettingError, did_you_mean

if TYPE_CHECKING:
    from taskspace.embedding import Kind
    from taskspace.ranking import Ranking
    from taskspace.task import Task

AtlasPath = Annotated[
    str | None,
    typer.Option(
        "--atlas",
        metavar="PATH",
        help="The atlas: a file, a folder NAME.lance, or a URI such as s3://bucket/name"
        " (default: $TASKSPACE_ATLAS, else a file for this user)",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Learner = Annotated[
    str | None,
    typer.Option(
        help="response, text, fisher or tuned:prompt|prefix|lora|bitfit (default: the atlas's, else response)"
    ),
]
Which = Annotated[
    str | None,
    typer.Option("--learner", help="Where there are several spaces: the learner of one, or the start of its id."),
]
KindOption = Annotated[str | None, typer.Option("--kind", help="Only dataset, model, prompt or adapter.")]
TextColumn = Annotated[str | None, typer.Option("--text", help="Column of the text (default: guessed)")]
PairColumn = Annotated[str | None, typer.Option("--text-pair", help="Column of the second text.")]
LabelColumn = Annotated[str | None, typer.Option("--label", help="Column of the label.")]
Limit = Annotated[int, typer.Option(min=2, help="Rows to use of each data set: a sample stratified by label.")]
Fusion = Annotated[str, typer.Option(help="How blocks are combined: mean or rrf (reciprocal ranks).")]
Centre = Annotated[
    bool, typer.Option("--centre", help="Take the mean of the space's embeddings off first, so that they differ more.")
]
Top = Annotated[int, typer.Option("-k", min=1, help="How many to print.")]


def atlas_path(given: str | None) -> Path | str:
    """What is meant by ``--atlas``, or the default: a URI as it is, else a path."""
    named = given or os.environ.get("TASKSPACE_ATLAS")
    if not named:
        return default_atlas()
    return named if "://" in named else Path(named)


def atlas_to_fill(given: str | None) -> Path | str:
    """As :func:`atlas_path`; where none was given, the folder of the default one may not be there yet and is made."""
    path = atlas_path(given)
    if given is None and isinstance(path, Path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AtlasError(
                f"the folder {path.parent} cannot be made ({error.strerror}); say another with --atlas"
            ) from error
    return path


def checked_kind(kind: str | None) -> Kind | None:
    """``--kind`` as one of the four, or a sentence."""
    from taskspace.embedding import KINDS

    if kind is not None and kind not in KINDS:
        raise SettingError(f"kind {kind!r} is not known{did_you_mean(kind, KINDS)}")
    return kind


def read_source(
    where: str, *, text: str | None, text_pair: str | None, label: str | None, limit: int, seed: int = 0
) -> Task:
    """A file or folder if there is one, else a Hub data set id (``owner/name``)."""
    from taskspace.data.files import format_of
    from taskspace.task import Task

    columns: dict[str, Any] = {"text": text, "text_pair": text_pair, "label": label, "limit": limit, "seed": seed}
    if not there(where) and where.count("/") == 1 and format_of(Path(where)) is None and where[0] not in "./~":
        return Task.from_hub(where, **columns)
    return Task.from_file(where, **columns)


def there(where: str | Path) -> bool:
    """Whether a file or folder of that name exists; a name no file can have does not."""
    try:
        return Path(where).exists()
    except OSError:
        return False


def print_json(value: Any) -> None:
    """One document on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(sentence: str) -> None:
    """A remark on stderr, out of the way of the answer."""
    typer.echo(sentence, err=True)


def on_terminal() -> bool:
    """Whether somebody watches stderr."""
    return sys.stderr.isatty()


def print_ranking(ranking: Ranking, *, as_json: bool) -> None:
    """A ranking as a table, or as JSON."""
    if as_json:
        print_json(ranking.to_dict())
    else:
        typer.echo(str(ranking))
