"""Leaving a target out means that nothing measured on it can move what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.bench.rank import Folds, GroundTruth, Recipe, answers
from taskspace.ranking.answer import answer
from taskspace.ranking.signals import Signal, signal_named

NAMES = (
    "response",
    "response+centred",
    "response+neighbours",
    "response+pivots",
    "prior",
    "prior+ranks",
    "random",
    "size",
)
DATA = tuple(signal_named(name) for name in ("response", "response+neighbours", "prior+ranks"))
COSTLY = Signal("dear", "as if a model were run", ("source model",), "target per source",
                lambda q: np.array([len(q.target) + ord(name) % 7 for name in q.names], dtype=float), 0.5)  # fmt: skip
FULL = Recipe("full", "all of them", (*DATA, COSTLY))
SHORT = Recipe("short", "few of them", (*DATA, COSTLY), ("dear",), 2)


def _changed(ground, target):
    """The same, but for what was measured on ``target``."""
    transfers = ground.transfers
    column = transfers.targets.index(target)
    scores, baseline = transfers.scores.copy(), transfers.baseline.copy()
    scores[:, column] = scores[::-1, column] * 3 + np.where(np.isnan(scores[:, column]), np.nan, 0)
    scores[:, column] = np.where(np.isnan(transfers.scores[:, column]), np.nan, np.nan_to_num(scores[:, column], nan=9))
    baseline[column] += 0.3
    return replace(ground, transfers=replace(transfers, scores=scores, baseline=baseline))


@pytest.mark.parametrize("target", ["p", "q", "e"])
def test_nothing_measured_on_a_target_has_a_say(ground, target):
    one, other = Folds(ground), Folds(_changed(ground, target))
    assert not np.allclose(ground.gains(target, "abc"), other.ground.gains(target, "abc"))
    for name in NAMES:
        said = [folds.scores(signal_named(name), target) for folds in (one, other)]
        np.testing.assert_array_equal(*said, err_msg=name)
    place = ground.targets.index(target)
    for recipe in (Recipe("data", "", DATA), FULL, SHORT):
        said = [folds.fused(recipe)[place] for folds in (one, other)]
        assert said[0].target == target
        np.testing.assert_array_equal(said[0].scores, said[1].scores)
        np.testing.assert_array_equal(said[0].weights, said[1].weights)
        assert said[0].gains == said[1].gains
    others = [order.scores for order in other.single(signal_named("prior")) if order.target != target]
    before = [order.scores for order in one.single(signal_named("prior")) if order.target != target]
    assert not all(np.allclose(a, b) for a, b in zip(others, before, strict=True))  # where it may have a say, it has


@pytest.mark.parametrize("target", ["p", "q", "e"])
def test_a_fused_order_is_the_answer_to_the_question(ground, target):
    order = Folds(ground).fused(FULL)[ground.targets.index(target)]
    earlier = [ground.earlier(t, (target,)) for t in ground.targets if t != target]
    ranking = answer(ground.question(target), FULL.signals, earlier=earlier)
    said = {hit.name: hit for hit in ranking if hit.kind != "none"}
    for name, gain in zip(ground.candidates(target), order.gains, strict=True):
        assert said[name].score == pytest.approx(gain.mean, abs=1e-9)
        assert said[name].gain.low == pytest.approx(gain.low, abs=1e-9)
        assert said[name].gain.helps == pytest.approx(gain.helps, abs=1e-9)


def test_what_hangs_on_no_transfers_is_read_once_a_target(ground):
    asked = []

    def read(question):
        asked.append(question.target)
        return np.arange(len(question), dtype=float)

    signal = Signal("counted", "counts", ("nothing",), "none", read)
    Folds(ground).fused(Recipe("x", "", (signal, signal_named("prior"))))
    assert sorted(asked) == sorted(ground.targets)


def test_hidden_sources_have_no_row(ground):
    folds = Folds(ground)
    everything = folds.scores(signal_named("response"), "p")
    np.testing.assert_array_equal(folds.scores(signal_named("response"), "p", ("e",)), everything[:4])
    assert len(folds.scores(signal_named("prior"), "p", ("e", "q"))) == 4


def test_only_the_shortlist_is_read_of_what_is_dear(ground):
    folds = Folds(ground)
    for target in ground.targets:
        table = folds.table(SHORT, target)
        read = ~np.isnan(table[:, 3])
        first = folds.predictor(SHORT.cheap, (target,)).scores(table[:, :3])
        assert read.sum() == 2
        assert first[read].min() >= first[~read].max()
        np.testing.assert_array_equal(table[read, 3], folds.scores(COSTLY, target)[read])


def test_a_signal_that_cannot_tell_says_why_and_counts_for_nothing(ground):
    folds = Folds(ground)
    logme = signal_named("logme")
    assert folds.single(logme) == []
    assert "labelled rows" in folds.problem(logme, "p")
    assert folds.problem(signal_named("prior"), "p") is None
    assert np.isnan(folds.scores(logme, "p")).all()
    with_it = folds.fused(Recipe("x", "", (*DATA, logme)))
    without = folds.fused(Recipe("x", "", DATA))
    for a, b in zip(with_it, without, strict=True):
        np.testing.assert_allclose(a.scores, b.scores)


def test_two_targets_are_too_few_for_a_gain_but_not_for_an_order(transfers, vectors):
    few = GroundTruth(transfers=transfers.only(targets=["p", "r"]), vectors={"response": vectors})
    orders = Folds(few).fused(Recipe("data", "", DATA))
    assert [order.gains for order in orders] == [None, None]
    assert all(np.ptp(order.scores) > 0 for order in orders)


def test_the_answer_from_data_is_what_an_atlas_answers():
    from taskspace.atlas._answering import usual_signals

    assert [s.name for s in answers()[0].signals] == [s.name for s in usual_signals("response")]
    assert [s.name for s in answers("text")[0].signals] == [s.name for s in usual_signals("text")]
