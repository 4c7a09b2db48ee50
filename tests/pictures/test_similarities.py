from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import AxesImage

from taskspace.pictures import draw_similarities, similarities_figure

VALUES = [[1.0, 0.8, 0.1], [0.8, 1.0, 0.3], [0.1, 0.3, 1.0]]
MERGES = [[0, 1, 0.2, 2], [3, 2, 0.8, 3]]


def test_every_cosine_is_a_cell_with_its_number(axes, pixels, table_of, words_on):
    assert draw_similarities(axes, table_of(VALUES, MERGES)) is axes
    pixels(axes)
    (image,) = axes.findobj(AxesImage)
    np.testing.assert_array_equal(image.get_array(), VALUES)
    assert image.get_clim() == (0, 1)
    words = words_on(axes)
    assert [words.count(word) for word in ("1.00", "0.80", "0.10", "0.30")] == [3, 2, 2, 2]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]


def test_colours_darken_with_the_cosine(axes, table_of):
    draw_similarities(axes, table_of(VALUES, MERGES))
    (image,) = axes.findobj(AxesImage)
    shades = image.cmap(np.linspace(0, 1, 64))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shades) < 0).all()


def test_opposed_ones_have_a_colour_of_their_own(axes, pixels, table_of, words_on):
    draw_similarities(axes, table_of([[1, -0.5], [-0.5, 1]], [[0, 1, 1.5, 2]]))
    (image,) = axes.findobj(AxesImage)
    assert image.get_clim() == (-1, 1)
    red, _, blue, _ = image.cmap(image.norm(-0.5))
    assert red > blue
    assert image.cmap(image.norm(0.0))[:3] == pytest.approx((1, 1, 1), abs=0.02)
    assert "−0.50" in words_on(axes)


@pytest.mark.parametrize("count", [0, 1, 40, 150])
def test_any_number(axes, pixels, table_of, words_on, count):
    merges = [[0, 1, 1, 2], *([i + 2, count + i, 1, i + 3] for i in range(count - 2))][: max(count - 1, 0)]
    table = table_of(np.eye(count), merges, [f"n{i}" for i in range(count)])
    draw_similarities(axes, table)
    pixels(axes)
    assert ("n0" in words_on(axes)) == (count in (1, 40))
    assert ("nothing to compare yet" in words_on(axes)) == (count == 0)
    pixels(similarities_figure(table, title="all").axes[0])


def test_the_tree_stands_beside_its_rows(pixels, table_of):
    figure = similarities_figure(table_of(VALUES, MERGES), title="three")
    tree, cells = figure.axes[:2]
    pixels(tree)
    for row in range(3):
        beside = tree.transData.transform((0.5, row))[1], cells.transData.transform((0, row))[1]
        assert beside[0] == pytest.approx(beside[1], abs=0.5)
