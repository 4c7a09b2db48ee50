"""The answer: gains where transfers were observed, an honest order where not."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.ranking import DO_NOT_TRANSFER
from taskspace.ranking.answer import Earlier, Observed, answer, fit
from taskspace.ranking.answer.weights import standardised
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


@pytest.mark.parametrize("targets", [3, 4, 6, 10])
def test_intervals_hold_about_nine_in_ten_gains_of_targets_never_seen(targets):
    """However few targets were observed; with very few they may be wider than needed, and never much narrower."""
    rng = np.random.default_rng(targets)
    signal = signal_named("response")

    def drawn() -> Observed:
        readings = rng.normal(size=(12, 1))
        gains = rng.normal(0, 0.2) + 0.1 * readings[:, 0] + rng.normal(0, 0.15, size=12)
        return Observed("t", readings, gains)

    held: list[float] = []
    for _ in range(60):
        predictor, new = fit([signal], [drawn() for _ in range(targets)]), drawn()
        gains = predictor.line.predict(predictor.scores(new.readings))
        held.append(np.mean([g.low <= true <= g.high for g, true in zip(gains, new.gains, strict=True)]))
    assert 0.85 <= np.mean(held) <= (1 if targets < 6 else 0.97)


def test_targets_left_out_that_were_missed_widen_the_intervals():
    """On half of the targets gains fall with the score: no line foretells them as well as it fits the rest."""
    rng = np.random.default_rng(0)
    z = standardised(rng.normal(size=(20, 1)))
    calm = [Observed(f"t{i}", z, 0.2 * z[:, 0] + 0.001 * rng.normal(size=20)) for i in range(6)]
    odd = [*calm, Observed("odd", z, -5 * z[:, 0])]
    assert fit([signal_named("response")], odd).line.widen >= 1
    assert fit([signal_named("response")], calm).line.widen < 3


def test_targets_without_any_spread_do_not_blow_up_the_intervals():
    z = standardised(np.arange(6.0)[:, None])
    flat = [Observed(f"t{i}", z, np.zeros(6)) for i in range(2)]
    line = fit([signal_named("response")], [*flat, Observed("varied", z, 0.1 * z[:, 0])]).line
    gains = line.predict(np.zeros(3))
    assert all(abs(gain.high) < 2 and abs(gain.low) < 2 for gain in gains)


def test_where_no_signal_foretells_gains_the_order_is_still_that_of_the_signals():
    opposite = [Earlier(one.question, -one.gains) for one in earlier(6)]
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5]), ["response"], earlier=opposite)
    assert [hit.name for hit in ranking if hit.kind != "none"] == ["b", "d", "a", "c"]
    assert len({hit.score for hit in ranking if hit.kind != "none"}) == 1
    assert any("no signal foretold" in note for note in ranking.notes)


def test_a_source_that_is_the_target_is_left_out_and_told():
    names = ("a", "new", "c", "d")
    ranking = answer(question("new", [0.1, 0.9, -0.2, 0.5], names), ["response"], measured=np.zeros(4))
    assert [hit.name for hit in ranking] == ["d", "a", "c"]
    assert "left out as the target itself: 'new'" in ranking.notes


def test_input_that_does_not_fit_is_refused():
    asked = question("new", [0.1, 0.9, -0.2, 0.5])
    with pytest.raises(DataError, match="one finite number"):
        Earlier(asked, np.zeros(3))
    with pytest.raises(DataError, match="one finite number"):
        answer(asked, ["response"], measured=np.array([0, 0, 0, np.inf]))
    with pytest.raises(DataError, match="comes more than once"):
        question("new", [0.1, 0.2], ("a", "a"))
    with pytest.raises(DataError, match="do not fit 2 sources"):
        Question(target="new", sources=(Source("a"), Source("b")), vectors=asked.vectors)


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
