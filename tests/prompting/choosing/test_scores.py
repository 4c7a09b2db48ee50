from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import SettingError
from taskspace.prompting.choosing import METHODS, ROW_METHODS, calibrate, choose_per_row, score, zps

SEEDS = st.integers(0, 2**32 - 1)
EPSILON = 1e-7
LOG2 = math.log(2)


def slow_entropy(p):
    return -sum(q * math.log(max(q, EPSILON)) for q in p)


def slow_rows(readings, t):
    return [readings.probs[t, x] for x in range(readings.shape[1]) if readings.known[t, x]]


def one_hot(p):
    top = max(p)
    first = [q == top for q in p].index(True)
    return [1.0 if y == first else 0.0 for y in range(len(p))]


def average(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def slow_score(readings, method, t):
    """Straight from the formulas of Yang et al. (arXiv 2305.14877), one prompt and row at a time."""
    rows = slow_rows(readings, t)
    ge = slow_entropy(average([one_hot(p) for p in rows]))
    ge_m = slow_entropy(average(rows))
    le = sum(slow_entropy(p) for p in rows) / len(rows)
    ppl = [readings.perplexity[t, x] for x in range(readings.shape[1]) if readings.known[t, x]]
    mdl = [-math.log(max(q, EPSILON)) for p in rows for q in p]
    return {
        "mi": ge_m - le, "ge": ge, "ge_m": ge_m, "le": le, "mdl_m": -le, "mdl": sum(mdl) / len(mdl),
        "mi_g": ge - le, "ppl": -sum(ppl) / len(ppl),
    }[method]  # fmt: skip


def slow_row_score(readings, method, t, x):
    h = slow_entropy(readings.probs[t, x])
    return {
        "mdl_i": -h, "ppl_i": -readings.perplexity[t, x], "mi_l": slow_score(readings, "ge_m", t) - h,
        "mi_gl": slow_score(readings, "ge", t) - h,
    }[method]  # fmt: skip


@pytest.mark.parametrize("method", [m for m in METHODS if not m.startswith("z")])
@given(seed=SEEDS)
def test_the_slow_way(random_readings, method, seed):
    readings = random_readings(seed)
    scored = score(readings, method)
    expected = [round(slow_score(readings, method, t), 9) for t in range(4)]
    np.testing.assert_allclose(scored.values, expected, atol=1e-9)
    np.testing.assert_allclose(scored.raw, -scored.values if method == "ppl" else scored.values, atol=1e-9)
    assert scored.best == expected.index(max(expected)) == scored.order[0]
    assert scored.order.tolist() == sorted(range(4), key=lambda t: -expected[t])


@pytest.mark.parametrize("method", ROW_METHODS)
@given(seed=SEEDS)
def test_the_slow_way_per_row(random_readings, method, seed):
    readings = random_readings(seed, abstain=0.5)
    chosen = choose_per_row(readings, method)
    for x in range(7):
        options = {t: slow_row_score(readings, method, t, x) for t in range(4) if readings.known[t, x]}
        best = max(options, key=options.get, default=-1)
        assert chosen.choice[x] == best
        assert chosen.predictions[x] == (readings.predictions[best, x] if options else -1)
    answered = [t for t in chosen.choice if t >= 0]
    np.testing.assert_allclose(chosen.share, [answered.count(t) / len(answered) for t in range(4)])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("ge", [LOG2, 0.0]),  # one row each way; both rows the first of equals
        ("ge_m", [LOG2, LOG2]),
        ("le", [0.0, LOG2]),
        ("mdl_m", [0.0, -LOG2]),
        ("mi", [LOG2, 0.0]),
        ("mi_g", [LOG2, -LOG2]),
        ("mdl", [-math.log(EPSILON) / 2, LOG2]),
        ("ppl", [-3.0, -5.0]),
        ("zpm", [1.0, 0.5]),  # the mean follows the sure prompt; the other says the first class twice
        ("zlp", [1.0, 0.5]),
        ("zmv", [0.5, 1.0]),  # row 2 is a tie of votes, which goes to the first class
    ],
)
def test_two_by_two_by_hand(readings_of, method, expected):
    sure, unsure = [[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]
    readings = readings_of([sure, unsure], perplexity=np.array([[2.0, 4.0], [5.0, 5.0]]))
    np.testing.assert_allclose(score(readings, method).values, expected, atol=1e-12)


def test_the_floor_is_in_the_logarithm_only(readings_of):
    readings = readings_of([[[1 - 1e-12, 1e-12]] * 2])
    np.testing.assert_allclose(score(readings, "mdl").raw, [math.log(1e7) / 2], rtol=1e-9)
    np.testing.assert_allclose(readings.probs[0, 0, 1], 1e-12, rtol=1e-3)


def test_per_row_by_hand(readings_of):
    # p0 is surer of row 0, p1 of row 1; p1 always says the same, so that balance favours p0.
    probs = [[[0.9, 0.1], [0.4, 0.6]], [[0.7, 0.3], [0.75, 0.25]]]
    readings = readings_of(probs, perplexity=np.array([[9.0, 2.0], [3.0, 3.0]]))
    assert choose_per_row(readings, "mdl_i").choice.tolist() == [0, 1]
    assert choose_per_row(readings, "ppl_i").choice.tolist() == [1, 0]
    # GE: log 2 and 0.  Row 1: log 2 - H(0.4) = 0.020, and -H(0.25) = -0.562.
    chosen = choose_per_row(readings, "mi_gl")
    assert chosen.choice.tolist() == [0, 0]
    assert chosen.predictions.tolist() == [0, 1]
    assert chosen.share.tolist() == [1.0, 0.0]


@given(seed=SEEDS)
def test_identities(random_readings, seed):
    readings = random_readings(seed)
    raw = {name: score(readings, name).raw for name in ("mi", "ge", "ge_m", "le", "mdl_m", "mi_g")}
    np.testing.assert_allclose(raw["mi"], raw["ge_m"] + raw["mdl_m"], atol=1e-12)
    np.testing.assert_array_equal(raw["le"], -raw["mdl_m"])
    np.testing.assert_allclose(raw["mi_g"], raw["ge"] - raw["le"], atol=1e-12)
    assert (raw["mi"] > -1e-12).all()
    assert (raw["ge_m"] < math.log(3) + 1e-12).all()


@pytest.mark.parametrize("calibration", ["none", "cc", "cbm", "pmi_dc"])
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10)
@given(seed=SEEDS)
def test_the_order_of_rows_and_classes_is_nothing(random_readings, method, calibration, seed):
    readings = random_readings(seed)
    rng = np.random.default_rng(seed)
    rows, classes = rng.permutation(7), rng.permutation(3)
    moved = readings.take_rows(rows)
    moved = replace(moved, log_unnorm=moved.log_unnorm[..., classes], free=moved.free[..., classes])
    if method.startswith("zmv"):  # ties of votes go to the first class, so only rows may move
        moved = readings.take_rows(rows)
    np.testing.assert_allclose(
        score(moved, method, calibration).values, score(readings, method, calibration).values, atol=1e-9
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("calibration", ["none", "cc", "cbm", "pmi_dc"])
@settings(max_examples=10)
@given(seed=SEEDS)
def test_equal_prompts_score_the_same(random_readings, method, calibration, seed):
    readings = random_readings(seed).take([0, 1, 0, 2, 1])
    values = score(readings, method, calibration).values
    assert values[0] == values[2]
    assert values[1] == values[4]


@pytest.mark.parametrize("row", [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
def test_a_constant_prompt(readings_of, row):
    readings = readings_of([[row] * 5])
    for method in ("ge", "mi"):
        np.testing.assert_allclose(score(readings, method).values, 0.0, atol=1e-12)


@pytest.mark.parametrize("y", [2, 3, 5])
def test_a_perfect_prompt(readings_of, y):
    readings = readings_of([np.eye(y)])
    for method in ("mi", "mi_g", "ge"):
        np.testing.assert_allclose(score(readings, method).values, math.log(y), atol=1e-12)


@pytest.mark.parametrize("calibration", ["none", "cc", "cbm", "pmi_dc"])
@pytest.mark.parametrize("method", [*METHODS, *ROW_METHODS])
def test_zeros_stay_finite(readings_of, method, calibration):
    zeros = np.array([[[1, 0, 0]] * 4, [[0, 1, 0]] * 3 + [[0, 0, 1]]], dtype=float)
    free = np.array([[[1, 0, 0]] * 3, [[0, 0.5, 0]] * 3])
    readings = readings_of(zeros, free=free, perplexity=np.ones((2, 4)))
    if method in METHODS:
        assert np.isfinite(score(readings, method, calibration).values).all()
    else:
        assert set(choose_per_row(readings, method, calibration).choice) <= {0, 1}


def test_ties_go_to_the_first(readings_of):
    readings = readings_of([[[0.5, 0.5]] * 2, [[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]]])
    scored = score(readings, "mi")
    assert scored.order.tolist() == [1, 2, 0]
    assert scored.best == 1
    assert choose_per_row(readings, "mdl_i").choice.tolist() == [1, 1]


def test_a_prompt_that_says_nothing_stands_last(readings_of):
    readings = readings_of(np.full((2, 2, 2), 0.5), known=[[0, 0], [1, 1]], perplexity=np.full((2, 2), 9.0))
    for method in METHODS:
        scored = score(readings, method)
        assert np.isnan(scored.raw[0])
        assert np.isneginf(scored.values[0])
        assert scored.order.tolist() == [1, 0]


def test_rows_that_no_prompt_answers(readings_of):
    readings = readings_of(np.full((2, 3, 2), 0.5), known=[[0, 0, 1], [0, 1, 1]])
    chosen = choose_per_row(readings, "mi_l")
    assert chosen.choice.tolist() == [-1, 1, 0]
    assert chosen.predictions.tolist() == [-1, 0, 0]
    assert chosen.share.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10)
@given(seed=SEEDS)
def test_abstentions_are_as_if_the_row_were_not_there(random_readings, method, seed):
    """When all prompts leave out the same rows, the scores are those of the other rows."""
    readings = random_readings(seed, abstain=0.0)
    silent = replace(readings, known=np.broadcast_to(np.arange(7) < 4, (4, 7)))
    np.testing.assert_allclose(
        score(silent, method).values, score(readings.take_rows(range(4)), method).values, atol=1e-9
    )


@pytest.mark.parametrize("calibration", ["cc", "cbm", "pmi_dc"])
@given(seed=SEEDS)
def test_calibration_is_that_of_the_readings(random_readings, calibration, seed):
    readings = random_readings(seed)
    calibrated = calibrate(readings, calibration)
    np.testing.assert_array_equal(score(readings, "mi", calibration).raw, score(calibrated, "mi").raw)
    np.testing.assert_array_equal(score(readings, "ppl", calibration).raw, score(readings, "ppl").raw)
    plain = choose_per_row(readings, "mi_l", calibration)
    both = choose_per_row(readings, "mi_l", calibration, answers=calibrated)
    np.testing.assert_array_equal(plain.choice, both.choice)
    rows = np.flatnonzero(plain.choice >= 0)
    np.testing.assert_array_equal(plain.predictions[rows], readings.predictions[plain.choice[rows], rows])
    np.testing.assert_array_equal(both.predictions[rows], calibrated.predictions[both.choice[rows], rows])


@pytest.mark.parametrize("rule", ["zlp", "zpm", "zmv"])
def test_the_filter_by_name(random_readings, rule):
    readings = random_readings(5, t=6, x=20)
    np.testing.assert_allclose(score(readings, rule).raw, zps(readings, rule).agreement)
    filtered = zps(readings, rule, keep="confident")
    np.testing.assert_allclose(score(readings, f"{rule}_filtered").raw, filtered.agreement)
    assert 0 < filtered.members.sum() < 6


class TestRefused:
    def test_names(self, random_readings):
        readings = random_readings(0)
        with pytest.raises(SettingError, match="no method 'mig'; did you mean 'mi_g'?"):
            score(readings, "mig")
        with pytest.raises(SettingError, match="no calibration 'cmb'; did you mean 'cbm'?"):
            score(readings, "mi", "cmb")
        with pytest.raises(SettingError, match="'mi_l' chooses a prompt per row; use choose_per_row"):
            score(readings, "mi_l")
        with pytest.raises(SettingError, match="'mi' scores whole prompts; use score"):
            choose_per_row(readings, "mi")
        with pytest.raises(SettingError, match="no method 'mi_gll'; did you mean 'mi_gl'?"):
            choose_per_row(readings, "mi_gll")

    @pytest.mark.parametrize("method", [*METHODS, *ROW_METHODS])
    def test_words_for_probabilities(self, readings_of, method):
        """Prompts that only say a label: votes can be counted, nothing else."""
        readings = readings_of([np.eye(2), np.full((2, 2), 0.5)], soft=[False, True], perplexity=np.ones((2, 2)))
        ask = score if method in METHODS else choose_per_row
        if method in ("ge", "zmv", "ppl", "ppl_i"):
            ask(readings, method)
        else:
            with pytest.raises(SettingError, match=rf"^{method}[^;]* needs probabilities, but 'p0' only said a label;"):
                ask(readings, method)

    def test_words_counted(self, readings_of):
        readings = readings_of([np.eye(2), [[1, 0], [1, 0]]], soft=[False, False])
        np.testing.assert_allclose(score(readings, "ge").values, [LOG2, 0.0])

    @pytest.mark.parametrize("method", ["ppl", "ppl_i"])
    def test_no_perplexity(self, readings_of, method):
        perplexity = np.array([[2.0, 3.0], [4.0, np.nan]])
        readings = readings_of(np.full((2, 2, 2), 0.5), perplexity=perplexity)
        with pytest.raises(SettingError, match=f"^{method} needs the perplexity .* not measured for 'p1'; measure it"):
            (score if method == "ppl" else choose_per_row)(readings, method)
        where_unknown = replace(readings, known=np.array([[True, True], [True, False]]))
        assert score(where_unknown, "ppl").values.tolist() == [-2.5, -4.0]

    def test_many_prompts_are_not_all_named(self, readings_of):
        readings = readings_of(np.full((9, 1, 2), 0.5), soft=[False] * 9)
        with pytest.raises(SettingError, match="'p0', 'p1', 'p2', 'p3' and 5 more only said"):
            score(readings, "mi")


def test_each_method_says_what_it_is():
    for method in (*METHODS.values(), *ROW_METHODS.values()):
        assert method.source
        assert method.about
        assert set(method.needs) <= {"soft", "perplexity"}
