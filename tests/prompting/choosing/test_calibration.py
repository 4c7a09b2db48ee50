from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import SettingError
from taskspace.prompting.choosing import CALIBRATIONS, calibrate
from taskspace.prompting.choosing._calibration import cbm, cc, pmi_dc

SEEDS = st.integers(0, 2**32 - 1)


def normalised(weights):
    return [w / sum(weights) for w in weights]


def slow_cbm(readings, t, x, *, without_itself):
    rows = [i for i in range(readings.shape[1]) if readings.known[t, i] and not (without_itself and i == x)]
    if not rows:
        return readings.probs[t, x]
    means = [sum(readings.probs[t, i, y] for i in rows) / len(rows) for y in range(readings.shape[2])]
    return normalised([p / max(m, 1e-300) for p, m in zip(readings.probs[t, x], means, strict=True)])


def slow_cc(readings, t, x):
    prior = normalised(sum(np.exp(readings.free[t, c]) for c in range(3)) / 3)
    return normalised([p / q for p, q in zip(readings.probs[t, x], prior, strict=True)])


def slow_pmi(readings, t, x):
    return normalised(np.exp(readings.log_unnorm[t, x] - readings.free[t, 0]))


def assert_cells(calibrated, readings, expected):
    for t in range(readings.shape[0]):
        for x in range(readings.shape[1]):
            want = expected(readings, t, x) if readings.known[t, x] else np.zeros(readings.shape[2])
            np.testing.assert_allclose(calibrated.probs[t, x], want, atol=1e-9)


@pytest.mark.parametrize("without_itself", [True, False])
@given(seed=SEEDS)
def test_cbm_the_slow_way(random_readings, without_itself, seed):
    readings = random_readings(seed)
    calibrated = cbm(readings, leave_one_out=without_itself)
    assert_cells(calibrated, readings, lambda r, t, x: slow_cbm(r, t, x, without_itself=without_itself))


@given(seed=SEEDS)
def test_cc_and_pmi_the_slow_way(random_readings, seed):
    readings = random_readings(seed)
    assert_cells(cc(readings), readings, slow_cc)
    assert_cells(pmi_dc(readings), readings, slow_pmi)


def test_cbm_by_hand(readings_of):
    # Means 0.7 and 0.3: quotients 9/7, 1/3 and 5/7, 5/3.
    readings = readings_of([[[0.9, 0.1], [0.5, 0.5]]])
    calibrated = cbm(readings, leave_one_out=False)
    np.testing.assert_allclose(calibrated.probs, [[[27 / 34, 7 / 34], [0.3, 0.7]]])
    softly = cbm(readings, leave_one_out=False, normalise="softmax")
    odds = np.exp([9 / 7 - 1 / 3, 5 / 7 - 5 / 3])
    np.testing.assert_allclose(softly.probs[0, :, 0], odds / (1 + odds))
    # Without itself: each row over the other.
    np.testing.assert_allclose(cbm(readings).probs, [[[9 / 10, 1 / 10], [0.1, 0.9]]])


def test_a_row_alone_stays(readings_of):
    readings = readings_of([[[0.9, 0.1], [0.5, 0.5]]], known=[[1, 0]])
    np.testing.assert_allclose(cbm(readings).probs, readings.probs)
    softly = cbm(readings, normalise="softmax").probs  # of 0.9 and 0.1, each over a half
    np.testing.assert_allclose(softly[0, 0, 0], np.exp(1.8) / (np.exp(1.8) + np.exp(0.2)))


@pytest.mark.parametrize(("rows", "small"), [(49, True), (50, False)])
def test_few_rows_leave_themselves_out(random_readings, rows, small):
    readings = random_readings(1, x=rows, abstain=0.0)
    np.testing.assert_array_equal(cbm(readings).probs, cbm(readings, leave_one_out=small).probs)
    assert not np.allclose(cbm(readings).probs, cbm(readings, leave_one_out=not small).probs)


def test_it_is_the_answered_rows_that_count(random_readings):
    readings = random_readings(1, x=60, abstain=0.0)
    known = np.ones((4, 60), dtype=bool)
    known[2, 20:] = False
    readings = replace(readings, known=known)
    for t in range(4):
        expected = cbm(readings, leave_one_out=t == 2).probs[t]
        np.testing.assert_array_equal(cbm(readings).probs[t], expected)


@given(seed=SEEDS)
def test_uniform_means_change_nothing(readings_of, seed):
    """Each row in every rotation of its classes: the mean is uniform."""
    some = np.random.default_rng(seed).dirichlet(np.ones(3), size=(2, 20))
    rotated = np.concatenate([np.roll(some, shift, axis=2) for shift in range(3)], axis=1)
    readings = readings_of(rotated)
    np.testing.assert_allclose(cbm(readings).probs, readings.probs, atol=1e-12)


def test_uniform_content_free_answers_change_nothing(random_readings):
    readings = random_readings(3, free=np.full((4, 3, 3), 0.01))
    np.testing.assert_allclose(cc(readings).probs, readings.probs, atol=1e-12)
    np.testing.assert_allclose(pmi_dc(readings).probs, readings.probs, atol=1e-12)


