from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from taskspace.pictures import FAMILIES, dendrogram_figure, draw_dendrogram

VALUES = [[1.0, 0.8, 0.1, 0.1], [0.8, 1.0, 0.3, 0.3], [0.1, 0.3, 1.0, 0.5], [0.1, 0.3, 0.5, 1.0]]
MERGES = [[0, 1, 0.2, 2], [2, 3, 0.5, 2], [4, 5, 0.8, 4]]


def test_branches_meet_at_their_mean_cosine(axes, table_of):
    """By hand: a and b meet at 0.8, c and d at 0.5, both at 0.2, halfway between their rows."""
    assert draw_dendrogram(axes, table_of(VALUES, MERGES)) is axes
    (lines,) = axes.findobj(LineCollection)
    expected = [
        [(1, 0), (0.8, 0), (0.8, 1), (1, 1)],
        [(1, 2), (0.5, 2), (0.5, 3), (1, 3)],
        [(0.8, 0.5), (0.2, 0.5), (0.2, 2.5), (0.5, 2.5)],
    ]
    for line, corners in zip(lines.get_segments(), expected, strict=True):
        np.testing.assert_allclose(line, corners)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c", "d"]
    assert axes.get_ylim() == (3.5, -0.5)


def test_a_branch_of_one_family_has_its_colour(axes, table_of):
    draw_dendrogram(axes, table_of(VALUES, MERGES), families={"a": 1, "b": 1, "c": 0, "d": 2})
    (lines,) = axes.findobj(LineCollection)
    first, second, top = map(to_hex, lines.get_colors())
    assert first == FAMILIES[1]
    assert second == top
    assert second not in FAMILIES


def test_no_family_is_no_colour(axes, table_of):
    draw_dendrogram(axes, table_of(VALUES, MERGES), families=dict.fromkeys("abcd", -1))
    (lines,) = axes.findobj(LineCollection)
    assert not {*map(to_hex, lines.get_colors())} & set(FAMILIES)


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_any_number(axes, pixels, table_of, words_on, count):
    merges = [[0, 1, 1, 2], *([i + 2, count + i, 1, i + 3] for i in range(count - 2))][: max(count - 1, 0)]
    table = table_of(np.eye(count), merges, [f"n{i}" for i in range(count)])
    draw_dendrogram(axes, table)
    pixels(axes)
    assert ("nothing to compare yet" in words_on(axes)) == (count < 2)
    pixels(dendrogram_figure(table, title="all").axes[0])
