"""A study made up by a stated model of scores, so that what the report must say of it is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.prompting.study import Run, TunedPrompt

SOURCES = ("sst2", "mnli", "qnli", "mrpc", "trec", "ag_news", "cola", "imdb")
TARGETS = {"sst5": ("sst2", "imdb"), "snli": ("mnli", "qnli"), "rte": ("mnli", "mrpc"), "dbpedia": ("ag_news", "trec")}
SHOTS = (0, 10, 50, 100, 500)
SCALES = tuple(i / 10 for i in range(11))
GAINS = {
    "random": 0.0, "single": 0.10, "spot": 0.12, "tpv": 0.16, "average": 0.11, "attempt": 0.04, "mpt": 0.08,
    "dept": -0.02,
}  # fmt: skip


def source_runs(tasks=SOURCES, inits=(0, 1, 2), spread=0.004, seed=0):
    """Tuned prompts around .9 - .03 i, untrained inits at .5, validation a little above test."""
    rng = np.random.default_rng(seed)
    for i, task in enumerate(tasks):
        for init in inits:
            score = 0.9 - 0.03 * i + rng.normal(0, spread)
            base = {"part": "sources", "task": task, "metric": "accuracy", "init": init}
            yield Run(**base, score=score)
            yield Run(**base, score=score + 0.01, split="validation")
            yield Run(**base, score=0.5, method="start")


def mixed_runs(sources, changes, spread=0.002, seed=1):
    """Each vector on each other init, changed by what its task says (0 for others)."""
    rng = np.random.default_rng(seed)
    tuned = [run for run in sources if run.method == "tuned" and run.split == "test"]
    for run in tuned:
        for other in sorted({each.init for each in tuned} - {run.init}):
            score = run.score + changes.get(run.task, 0.0) + rng.normal(0, spread)
            yield Run(part="mixed", task=run.task, metric=run.metric, score=score, init=run.init, foreign=other)


def pair_runs(sources, kept=0.96, scales=SCALES, seed=2):
    """Both scores rise to ``kept`` of the single prompts' at λ = .6 and fall after; the first task falls faster."""
    rng = np.random.default_rng(seed)
    single = {(run.task, run.init): run.score for run in sources if run.method == "tuned" and run.split == "test"}
    tasks = list(dict.fromkeys(task for task, _ in single))
    for i, first in enumerate(tasks):
        for second in tasks[i + 1 :]:
            for init in sorted({init for _, init in single}):
                for scale in scales:
                    for task, other, steep in ((first, second, 0.3), (second, first, 0.1)):
                        top = kept * single[task, init]
                        rise = min(scale / 0.6, 1.0) ** 0.5
                        score = 0.5 + (top - 0.5) * rise - steep * max(0, scale - 0.6)
                        base = {"part": "pairs", "task": task, "other": other, "metric": "accuracy", "init": init,
                                "scale": float(scale), "method": "tpv"}  # fmt: skip
                        yield Run(**base, score=score + 0.01, split="validation")
                        if abs(scale - 0.6) < 1e-9:
                            yield Run(**base, score=score + rng.normal(0, 0.002))


def shot_runs(targets=TARGETS, gains=GAINS, shots=SHOTS, inits=(0, 1, 2), seeds=(0,), spread=0.012, seed=3):
    """A learning curve per method: the gain fades with the shots; runs of one init share a shift."""
    rng = np.random.default_rng(seed)
    for t, (task, sources) in enumerate(targets.items()):
        for k in shots:
            for init in inits:
                shared = rng.normal(0, spread / 2)
                for s in seeds:
                    for method, gain in gains.items():
                        for j, source in enumerate(sources if method == "single" else (None,)):
                            score = 0.4 + 0.03 * t + 0.06 * np.log1p(k) + gain / (1 + k / 80) + shared - 0.05 * j
                            yield Run(
                                part="shots", task=task, metric="macro_f1", score=score + rng.normal(0, spread / 2),
                                init=init, seed=s, shots=k, method=method, other=source,
                            )  # fmt: skip


def prompts_of(tasks=SOURCES, inits=(0, 1, 2), alike=1.0, tokens=10, width=32, seed=4):
    """Vectors that share ``alike`` of a direction per task, on inits of norm 1 per token."""
    rng = np.random.default_rng(seed)
    starts = {init: rng.normal(0, width**-0.5, (tokens, width)) for init in inits}
    for task in tasks:
        own = rng.normal(0, 1, width)
        for init in inits:
            vector = alike * own + rng.normal(0, 0.8, (tokens, width))
            yield TunedPrompt(
                task, init, (starts[init] + 0.3 * vector).astype(np.float32), starts[init].astype(np.float32)
            )


def whole(tasks=SOURCES, targets=TARGETS):
    sources = list(source_runs(tasks))
    return [*sources, *mixed_runs(sources, {"trec": -0.3}), *pair_runs(sources), *shot_runs(targets)]


class Made:
    """The makers of runs, for tests to vary."""

    sources = staticmethod(source_runs)
    mixed = staticmethod(mixed_runs)
    pairs = staticmethod(pair_runs)
    shots = staticmethod(shot_runs)
    prompts = staticmethod(prompts_of)


@pytest.fixture(scope="session")
def made():
    return Made


@pytest.fixture(scope="session")
def study():
    """A study of five sources and two targets: trec alone suffers from another init."""
    return whole(SOURCES[:5], dict(list(TARGETS.items())[:2]))


@pytest.fixture(scope="session")
def prompts():
    return list(prompts_of(SOURCES[:5]))
