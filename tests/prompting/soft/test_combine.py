from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import MissingExtra, PromptError, SettingError
from taskspace.prompting.soft import PromptVector
from taskspace.prompting.soft.combine import average, match_tokens, negate, ties, total

TABLES = arrays(np.float32, (3, 4), elements=st.floats(-1e3, 1e3, width=32))


def vector(values, task="a", init="0"):
    return PromptVector(values, None, {task: 1.0}, init)


def test_sum_and_mean_by_hand():
    a, b = vector([[1.0, 2.0]], "a"), vector([[3.0, -4.0]], "b")
    assert total([a, b]).values.tolist() == [[4.0, -2.0]]
    assert total([a, b]).weights == {"a": 1, "b": 1}
    assert average([a, b]).values.tolist() == [[2.0, -1.0]]
    assert average([a, b]).weights == {"a": 0.5, "b": 0.5}
    assert average([a, b], [3, 1]).values.tolist() == [[1.5, 0.5]]
    assert average([a, b], [3, 1]).weights == {"a": 0.75, "b": 0.25}
    assert negate(a).values.tolist() == [[-1.0, -2.0]]
    assert negate(a).weights == {"a": -1}


def test_a_sum_is_rounded_once():
    """One after the other, each small number would vanish beside the large one."""
    small = 2.0**-25
    many = [vector([[1.0]]), *(vector([[small]]) for _ in range(128))]
    assert total(many).values[0, 0] == np.float32(1 + 128 * small)
    assert sum(many).values[0, 0] == 1


@given(st.lists(TABLES, min_size=1, max_size=4), st.sampled_from([0.25, 0.5, 0.75]))
def test_ties_is_that_of_peft(tables, density):
    """Where sizes tie at the edge, which of them stay is anyone's choice: those draws are moved apart."""
    torch = pytest.importorskip("torch")
    merging = pytest.importorskip("peft.utils.merge_utils")
    apart = np.linspace(1, 1.5, tables[0].size, dtype=np.float32).reshape(3, 4)
    tables = [np.where(table == 0, 1e-3 * (i + 1), table) * apart for i, table in enumerate(tables)]
    tables = [
        table if len(np.unique(np.abs(table))) == table.size else apart * (i + 1) for i, table in enumerate(tables)
    ]
    expected = merging.ties([torch.from_numpy(t.astype(np.float64)) for t in tables], torch.ones(len(tables)), density)
    merged = ties([vector(table) for table in tables], density).values
    np.testing.assert_allclose(merged, expected.numpy(), rtol=1e-6, atol=1e-6)


def test_ties_by_hand():
    """Half stays: (5, -4) and (-3, -6); places sum to 2 and -10, so 5 alone, and the mean of -4 and -6."""
    a, b = vector([[5.0, -4.0, 1.0, 0.5]], "a"), vector([[-3.0, -6.0, 0.1, 2.0]], "b")
    merged = ties([a, b], 0.5)
    assert merged.values.tolist() == [[5.0, -5.0, 0.0, 0.0]]
    assert merged.weights == {"a": 0.5, "b": 0.5}
    assert merged.provenance["notes"] == ["ties, density 0.5"]
    assert (2 * merged).provenance["notes"] == ["ties, density 0.5"]


def test_ties_of_one_whole_vector_is_the_vector():
    a = vector([[5.0, -4.0, 0.0, 0.5]])
    assert ties([a], 1).values.tolist() == a.values.tolist()


@pytest.mark.parametrize("density", [0, -0.1, 1.1, float("nan")])
def test_a_density_is_a_share(density, one_sentence):
    with pytest.raises(SettingError, match="share") as caught:
        ties([vector([[1.0]])], density)
    assert one_sentence(caught.value)


def summed_cosines(first, table):
    unit = [t / np.maximum(np.linalg.norm(t, axis=1, keepdims=True), 1e-300) for t in (first, table)]
    return float((unit[0] * unit[1]).sum())


@settings(max_examples=25)
@given(TABLES, TABLES)
def test_matching_beats_every_other_order(first, table):
    a, b = vector(first, "a"), vector(table, "b")
    same, matched = match_tokens([a, b])
    assert same is a
    best = max(summed_cosines(first.astype(float), table[list(p)].astype(float)) for p in permutations(range(3)))
    assert summed_cosines(first.astype(float), matched.values.astype(float)) == pytest.approx(best, abs=1e-9)
    assert sorted(map(tuple, matched.values.tolist())) == sorted(map(tuple, table.tolist()))
    assert matched.weights == {"b": 1}


def test_shuffled_rows_are_put_back(rng):
    rows = rng.standard_normal((20, 8)).astype(np.float32)
    order = rng.permutation(20)
    _, matched, still = match_tokens([vector(rows), vector(3 * rows[order]), vector(rows + 1e-3)])
    np.testing.assert_array_equal(matched.values, 3 * rows)
    assert matched.provenance["notes"] == ["rows reordered by match_tokens"]
    assert "notes" not in still.provenance
    assert average([vector(rows), matched]).norm > average([vector(rows), vector(3 * rows[order])]).norm


def test_nothing_to_combine(one_sentence):
    for act in (total, average, ties, match_tokens):
        with pytest.raises(PromptError, match="no vectors") as caught:
            act([])
        assert one_sentence(caught.value)


def test_what_does_not_fit_is_not_combined():
    for act in (total, average, ties, match_tokens):
        with pytest.raises(PromptError, match="1 tokens and one 2"):
            act([vector([[1.0]]), vector([[1.0], [2.0]])])


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0]])
def test_weights_that_make_no_average(weights, one_sentence):
    with pytest.raises(SettingError) as caught:
        average([vector([[1.0]]), vector([[2.0]])], weights)
    assert one_sentence(caught.value)


def test_matching_without_scipy(monkeypatch):
    import taskspace._extras as extras

    def absent(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(extras, "import_module", absent)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"taskspace\[sklearn\]"):
        match_tokens([vector([[1.0]]), vector([[2.0]])])
