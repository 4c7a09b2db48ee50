"""Training a bank: every row learns its own task, all of them in the same batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.tuning import _checkpoint
from taskspace.tuning._whole import require_whole
from taskspace.tuning.adamw import RowAdamW
from taskspace.tuning.bank import digest, snapshot
from taskspace.tuning.schedule import height, picks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from taskspace.tuning.bank import Bank
    from taskspace.tuning.recipe import Recipe
    from taskspace.tuning.rows import Examples, Row


class Diverged(SettingError):
    """A loss that is no longer finite."""


@dataclass(frozen=True, eq=False)
class Job:
    """What one bank row learns from, and what chooses its best state: without any, the last state is kept.

    Several sets of examples are a mixture, drawn from as one.  ``seed`` sets the order of the examples; ``batch``
    takes the place of the recipe's.
    """

    train: Examples | tuple[Examples, ...]
    validation: Examples | tuple[Examples, ...] = ()
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        for name in ("train", "validation"):
            given = getattr(self, name)
            object.__setattr__(self, name, given if isinstance(given, tuple) else (given,))
        require_whole(0, seed=self.seed)
        if self.batch is not None:
            require_whole(1, batch=self.batch)

    @property
    def sets(self) -> tuple[tuple[Examples, ...], tuple[Examples, ...]]:
        """What is learned from, and what is validated on, each as a mixture."""
        return cast("Any", (self.train, self.validation))


@dataclass(frozen=True)
class Outcome:
    """How one row's training went: losses in nats per target token or text, by step.

    ``kept`` is the step whose state the row holds now, ``steps`` how many it took.
    """

    steps: int
    kept: int
    training: tuple[tuple[int, float], ...]
    validation: tuple[tuple[int, float], ...]


def train(
    bank: Bank, jobs: Sequence[Job], recipe: Recipe, *, folder: Path | None = None, progress: bool = False
) -> tuple[Outcome, ...]:
    """Row k of the bank learns job k.

    Where rows share tensors (MPT) there is no best state of a single row: none stops early, and all keep their last.
    With ``folder`` the state is kept there at each check: a run that was stopped goes on from it and ends with the
    same numbers as one that was not.  Raises :class:`SettingError` where the folder holds another run's state,
    where a text is too long for the backbone, or a loss is no longer finite; :class:`DataError` for a job without
    examples.
    """
    _require_fitting(bank, jobs)
    run = Training(bank, jobs, recipe)
    if folder is not None:
        _checkpoint.resume(folder, run)
    with _bar(recipe.steps, run.step, progress) as bar:
        while run.step < recipe.steps and any(run.active):
            run.advance()
            bar.update(1)
            if run.step % recipe.check == 0 or run.step == recipe.steps:
                run.look()
                if folder is not None:
                    _checkpoint.save(folder, run)
    run.restore_best()
    return tuple(record.outcome() for record in run.records)


@dataclass
class Record:
    """What is known of one row while it trains."""

    active: bool = True
    steps: int = 0
    kept: int = 0
    best: float = float("inf")
    worse: int = 0
    training: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    validation: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    recent: list[float] = field(default_factory=list[float])

    def outcome(self) -> Outcome:
        return Outcome(self.steps, self.kept, tuple(self.training), tuple(self.validation))


@final
class Training:
    """A training under way."""

    def __init__(self, bank: Bank, jobs: Sequence[Job], recipe: Recipe) -> None:
        self.bank = bank
        self.jobs = jobs
        self.recipe = recipe
        self.step = 0
        self.records = [Record() for _ in jobs]
        self.rows = RowAdamW(bank.parameters, decay=recipe.decay, clip=recipe.clip)
        self.common = RowAdamW(bank.shared, decay=recipe.decay, clip=recipe.clip)
        self.best = snapshot(bank.parameters)
        self.start = digest({**bank.parameters, **bank.shared})
        prepared = [[_prepared(bank, sets, recipe) for sets in job.sets] for job in jobs]
        self._train = [train for train, _ in prepared]
        self._validation = [validation for _, validation in prepared]
        bank.require_room({row: train + validation for row, (train, validation) in enumerate(prepared)})

    @property
    def active(self) -> list[bool]:
        return [record.active for record in self.records]

    def advance(self) -> None:
        """One update of every row that has not stopped."""
        rows = [row for row, record in enumerate(self.records) if record.active]
        losses = self.bank.learn({row: self._batch(row) for row in rows})
        rates = self._rates()
        self.rows.step(rows, rates)
        self.common.step([0], rates)
        self.step += 1
        for row, loss in losses.items():
            record = self.records[row]
            record.steps = self.step
            record.recent.append(loss)

    def look(self) -> None:
        """Note the losses; keep the best states, and stop the rows that have waited long enough."""
        watched = {row: rows for row, rows in enumerate(self._validation) if rows and self.records[row].active}
        found = self.bank.losses(watched) if watched else {}
        self._require_finite(found)
        for row, record in enumerate(self.records):
            if not record.active:
                continue
            record.training.append((self.step, float(np.mean(record.recent))))
            record.recent.clear()
            if row in found:
                record.validation.append((self.step, found[row]))
            self._judge(row, record, found.get(row))

    def _require_finite(self, found: dict[int, float]) -> None:
        for row, record in enumerate(self.records):
            if not np.isfinite([*record.recent, found.get(row, 0.0)]).all():
                raise Diverged(f"the loss of row {row} is not finite at step {self.step}; lower the rate")

    def _judge(self, row: int, record: Record, loss: float | None) -> None:
        better = loss is None or loss < record.best
        if better or self.bank.shared:
            record.kept = self.step
            for name, tensor in self.bank.parameters.items():
                self.best[name][row] = tensor[row].detach()
        if loss is not None:
            record.best, record.worse = (loss, 0) if better else (record.best, record.worse + 1)
            impatient = self.recipe.patience and not self.bank.shared
            record.active = not impatient or record.worse < self.recipe.patience

    def restore_best(self) -> None:
        for name, tensor in self.bank.parameters.items():
            tensor.data.copy_(self.best[name])

    def _batch(self, row: int) -> list[Row]:
        examples, job = self._train[row], self.jobs[row]
        size = job.batch or self.recipe.batch
        return [examples[i] for i in picks(len(examples), size, self.step, seed=(self.recipe.seed, job.seed))]

    def _rates(self) -> dict[str, float]:
        """Learning rates of this step by tensor."""
        now = height(self.step, self.recipe)
        factors = self.bank.tuned.part.rates
        own = {name: self.recipe.rate * factors.get(name, 1.0) * now for name in [*self.rows.first, *self.common.first]}
        return own | {name: self.recipe.head_rate * now for name in own if name.startswith("head.")}


def _prepared(bank: Bank, sets: Sequence[Examples], recipe: Recipe) -> list[Row]:
    return [row for examples in sets for row in bank.prepare(examples, max_length=recipe.max_length)]


def _require_fitting(bank: Bank, jobs: Sequence[Job]) -> None:
    if len(jobs) != len(bank):
        raise SettingError(f"{len(jobs)} jobs for a bank of {len(bank)} rows; give one for each")
    for row, job in enumerate(jobs):
        if not sum(len(examples) for examples in job.sets[0]):
            raise DataError(f"bank row {row} has no examples to learn from; give at least one, or evaluate its start")
        for examples in (*job.sets[0], *job.sets[1]):
            if len(examples):
                bank.require_outputs(examples, [row])


def _bar(total: int, done: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, desc="tuning", unit="step", disable=not progress, leave=False)
