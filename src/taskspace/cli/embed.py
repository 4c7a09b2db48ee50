"""``taskspace embed``: data sets and models become points of the atlas's space, adapters of one of their base's."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.cli._space import space_for
from taskspace.cli._weights import WeightSources, only_weights, require_none_of_texts
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from taskspace.embedding import SpaceId
    from taskspace.scale import Outcome, Source
    from taskspace.task import Task


def embed(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Files, task folders or Hub data set ids; or weights:PATH, an adapter or a model less its --base.",
        ),
    ] = None,
    labeler: Annotated[
        list[str] | None,
        typer.Option(
            help="A model: hub:ID, prompt:FILE.toml:NAME, http://HOST/v1#FILE.toml:NAME, predictions:FILE,"
            " python:MODULE:NAME or sklearn:FILE.  May be repeated."
        ),
    ] = None,
    atlas: o.AtlasPath = None,
    learner: o.Learner = None,
    surrogate: Annotated[str | None, typer.Option(help="Base model: a Hub id or folder (default: the atlas's)")] = None,
    pool: Annotated[
        Path | None, typer.Option(help="Unlabelled texts (default: the atlas's, else drawn from the data given)")
    ] = None,
    text: o.TextColumn = None,
    text_pair: o.PairColumn = None,
    label: o.LabelColumn = None,
    name: Annotated[str | None, typer.Option(help="What to call it, when one thing is embedded.")] = None,
    limit: o.Limit = 5000,
    seed: Annotated[int | None, typer.Option(help="Seed of the space (default: the atlas's, else 0)")] = None,
    device: Annotated[
        str | None, typer.Option(help="Where models run: cpu, cuda, … (default: cuda where there is one)")
    ] = None,
    reads: Annotated[
        str | None, typer.Option(help="What models are given: texts, pairs or both (default: as each says, or guessed)")
    ] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Unpickle joblib and pickle files: only those you made.")
    ] = False,
    runner: Annotated[
        str, typer.Option(help="Where the work is done: local, processes (of this machine) or ray (a cluster).")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many workers (default: one per core, or per GPU of a cluster)")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster (default: $RAY_ADDRESS, else one on this machine)")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="What the models of weights:PATH were fine-tuned from: a file or folder.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Tensors of weights:PATH to leave out: 'classifier.*'.  May be repeated.")
    ] = None,
    as_json: o.AsJson = False,
) -> None:
    """Embed data sets (FILE …) and models (--labeler) into the atlas, or adapters by their weights (weights:PATH …).

    What is there with the same content is kept, so a run that was stopped goes on where it was.
    """
    from taskspace.atlas import Atlas
    from taskspace.scale import embed_all, runner_named
    from taskspace.task import Pool

    if weights := only_weights(inputs or [], labeler or [], base, ignore or []):
        require_none_of_texts(context)
        _require_sense(len(weights), name)
        _embed_weights(WeightSources(weights, base, ignore or [], name, seed), atlas, len(weights), as_json=as_json)
        return
    where = runner_named(runner, workers=workers, address=address)
    read = partial(o.read_source, text=text, text_pair=text_pair, label=label, limit=limit)
    data = _data_sources(inputs or [], read, name)
    models = _model_sources(labeler or [], name, trust_pickle=trust_pickle, reads=reads, device=device)
    _require_sense(len(data) + len(models), name)
    path = o.atlas_to_fill(atlas)
    texts = None if pool is None else Pool.from_file(pool)
    with Atlas(path) as store:
        space = space_for(store, data, texts, learner=learner, surrogate=surrogate, seed=seed, device=device)
        sources = [*data, *models]
        outcomes = _watched(embed_all(space, sources, store, where), len(sources), as_json=as_json)
    _tell(path, [space.identity], outcomes, as_json=as_json)


def _embed_weights(sources: WeightSources, atlas: str | None, count: int, *, as_json: bool) -> None:
    from taskspace.atlas import Atlas

    path = o.atlas_to_fill(atlas)
    with Atlas(path) as store:
        outcomes = _watched(sources.embedded(store), count, as_json=as_json)
    _tell(path, sources.spaces, outcomes, as_json=as_json)


def _tell(path: Path | str, spaces: list[SpaceId], outcomes: list[Outcome], *, as_json: bool) -> None:
    if as_json:
        o.print_json(_document(path, spaces, outcomes))
    else:
        o.say(_summary(path, spaces, outcomes))
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(2)


def _data_sources(inputs: list[str], read: Callable[[str], Task], name: str | None) -> list[Source]:
    from taskspace.scale import Source

    return [Source(where, partial(_task, read, where, name)) for where in inputs]


def _task(read: Callable[[str], Task], where: str, name: str | None) -> Task:
    return read(where) if name is None else replace(read(where), name=name)


def _model_sources(
    specs: list[str], name: str | None, *, trust_pickle: bool, reads: str | None, device: str | None
) -> list[Source]:
    from taskspace.cli._models import Models
    from taskspace.labelers import require_reads
    from taskspace.labelers.load import Loader
    from taskspace.scale import Source

    models = Models(Loader(trust_pickle, None if reads is None else require_reads(reads), device))
    return [Source(spec, partial(models.load, spec, name)) for spec in specs]


def _require_sense(count: int, name: str | None) -> None:
    if not count:
        raise SettingError("nothing to embed was given; name files, folders, Hub ids, or models with --labeler")
    if name is not None and count > 1:
        raise SettingError(f"--name {name} fits one thing, and {count} were given; embed it alone")


def _watched(outcomes: Iterable[Outcome], total: int, *, as_json: bool) -> list[Outcome]:
    """Tell each outcome as it comes, under a bar where somebody watches."""
    from tqdm.auto import tqdm

    seen: list[Outcome] = []
    with tqdm(total=total, desc="embed", unit="task", disable=not o.on_terminal(), leave=False) as bar:
        for outcome in outcomes:
            seen.append(outcome)
            bar.update()
            if outcome.status == "failed" or not as_json:
                stream = sys.stderr if outcome.status == "failed" else sys.stdout
                tqdm.write(_line(outcome), file=stream)
                stream.flush()  # so that a log file or a pipe shows it now
    return seen


def _line(outcome: Outcome) -> str:
    if outcome.status == "failed":
        return f"failed    {outcome.problem}"
    if outcome.embedding is None:
        return f"kept      {outcome.name}"
    about = outcome.embedding.provenance
    facts = [f"{about['tensors']} tensors"] if "tensors" in about else [f"{about['input_rows']} rows"]
    facts += [f"rank {about['rank']}"] if about.get("rank") else []
    facts += [f"{about['classes']} classes"] if about.get("classes") else []
    facts += [f"skill {about['skill']:.2f}"] if "skill" in about else []
    facts += [] if outcome.embedding.informative else ["uninformative: the answers cannot be told from noise"]
    facts += [f"same content as {about['same_content_as']!r}"] if "same_content_as" in about else []
    return f"{outcome.status:<9} {outcome.name} ({outcome.embedding.kind}; {', '.join(facts)})"


def _summary(path: Path | str, spaces: list[SpaceId], outcomes: list[Outcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    told = f"{', '.join(f'{n} {status}' for status, n in counts.items())} in {path}"
    if len(spaces) > 1:
        return f"{told}, in {len(spaces)} spaces that cannot be compared: {'; '.join(map(str, spaces))}"
    return told + "".join(f" ({space})" for space in spaces)


def _document(path: Path | str, spaces: list[SpaceId], outcomes: list[Outcome]) -> dict[str, Any]:
    told = [space.to_dict() | {"fingerprint": space.fingerprint} for space in spaces]
    return {
        "atlas": str(path),
        **({"space": told[0]} if len(told) == 1 else {"spaces": told}),
        "outcomes": [
            {
                "origin": outcome.origin, "status": outcome.status, "name": outcome.name, "problem": outcome.problem,
                "provenance": {} if outcome.embedding is None else dict(outcome.embedding.provenance),
            }
            for outcome in outcomes
        ],
    }  # fmt: skip
