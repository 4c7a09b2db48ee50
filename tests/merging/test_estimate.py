"""What a merge is said to take, beside what it takes."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import Checkpoint, opened
from taskspace.merging.estimate import estimate
from taskspace.merging.methods.cuts import Cuts
from taskspace.merging.methods.tall import Tall
from taskspace.merging.result import layout_of

SHAPES = {"bias": (64,), "small": (64, 64), "large": (1200, 1000)}


def arrays(seed, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def base():
    return arrays(0)


def estimated(merged, base):
    under = opened(base)
    return estimate(merged, under, layout_of(merged, under))


@pytest.mark.parametrize("method", ["sum", "magnitude", "ties", "dare", "slerp", "remove"])
def test_memory_is_about_what_is_held(base, tmp_path, method):
    merged = merge([TaskVector.diff(arrays(seed), base) for seed in (1, 2)], method)
    said = estimated(merged, base)
    tracemalloc.start()
    merged.apply(base, tmp_path / "out.safetensors")
    _, held = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / 3 < said.memory < held * 3
    assert said.tensors == 3
    assert said.written == 4 * (64 + 64 * 64 + 1200 * 1000)
    assert said.seconds > 0


@pytest.mark.parametrize(
    ("method", "options"),
    [("sum", {}), ("slerp", {}), ("tsv", {}), ("ties", {}), ("ties", {"trim": "model"}), ("graft", {})],
)
def test_every_pass_over_the_files_is_counted(base, tmp_path, monkeypatch, method, options):
    for seed in range(3):
        save_file(arrays(seed, {"small": (64, 64), "large": (300, 200)}), tmp_path / f"{seed}.safetensors")
    under, *tuned = (str(tmp_path / f"{seed}.safetensors") for seed in range(3))
    merged = merge([TaskVector.diff(each, under) for each in tuned[: 1 if method == "graft" else 2]], method, **options)
    said, read, stored = estimated(merged, under), [], Checkpoint.stored

    def counted(self, *window):
        found = stored(self, *window)
        read.append(found.nbytes)
        return found

    monkeypatch.setattr(Checkpoint, "stored", counted)
    merged.apply(under, tmp_path / "out.safetensors")
    samples = sum(size for size in read if size <= 64)  # of digests
    assert sum(read) - samples == said.read


@pytest.mark.parametrize(
    ("method", "options"), [("ties", {"trim": "model"}), ("magnitude", {"trim": "model"}), ("graft", {})]
)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_no_pass_over_the_whole_model_is_made_for_it(base, monkeypatch, method, options, scale):
    merged = merge([TaskVector.diff(arrays(s), base) for s in (1, 2)], method, scale=scale, **options)
    groups = []
    cuts = Cuts._cuts
    monkeypatch.setattr(Cuts, "_cuts", lambda self, group: groups.append(group) or cuts(self, group))
    estimated(merged, base)
    assert groups
    assert all(len(group) == 1 for group in groups)


@pytest.fixture
def work(monkeypatch):
    """Multiplications so far in products of rows and in decompositions; the clock of estimates goes by them."""
    done = []
    eigh, rows = np.linalg.eigh, Tall.rows

    def decomposed(square):
        done.append(8 * len(square) ** 3)
        return eigh(square)

    def taken(tall, panel):
        parts = rows(tall, panel)
        done.append(sum(part.size * part.shape[1] for part in parts))
        return parts

    monkeypatch.setattr(np.linalg, "eigh", decomposed)
    monkeypatch.setattr(Tall, "rows", taken)
    monkeypatch.setattr("taskspace.merging.estimate.time", SimpleNamespace(perf_counter=lambda: sum(done)))
    return done


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("method", ["tsv", "iso"])
def test_decompositions_are_counted_with_products(method, scale, work):
    """A layered model: squares, matrices of four, turned ones, and an embedding of many rows."""
    layer = {"query": (48, 48), "key": (48, 48), "up": (192, 48), "down": (48, 192), "bias": (192,)}
    shapes = {f"{n}.{name}": shape for n in range(4) for name, shape in layer.items()} | {"words": (2500, 48)}
    under = arrays(0, shapes)
    merged = merge([TaskVector.diff(arrays(s, shapes), under) for s in (1, 2, 3)], method, scale=scale)
    said = estimated(merged, under)
    tried = sum(work)
    merged.apply(under)
    took = sum(work) - tried
    assert took / 2 < said.seconds < took * 2
    assert tried < took / 10


def test_a_trace_that_somebody_else_takes_goes_on(base):
    tracemalloc.start()
    estimated(TaskVector.diff(arrays(1), base), base)
    assert tracemalloc.is_tracing()
    tracemalloc.stop()
    estimated(TaskVector.diff(arrays(1), base), base)
    assert not tracemalloc.is_tracing()


def test_nothing_to_merge(base):
    held = {"ids": np.arange(3)}
    assert estimated(TaskVector.diff(held, held), held).seconds == 0