@given(seed=SEEDS)
def test_a_prompts_own_bias_is_taken_out(random_readings, seed):
    """Odds multiplied by a constant per prompt and class, in rows and in content-free inputs alike."""
    readings = random_readings(seed, x=60)
    bias = np.random.default_rng(seed).uniform(-1, 1, (4, 1, 3))
    free = readings.free + bias
    biased = replace(readings, log_unnorm=readings.log_unnorm + bias, free=free)
    np.testing.assert_allclose(cc(replace(biased, free=bias.repeat(3, axis=1))).probs, readings.probs, atol=1e-6)
    np.testing.assert_allclose(pmi_dc(biased).probs, pmi_dc(readings).probs, atol=1e-6)


@pytest.mark.parametrize("name", ["cc", "cbm", "pmi_dc"])
@given(seed=SEEDS)
def test_all_but_the_probabilities_stays(random_readings, name, seed):
    readings = random_readings(seed)
    calibrated = calibrate(readings, name)
    np.testing.assert_allclose(calibrated.coverage, readings.coverage, rtol=1e-9)
    np.testing.assert_allclose(calibrated.probs.sum(axis=2), readings.known, atol=1e-12)
    np.testing.assert_array_equal(calibrated.known, readings.known)
    np.testing.assert_array_equal(calibrated.free, readings.free)
    assert calibrated.prompts == readings.prompts
    assert calibrated.rows == readings.rows


def test_calibration_can_mend_predictions(readings_of):
    """A prompt that leans to the first class says it twice; its mean gives that away."""
    readings = readings_of([[[0.95, 0.05], [0.6, 0.4]]], free=[[[0.8, 0.2]] * 3])
    assert readings.predictions.tolist() == [[0, 0]]
    for calibrated in (cbm(readings), cc(readings), pmi_dc(readings)):
        assert calibrated.predictions.tolist() == [[0, 1]]


@pytest.mark.parametrize("how", [{}, {"leave_one_out": False}, {"normalise": "softmax"}])
def test_zero_means(readings_of, how):
    readings = readings_of([[[1, 0, 0], [1, 0, 0], [0, 1, 0]]])
    probs = cbm(readings, **how).probs
    assert np.isfinite(probs).all()
    np.testing.assert_allclose(probs.sum(axis=2), 1.0)


@pytest.mark.parametrize("name", ["cc", "pmi_dc"])
def test_zero_content_free_answers(readings_of, name):
    readings = readings_of([[[0.5, 0.5], [0.0, 1.0]]], free=[[[1, 0]] * 3])
    probs = calibrate(readings, name).probs
    np.testing.assert_allclose(probs[0, 0], [0.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(probs[0, 1], [0.0, 1.0], atol=1e-12)


def test_tiny_masses(random_readings):
    """Long answers: e**-2000 is no float, their odds are."""
    readings = random_readings(6)
    far = replace(readings, log_unnorm=readings.log_unnorm - 2000, free=readings.free - 2000)
    for name in ("cc", "cbm", "pmi_dc"):
        np.testing.assert_allclose(calibrate(far, name).probs, calibrate(readings, name).probs, atol=1e-9)


def test_priors_and_means_may_be_as_small_as_those_of_sharp_models(readings_of):
    """Answers of e**-18 and e**-25 where e**-22 is usual: the first row says the second class, the other does not."""
    usual, rows = [1.0, np.exp(-22)], [[1.0, np.exp(-18)], [1.0, np.exp(-25)]]
    readings = readings_of([rows], free=[[usual] * 3])
    for calibrated in (cc(readings), pmi_dc(readings)):
        np.testing.assert_allclose(np.log(calibrated.probs[0, :, 1] / calibrated.probs[0, :, 0]), [4, -3], atol=1e-5)
    odds = np.exp([-18, -25]) / ((np.exp(-18) + np.exp(-25)) / 2)
    balanced = cbm(readings, leave_one_out=False).probs[0]
    np.testing.assert_allclose(balanced[:, 1] / balanced[:, 0], odds, rtol=1e-5)


class TestRefused:
    def test_names(self, random_readings):
        with pytest.raises(SettingError, match="no calibration 'pmi'; did you mean 'pmi_dc'?"):
            calibrate(random_readings(0), "pmi")
        with pytest.raises(SettingError, match="no normalisation 'soft'; did you mean 'softmax'?"):
            cbm(random_readings(0), normalise="soft")

    @pytest.mark.parametrize("name", ["cc", "cbm", "pmi_dc"])
    def test_words_for_probabilities(self, random_readings, name):
        readings = random_readings(0, soft=[True, False, True, False])
        with pytest.raises(SettingError, match=f"^{name} needs probabilities, but 'p1', 'p3' only said a label"):
            calibrate(readings, name)
        assert calibrate(readings, "none") is readings

    def test_nothing_measured(self, random_readings):
        free = np.ones((4, 3, 3))
        free[1, 0], free[2, 1] = np.nan, np.nan
        with pytest.raises(SettingError, match="^cc needs the answers to content-free inputs, .* for 'p1', 'p2'"):
            cc(random_readings(0, free=free))
        with pytest.raises(SettingError, match="^pmi_dc needs the answers to the empty input, .* for 'p1'; measure"):
            pmi_dc(random_readings(0, free=free))


def test_each_says_what_it_needs(random_readings):
    bare = random_readings(0, free=None)
    for name, calibration in CALIBRATIONS.items():
        if {"free", "empty"} & set(calibration.needs):
            with pytest.raises(SettingError):
                calibrate(bare, name)
        else:
            calibrate(bare, name)
