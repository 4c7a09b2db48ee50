from __future__ import annotations

import numpy as np
import pytest

from taskspace.atlas.map import Family, Map, Similarities

pytest.importorskip("matplotlib")

KINDS = ("dataset", "model", "prompt", "adapter")


@pytest.fixture(scope="session")
def chart_of():
    """``chart_of(count, …)``: a map with points drawn at random, in families in turn, of every kind."""

    def make(count, *, families=3, silent=(), names=None, seed=0, explained=(0.5, 0.25), kept=0.625):
        rng = np.random.default_rng(seed)
        told = np.array([i not in silent for i in range(count)], dtype=bool)
        family = np.where(told, np.arange(count) % max(families, 1) if families else -1, -1).astype(int)
        names = names or [f"task-{i}" for i in range(count)]
        found = tuple(
            Family(f"around {names[list(family).index(place)]}", int((family == place).sum()))
            for place in range(families)
            if place in family
        )
        many = count - len(silent) > 1
        return Map(
            method="pca", points=rng.uniform(-1, 1, (count, 2)).astype(np.float32), names=tuple(names),
            kinds=tuple(KINDS[i % 4] for i in range(count)), informative=told, families=found, family=family,
            kept=kept if many else None, kept_of=count, neighbours=10, explained=explained, generation="g",
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def table_of():
    """``table_of(values, merges)``: similarities as they are written down, called a, b, c, …"""

    def make(values, merges, names=None):
        values = np.asarray(values, dtype=float).reshape(len(values), len(values))
        names = names or [chr(97 + i) for i in range(len(values))]
        merges = np.asarray(merges, dtype=float).reshape(-1, 4)
        return Similarities(tuple(names), ("dataset",) * len(names), values, merges, len(names))

    return make


@pytest.fixture
def axes():
    from taskspace.pictures import blank

    return blank(7, 5).subplots()


@pytest.fixture
def pixels():
    """``pixels(axes)``: uint8[h, w, 4] of its figure as a file would show it."""

    def draw(axes):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(axes.get_figure(root=True))
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())

    return draw


@pytest.fixture
def words_on():
    """All texts that stand on the axes, in the legend and at its ticks."""

    def find(axes):
        from matplotlib.text import Text

        return [text.get_text() for text in axes.findobj(Text) if text.get_text()]

    return find
