"""The answer: gains where transfers were observed, an honest order where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.ranking import DO_NOT_TRANSFER
from taskspace.ranking.answer import Earlier, answer, fit, observed
from taskspace.ranking.signals import Question, Source, Vectors, signal_named

NAMES = ("a", "b", "c", "d")


def question(target: str, cosines: list[float], names: tuple[str, ...] = NAMES) -> Question:
    """Sources on the unit circle at these cosines from the target."""
    sources = np.array([[c, np.sqrt(1 - c * c)] for c in cosines], dtype=np.float32)
    vectors = Vectors(np.array([1, 0], dtype=np.float32), sources, (("all", 2),))
    return Question(target=target, sources=tuple(Source(name) for name in names), vectors={"response": vectors})


def earlier(count: int, noise: float = 0.0, level: float = 0.1) -> list[Earlier]:
    """Targets on which the gain is a line in the cosine."""
    rng = np.random.default_rng(count)
    made: list[Earlier] = []
    for i in range(count):
        cosines = rng.uniform(-0.9, 0.9, size=4)
        z = (cosines - cosines.mean()) / cosines.std()
        made.append(Earlier(question(f"t{i}", cosines.tolist()), level + 0.05 * z + noise * rng.normal(size=4)))
    return made


def test_without_transfers_the_order_is_by_likeness_and_says_that_it_is_uncalibrated():
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"])
    assert [hit.name for hit in ranking] == ["b", "d", "a", "c"]
    assert not ranking.calibrated
    assert "uncalibrated" in ranking.measure
    assert all(hit.gain is None for hit in ranking)


def test_one_target_is_too_few_to_predict_from():
    assert not answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"], earlier=earlier(1)).calibrated


def test_gains_on_a_known_line_are_foretold_and_doing_without_stands_among_them():
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"], earlier=earlier(6, level=0.0))
    cosines = np.array([0.1, 0.9, -0.2, 0.5])
    expected = dict(zip(NAMES, 0.05 * (cosines - cosines.mean()) / cosines.std(), strict=True))
    found = {hit.name: hit.score for hit in ranking}
    assert found.pop(DO_NOT_TRANSFER) == 0
    assert found == pytest.approx(expected, abs=1e-6)
    assert [hit.name for hit in ranking] == ["b", "d", DO_NOT_TRANSFER, "a", "c"]
    assert [hit.rank for hit in ranking] == [1, 2, 3, 4, 5]
    assert "predicted gain" in ranking.measure


def test_where_nothing_ever_helped_the_first_answer_is_not_to_transfer():
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"], earlier=earlier(5, noise=0.01, level=-0.4))
    assert ranking[0].name == DO_NOT_TRANSFER
    assert max(hit.gain.helps for hit in ranking) < 0.1


def test_intervals_are_as_wide_as_left_out_targets_show_that_they_must_be():
    told = earlier(8, noise=0.05)
    signals = [signal_named("response")]
    predictor = fit(signals, [observed(one, signals) for one in told])
    covered = total = 0
    for out, one in enumerate(told):
        rest = [observed(other, signals) for i, other in enumerate(told) if i != out]
        inner = fit(signals, rest)
        line = replace(inner.line, widen=predictor.line.widen)
        gains = line.predict(inner.scores(observed(one, signals).readings))
        covered += sum(g.low <= true <= g.high for g, true in zip(gains, one.gains, strict=True))
        total += len(gains)
    assert 0.84 <= covered / total <= 1.0


def test_the_parts_of_a_prediction_explain_the_gap_between_two_hits():
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"], earlier=earlier(6))
    first, second = ranking[0], ranking[1]
    assert sum(first.parts.values()) - sum(second.parts.values()) == pytest.approx(first.score - second.score)
    said = ranking.explain()
    assert said.splitlines()[0] == f"'b' is {first.score - second.score:+.4f} ahead of 'd':"
    assert "response: 0.9 against 0.5" in said


def test_a_signal_that_can_tell_nothing_is_left_out_and_told():
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response", "prior", "logme"])
    assert [note.split(" ")[0] for note in ranking.notes] == ["prior", "logme"]
    assert set(ranking[0].signals) == {"response"}


def test_no_signal_at_all_is_one_sentence():
    with pytest.raises(DataError, match="no signal tells anything of 'new'"):
        answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["prior"])
    with pytest.raises(SettingError, match="there is no signal 'respons'.*response"):
        answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["respons"])
    with pytest.raises(SettingError, match="k is 0"):
        answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"], k=0)


def test_equal_scores_stand_by_name_and_are_told():
    ranking = answer(question("new", [0.5, 0.5, 0.5, 0.5]), ["response"])
    assert [hit.name for hit in ranking] == list(NAMES)
    assert any("all 4 candidates score the same" in note for note in ranking.notes)


def test_a_single_candidate_is_an_answer_too():
    one = question("new", [0.4], ("a",))
    assert [hit.name for hit in answer(one, ["response"])] == ["a"]
    calibrated = answer(one, ["response"], earlier=earlier(4))
    assert {hit.name for hit in calibrated} == {"a", DO_NOT_TRANSFER}
    assert calibrated[0].name == "a"  # the others gained 0.1 on average


def test_k_cuts_the_list_and_json_holds_it_all():
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"], earlier=earlier(6), k=2)
    assert len(ranking) == 2
    told = ranking.to_dict()
    assert told["calibrated"] is True
    assert set(told["hits"][0]["gain"]) == {"mean", "low", "high", "helps"}


def test_a_question_may_not_know_its_own_answer():
    from taskspace.ranking.history import Transfers

    table = Transfers(("a",), ("new",), np.zeros((1, 1, 1)), np.zeros((1, 1)))
    with pytest.raises(DataError, match="leave it out with without_target"):
        Question(target="new", sources=(Source("a"),), transfers=table)
