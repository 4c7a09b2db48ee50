"""``taskspace demo``: the main job from end to end, on the sample tasks or on a folder of task folders."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.errors import DataError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from taskspace.atlas import Atlas
    from taskspace.labelers import Labeler
    from taskspace.task import Task

MODEL_SUFFIX = ":tfidf"


@dataclass(frozen=True)
class Line:
    """For one target held out: what it would start from, and at which place its own model is found."""

    target: str
    datasets: list[str]
    models: list[str]
    own_model: int
    informative: bool
    notes: list[str]

    @property
    def label(self) -> str:
        """The target's name, marked where its order means nothing."""
        return self.target if self.informative else f"{self.target} ?"


def demo(
    data: Annotated[Path | None, typer.Option(help="A folder of task folders (default: the sample tasks)")] = None,
    atlas: Annotated[str | None, typer.Option(metavar="PATH", help="Keep the atlas there.")] = None,
    rows: Annotated[int, typer.Option(min=20, help="Rows of each data set to embed.")] = 400,
    as_json: o.AsJson = False,
) -> None:
    """Embed data sets, train a model on each, embed the models as black boxes, and rank with each target held out."""
    from taskspace.atlas import Atlas

    with _place(atlas) as path, Atlas(path) as store:
        tasks = _tasks(data)
        failed = _fill(store, tasks, rows)
        lines = [_hold_out(store, task.name) for task in tasks if task.name in store]
    if not lines:
        raise DataError(f"none of the {len(tasks)} data sets could be embedded; see above why")
    if as_json:
        o.print_json({"targets": [asdict(line) for line in lines], "own_model_mrr": _reciprocal(lines)})
    else:
        typer.echo(_table(lines))
    if failed:
        raise typer.Exit(2)


@contextlib.contextmanager
def _place(atlas: str | None) -> Generator[Path | str]:
    if atlas is not None:
        yield atlas
        return
    with tempfile.TemporaryDirectory(prefix="taskspace-demo-") as folder:
        yield Path(folder) / "demo.db"


def _tasks(data: Path | None) -> list[Task]:
    from taskspace.data import sample_tasks
    from taskspace.task import Task

    if data is None:
        return sample_tasks()
    folders = sorted(path.parent for path in data.glob("*/task.json"))
    if len(folders) < 2:
        raise DataError(f"{data} holds {len(folders)} folders with a task.json; the demo needs at least two")
    return [Task.from_file(folder) for folder in folders]


def _fill(atlas: Atlas, tasks: list[Task], rows: int) -> int:
    """Every data set and a model trained on each, through one pool drawn from all of them; how many failed."""
    from taskspace.scale import Source, embed_all
    from taskspace.space import Space
    from taskspace.task import Pool

    pool = Pool.from_tasks(tasks, size=2000)
    space = Space(pool, progress=o.on_terminal())
    o.say(f"{len(tasks)} data sets; a pool of {len(pool)} texts, {int(pool.inputs.is_pair.sum())} of them pairs")
    atlas.keep_space(space.identity, pool)
    sources = [Source(task.name, partial(_sample, task, rows)) for task in tasks]
    sources += [Source(task.name + MODEL_SUFFIX, partial(_model, task)) for task in tasks]
    failed = 0
    for number, outcome in enumerate(embed_all(space, sources, atlas), start=1):
        o.say(
            f"[{number}/{len(sources)}] {outcome.status} {outcome.origin}{outcome.problem and ': ' + outcome.problem}"
        )
        failed += outcome.status == "failed"
    return failed


def _sample(task: Task, rows: int) -> Task:
    import numpy as np

    return task.take(np.random.default_rng(0).permutation(len(task))[:rows])


def _model(task: Task) -> Labeler:
    """A bag-of-words classifier, which shares nothing with the surrogate; pairs are read as one text."""
    from taskspace import labelers
    from taskspace._extras import require
    from taskspace.labels import Classes

    text = require("sklearn.feature_extraction.text", extra="sklearn", why="taskspace demo")
    linear = require("sklearn.linear_model", extra="sklearn", why="taskspace demo")
    pipeline = require("sklearn.pipeline", extra="sklearn", why="taskspace demo")
    task.require_learnable()
    labels = task.stated_labels
    if not isinstance(labels, Classes):
        raise SettingError(f"the demo trains classifiers, and the labels of {task.name!r} are no classes; leave it out")
    known = (labels.codes >= 0).nonzero()[0]
    pairs = bool(task.inputs.is_pair.all())
    model = pipeline.make_pipeline(
        text.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        linear.LogisticRegression(C=10.0, max_iter=1000),
    ).fit(_joined(task.take(known)), [labels.names[code] for code in labels.codes[known]])
    predict: Callable[[Sequence[Any]], Any] = partial(_answers, model)
    version = task.fingerprint  # the data decide the model
    return labelers.from_callable(
        predict, name=task.name + MODEL_SUFFIX, reads="pairs" if pairs else "texts", version=version
    )


def _joined(task: Task) -> list[str]:
    return [
        text if pair is None else f"{text} {pair}"
        for text, pair in zip(task.inputs.texts, task.inputs.pairs, strict=True)
    ]


def _answers(model: Any, rows: Sequence[Any]) -> Any:
    return model.predict_proba([row if isinstance(row, str) else " ".join(row) for row in rows])


def _hold_out(atlas: Atlas, name: str) -> Line:
    own = name + MODEL_SUFFIX
    datasets = atlas.rank(name, kind="dataset", k=3)
    models = atlas.rank(name, kind="model", k=None)
    place = next((hit.rank for hit in models if hit.name == own), 0)
    others = [hit.name for hit in models if hit.name != own]
    names = [hit.name for hit in datasets]
    return Line(name, names, others[:3], place, atlas.get(name).informative, list(datasets.notes))


def _reciprocal(lines: list[Line]) -> float:
    """Mean reciprocal rank at which a target finds the model trained on it."""
    return sum(1 / line.own_model for line in lines if line.own_model) / len(lines)


def _table(lines: list[Line]) -> str:
    first, second = "held out", "data sets to start from"
    wide = max(len(first), *(len(line.label) for line in lines))
    middle = max(len(second), *(len(", ".join(line.datasets)) for line in lines))
    chance = sum(1 / (i + 1) for i in range(len(lines))) / len(lines)
    rows = [f"{line.label:<{wide}}  {', '.join(line.datasets):<{middle}}  {', '.join(line.models)}" for line in lines]
    head = f"{first:<{wide}}  {second:<{middle}}  models to start from"
    foot = [
        "The order is by similarity in one space, not by predicted gain.",
        f"A target finds its own model at mean reciprocal rank {_reciprocal(lines):.2f} (chance {chance:.2f}).",
    ]
    if not all(line.informative for line in lines):
        foot.append("?: these labels cannot be told from noise on the surrogate, so the order means nothing.")
    return "\n".join([head, *rows, "", *foot])
