"""Ranking once transfers were observed: gains, their own target left out, and models that can be run."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.errors import SettingError
from taskspace.ranking import DO_NOT_TRANSFER
from taskspace.ranking.history import Row


def angled(embed, name, degrees, **given):
    turned = np.deg2rad(degrees)
    return embed(name, [np.cos(turned), np.sin(turned)], **given)


PLACES = {"a": 0, "b": 40, "c": 80, "d": 120, "t1": 10, "t2": 70, "t3": 110, "new": 30}


def gain(source, target):
    return 0.1 * np.cos(np.deg2rad(PLACES[source] - PLACES[target])) - 0.05


@pytest.fixture
def filled(atlas, embed):
    """Eight tasks on a circle, the gain a line in the cosine, measured for three targets."""
    atlas.add(*(angled(embed, name, degrees) for name, degrees in PLACES.items()))
    rows = [Row(s, t, 0.7 + gain(s, t), 0.7, 0, "accuracy") for t in ("t1", "t2", "t3") for s in "abcd"]
    assert atlas.observe_all(rows) == 12
    return atlas


def test_gains_are_predicted_once_two_other_targets_were_measured(filled):
    ranking = filled.rank("new", k=None)
    assert ranking.calibrated
    assert {"t1", "t2", "t3", "a", "b", "c", "d", DO_NOT_TRANSFER} == {hit.name for hit in ranking}
    by_name = {hit.name: hit for hit in ranking}
    assert by_name["b"].score > by_name["c"].score > by_name["d"].score
    assert by_name["b"].gain.low <= gain("b", "new") <= by_name["b"].gain.high
    assert by_name[DO_NOT_TRANSFER].score == 0
    assert "left out as the target itself: 'new'" in ranking.notes
    assert "predicted gain in accuracy" in ranking.measure


def test_until_then_the_order_is_by_likeness_and_says_so(atlas, embed):
    atlas.add(*(angled(embed, name, degrees) for name, degrees in PLACES.items()))
    atlas.observe_all([Row(s, "t1", 0.8, 0.7) for s in "abcd"])
    ranking = atlas.rank("new", k=3)
    assert not ranking.calibrated
    assert "uncalibrated" in ranking.measure
    assert ranking == atlas.near("new", k=3)


def test_a_transfer_without_a_baseline_predicts_no_gain(atlas, embed):
    atlas.add(*(angled(embed, name, degrees) for name, degrees in PLACES.items()))
    atlas.observe_all([Row(s, t, 0.8) for t in ("t1", "t2", "t3") for s in "abcd"])
    assert not atlas.rank("new").calibrated


def said(hit):
    """What each signal adds, without the level that is common to all."""
    return {name: value for name, value in hit.parts.items() if name != "level"}


def test_what_was_measured_on_the_target_itself_never_orders_its_candidates(filled):
    """It may move all of them up or down together, which is what partial pooling is."""
    before = [hit.name for hit in filled.rank("new", k=None) if hit.kind != "none"]
    parts = {hit.name: said(hit) for hit in filled.rank("new", k=None)}
    filled.observe_all([Row("d", "new", 0.99, 0.1), Row("a", "new", 0.95, 0.1), Row("b", "new", 0.1, 0.1)])
    after = filled.rank("new", k=None)
    assert [hit.name for hit in after if hit.kind != "none"] == before
    assert {hit.name: said(hit) for hit in after} == parts
    assert after[0].score > filled.rank("t1", k=None)[0].score  # the three gains measured here were large


def test_kind_and_k_narrow_the_answer(filled, embed):
    filled.add(angled(embed, "m", 35, kind="model"))
    assert [hit.name for hit in filled.rank("new", k=None, kind="model")] != []
    assert {hit.name for hit in filled.rank("new", k=None, kind="model")} == {"m", DO_NOT_TRANSFER}
    assert len(filled.rank("new", k=2)) == 2


def test_transfers_of_sources_and_targets_that_are_not_here_do_no_harm(filled):
    before = filled.rank("new", k=None)
    filled.observe_all([Row("gone", "t1", 0.2, 0.7, 0, "accuracy"), Row("a", "elsewhere", 0.9, 0.1, 0, "accuracy")])
    after = filled.rank("new", k=None)
    assert [hit.name for hit in after] == [hit.name for hit in before]


def test_of_several_metrics_on_one_target_the_usual_one_counts(filled):
    before = filled.rank("new", k=None).to_dict()
    filled.observe(source="a", target="t1", score=12.0, baseline=3.0, metric="perplexity")
    assert filled.rank("new", k=None).to_dict() == before


def test_what_was_noted_is_not_noted_twice(filled):
    rows = [Row("a", "t1", 0.7 + gain("a", "t1"), 0.7, 0, "accuracy"), Row("a", "t1", 0.5, 0.7, 1, "accuracy")]
    assert filled.observe_all(rows) == 1
    assert filled.observe_all(rows) == 0
    assert len(filled.transfers()) == 13
    with pytest.raises(SettingError, match="finite"):
        filled.observe_all([Row("a", "t1", 0.5), Row("b", "t1", float("nan"))])
    assert len(filled.transfers()) == 13


def test_running_needs_rows_and_something_to_run(filled):
    with pytest.raises(SettingError, match="give the task or its file"):
        filled.rank("new", run=2)
    for wrong in (-1, 1):
        with pytest.raises(SettingError, match=f"run is {wrong}"):
            filled.rank("new", run=wrong)


def test_explaining_names_what_tells_two_candidates_apart(filled):
    said = filled.rank("new", k=None).explain()
    assert "response" in said
    assert "prior" in said


def test_another_process_sees_the_same(filled, path):
    with Atlas(path) as again:
        assert again.rank("new").to_dict() == filled.rank("new").to_dict()


def test_the_target_under_another_name_is_the_target(filled, embed):
    """Its transfers are its own: they order nothing, and what they say of its level counts."""
    twin = angled(embed, "fresh", PLACES["t1"], content="content of t1")
    ranking = filled.rank(twin, k=None)
    assert "t1" not in {hit.name for hit in ranking}
    assert "learned on 2 measured targets" in ranking.measure
    filled.observe_all([Row(s, "t1", 0.9, 0.1, 1, "accuracy") for s in "abcd"])
    higher = filled.rank(twin, k=None)
    assert [h.name for h in higher if h.kind != "none"] == [h.name for h in ranking if h.kind != "none"]
    assert higher[0].score > ranking[0].score


def test_what_says_nothing_counts_as_average_and_is_told(filled, embed):
    filled.add(embed("mute", [0, 0], informative=False))
    ranking = filled.rank("new", k=None)
    (mute,) = [hit for hit in ranking if hit.name == "mute"]
    assert np.isnan(mute.signals["response"])
    assert mute.parts["response"] == 0
    assert any("likeness counts as average: 'mute'" in note for note in ranking.notes)


@pytest.mark.parametrize("centre", [False, True])
def test_likeness_to_a_target_that_says_nothing_counts_for_nothing(filled, embed, centre):
    """Noise labels give a vector of some direction, which must not choose."""
    here, there = (angled(embed, "noise", degrees, informative=False) for degrees in (0, 120))
    ranking = filled.rank(here, k=None, centre=centre)
    assert ranking.calibrated
    assert set(ranking[0].signals) == {"prior+ranks"}
    assert "likeness is left out, since 'noise' itself says nothing" in ranking.notes
    assert ranking.to_dict() == filled.rank(there, k=None, centre=centre).to_dict()


def test_an_earlier_target_that_says_nothing_teaches_nothing_of_likeness(filled, embed):
    """Where its vector stands moves no prediction, neither as a question nor as a neighbour."""
    rows = [Row(s, "noise", 0.7 + 0.1 * place, 0.7, 0, "accuracy") for place, s in enumerate("abcd")]
    filled.observe_all(rows)
    said = []
    for degrees in (0, 120):
        filled.add(angled(embed, "noise", degrees, informative=False))
        said.append(filled.rank("new", k=None).to_dict())
    assert "learned on 4 measured targets" in said[0]["measure"]
    assert said[0] == said[1]


def test_an_atlas_without_such_candidates_gives_an_empty_answer(filled):
    ranking = filled.rank("new", kind="adapter")
    assert len(ranking) == 0
    assert str(ranking).startswith("nothing to rank for 'new'")


@pytest.mark.parametrize("options", [{"fusion": "rrf"}, {"centre": True}, {"fusion": "rrf", "centre": True}])
def test_fusion_and_centre_choose_the_likeness(filled, options):
    ranking = filled.rank("new", k=None, **options)
    (likeness,) = [name for name in ranking[0].signals if name not in ("response+neighbours", "prior+ranks")]
    assert likeness == "response" + "+centred" * ("centre" in options) + "+rrf" * ("fusion" in options)
    with pytest.raises(SettingError, match="there is no fusion 'rff'"):
        filled.rank("new", fusion="rff")
