"""What a ranking costs each contender, measured one after another on one thread.

Seconds are [of the wall, of the processor]; the second number hardly minds what else the machine does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from _rivals_asked import RATES, Rival, selector_request
from _rivals_inputs import BASE, MAX_LENGTH
from taskspace import Space
from taskspace.ranking.estimators import ESTIMATORS, fit_map, logme
from taskspace.ranking.signals._embeddings import cosine
from taskspace.surrogates import Surrogate, load_surrogate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _rivals_ours import Ours

RUN = ("logme", "h_score", "knn", "linear_probe")
"""Of ours, those that run every source on the target's rows."""

Seconds = list[float]


@dataclass(frozen=True, eq=False)
class Prices:
    """The contenders on one ground truth and one number of target rows."""

    ours: Ours
    ranker: Rival
    selector: Rival
    tokens: int

    def of_targets(self, targets: list[str], estimators: list[str]) -> list[dict]:
        """A row per method: seconds for all candidates of a target, the mean over some.

        ``whole`` starts with checkpoints and texts, ``estimating`` with features that are there.
        """
        parts = [self._target(target, estimators) for target in targets]
        models = len(self.ours.transfers.sources)
        return [
            {
                "package": package,
                "method": method,
                "forward_passes": (models if package == "transformer-ranker" or method in RUN else 1)
                * self.ours.kept.rows,
                **{what: _mean([part[package, method][what] for part in parts]) for what in ("whole", "estimating")},
            }
            for package, method in parts[0]
        ]

    def _target(self, target: str, estimators: list[str]) -> dict[tuple[str, str], dict[str, Seconds]]:
        found = {("transformer-ranker", key): price for key, price in self._of_ranker(target, estimators).items()}
        found["hf-dataset-selector", f"esm, {next(iter(RATES))}"] = self._of_selector(target)
        return found | {("taskspace", key): price for key, price in self._of_ours(target).items()}

    def _of_ranker(self, target: str, estimators: list[str]) -> dict[str, dict[str, Seconds]]:
        kept = self.ours.kept
        names = self.ours.sources(target)
        said = self.ranker.ask(
            f"time_{kept.rows}_{target}",
            anew=True,
            job="time",
            targets={target: kept.as_target(target)},
            sources={name: kept.checkpoint(name) for name in names},
            features={target: {name: kept.features(name, target) for name in names}},
            estimators=estimators,
        )
        return {f"{estimator}, layermean (default)": answer for (_, estimator), answer in said.items()}

    def _of_selector(self, target: str) -> dict[str, Seconds]:
        kept, rate = self.ours.kept, next(iter(RATES.values()))
        request = selector_request(self.selector, kept, self.ours.transfers, self.tokens)
        request["targets"] = {target: kept.as_target(target)}
        request["features"] = {target: kept.features(BASE, target)}
        name = f"time_{kept.rows}_{target}"
        (whole,) = self.selector.ask(name, anew=True, job="rank", name=f"{rate}_{self.tokens}", **request).values()
        (alone,) = self.selector.ask(f"{name}_given", anew=True, job="given", name=f"{rate}_given", **request).values()
        return {"whole": whole["whole"], "estimating": alone["estimating"]}

    def _of_ours(self, target: str) -> dict[str, dict[str, Seconds]]:
        ours, names = self.ours, self.ours.sources(target)
        task = ours.kept.tasks.target(target)
        labels = task.labels.codes
        reading, tables = timed(lambda: [self._fresh(name).last_states(task.inputs) for name in names])
        found: dict[str, dict[str, Seconds]] = {}
        for name in RUN:
            alone = least(lambda rule=ESTIMATORS[name]: [rule(table, labels) for table in tables])
            found[name] = {"whole": _sum(reading, alone), "estimating": alone}
        once, base = timed(lambda: self._fresh(BASE).last_states(task.inputs))
        maps = [ours.map_of(name) for name in names]
        alone = least(lambda: [logme(each.apply(base), labels) for each in maps])
        found["esm"] = {"whole": _sum(once, alone), "estimating": alone}
        found["response"] = self._of_response(target)
        return found

    def _of_response(self, target: str) -> dict[str, Seconds]:
        """In a space that knows its pool, a target whose texts are new to it; and the same again."""
        task, there = self.ours.kept.tasks.target(target), self.ours.ground.question(target).vectors["response"]
        loading, _ = timed(lambda: load_surrogate(max_length=MAX_LENGTH, cache=False).module)
        space = self._space()
        rank = lambda: cosine(replace(there, target=space.embed(task).vector))  # noqa: E731
        whole, _ = timed(rank)
        return {"whole": _sum(loading, whole), "estimating": least(rank)}

    def of_sources(self, sources: list[str]) -> dict:
        """What a source costs before any target is known, and what is kept of it: mean seconds and bytes."""
        each = [self._source(name) for name in sources]
        both = ("embedding", "training")
        return {
            "seconds": {
                "hf-dataset-selector, esm": {part: _mean([one["esm"][part] for one in each]) for part in both},
                "taskspace, esm": {part: _mean([one["map"][part] for one in each]) for part in both},
                "taskspace, response": {"embedding": _mean([one["response"] for one in each])},
                "taskspace, response, the pool once": {"embedding": self._pool_price},
            },
            "bytes": {what: int(np.mean([one["bytes"][what] for one in each])) for what in each[0]["bytes"]},
        }

    def _source(self, name: str) -> dict:
        ours, task = self.ours, self.ours.kept.tasks.source(name)
        reading, pairs = timed(lambda: [self._fresh(by).last_states(task.inputs) for by in (BASE, name)])
        fitting, _ = timed(lambda: fit_map(*pairs))
        space = self._space()
        embedding, vector = timed(lambda: space.embed(task))
        esm = self._esm(name)
        return {
            "map": {"embedding": reading, "training": fitting},
            "response": embedding,
            "esm": esm,
            "bytes": {
                "transformer-ranker, checkpoint": _size(ours.kept.checkpoint(name) / "model.safetensors"),
                "hf-dataset-selector, esm": esm["bytes"],
                "taskspace, changed tensors": _size(ours.kept.tuned(name)),
                "taskspace, esm": _size(ours.map_path(name)),
                "taskspace, response": _size(ours.vector_path(vector)),
            },
        }

    def _esm(self, name: str) -> dict:
        """Its map, embeddings of the source's rows included."""
        kept = self.ours.kept
        request = selector_request(self.selector, kept, self.ours.transfers, self.tokens)
        folder = self.selector.folder / "timed"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}__{self.tokens}.npz").unlink(missing_ok=True)
        request |= {"rows": {name: kept.as_source(name)}, "folder": folder}
        rate = next(iter(RATES.values()))
        (said,) = self.selector.ask(f"once_{name}", anew=True, job="train", name="timed", rate=rate, **request).values()
        return said

    def _space(self) -> Space:
        """One that knows its pool, and of tasks only a few rows of a target."""
        tasks = self.ours.kept.tasks
        pool = tasks.pool(self.ours.transfers.sources)
        space = Space(pool, surrogate=load_surrogate(max_length=MAX_LENGTH, cache=False), learner="response")
        few = tasks.target(self.ours.transfers.targets[-1]).take(range(32))
        self._pooled[0], _ = timed(lambda: space.embed(few))
        return space

    @property
    def _pool_price(self) -> Seconds:
        return np.round(self._pooled[0], 4).tolist()

    @cached_property
    def _pooled(self) -> list[Seconds]:
        return [[0.0, 0.0]]

    def _fresh(self, name: str) -> Surrogate:
        """A checkpoint as its folder has it, nothing read yet."""
        return load_surrogate(self.ours.kept.checkpoint(name), max_length=MAX_LENGTH, cache=False)


def timed(work: Callable[[], object]) -> tuple[Seconds, object]:
    start = time.perf_counter(), time.process_time()
    found = work()
    return [time.perf_counter() - start[0], time.process_time() - start[1]], found


def least(work: Callable[[], object], times: int = 3) -> Seconds:
    """The seconds of the run that took the processor least, of some after a first."""
    work()
    return min((timed(work)[0] for _ in range(times)), key=lambda seconds: seconds[1])


def _sum(first: Seconds, second: Seconds) -> Seconds:
    return [a + b for a, b in zip(first, second, strict=True)]


def _mean(each: list[Seconds]) -> Seconds:
    return np.round(np.mean(each, axis=0), 4).tolist()


def _size(path: Path) -> int:
    return path.stat().st_size
