from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.likeness import MEASURES, Transfer, rank_prompts
from taskspace.prompting.soft import SoftPrompt
from taskspace.ranking import Ranking
from taskspace.tuning.identity import BackboneId


def backbone(name="tiny", table="t0", width=2):
    return BackboneId(name, "r0", "encoder", width, 10, table)


def prompt(name, degrees, length=1, **said):
    angle = np.deg2rad(degrees)
    tokens = np.tile([np.cos(angle), np.sin(angle)], (length, 1)).astype(np.float32)
    return SoftPrompt(tokens, **({"backbone": backbone(), "name": name, "provenance": {"seed": 0}} | said))


TARGET = prompt("t", 0)
SOURCES = [prompt("far", 90), prompt("near", 10), prompt("middle", -60)]


def test_nearest_first():
    ranking = rank_prompts(TARGET, SOURCES)
    assert isinstance(ranking, Ranking)
    assert [hit.name for hit in ranking] == ["near", "middle", "far"]
    np.testing.assert_allclose([hit.score for hit in ranking], np.cos(np.deg2rad([10, 60, 90])), atol=1e-6)
    assert [hit.rank for hit in ranking] == [1, 2, 3]
    assert ranking[0].kind == "prompt"
    assert ranking[0].content == SOURCES[1].fingerprint
    assert json.loads(json.dumps(ranking.to_dict()))["hits"][0]["provenance"] == {"seed": 0}
    assert "cosine of the mean tokens, of prompts; an order, not a predicted gain" in str(ranking)


def test_the_target_is_left_out_by_name_and_by_content():
    twin = SoftPrompt(TARGET.tokens, backbone(), "twin")
    ranking = rank_prompts(TARGET, [*SOURCES, prompt("t", 45), twin])
    assert [hit.name for hit in ranking] == ["near", "middle", "far"]
    assert ranking.notes == ("left out as the target itself: 't', 'twin'",)


def test_ties_go_by_name_and_are_told():
    ranking = rank_prompts(TARGET, [prompt("z", 30), prompt("a", -30)])
    assert [hit.name for hit in ranking] == ["a", "z"]
    assert ranking.notes == ("tie at 0.8660, ordered by name: 'a', 'z'",)


def test_nothing_to_rank():
    assert len(rank_prompts(TARGET, [])) == 0


def test_vectors_may_be_compared_instead():
    """Prompts from inits far apart look alike to nobody; what tuning added does."""
    init = np.array([[0.0, -50.0]], dtype=np.float32)
    moved = SoftPrompt(init + np.float32([[1, 0]]), backbone(), "moved", init)
    other = SoftPrompt(np.float32([[0, 1]]), backbone(), "other", np.zeros((1, 2), np.float32))
    target = SoftPrompt(np.float32([[2, 1]]), backbone(), "t", np.float32([[0, 1]]))  # vector (2, 0)
    assert [h.name for h in rank_prompts(target, [moved, other], compare="vectors")] == ["moved", "other"]
    assert [h.name for h in rank_prompts(target, [moved, other])] == ["other", "moved"]
    with pytest.raises(PromptError, match="no init"):
        rank_prompts(TARGET, SOURCES, compare="vectors")
    with pytest.raises(SettingError, match="compare='weights' is not known"):
        rank_prompts(TARGET, SOURCES, compare="weights")


def test_a_prior_given_by_name():
    worth = {"far": 5.0, "near": 1.0, "middle": 3.0}
    assert [h.name for h in rank_prompts(TARGET, SOURCES, measure="prior", prior=worth)] == ["far", "middle", "near"]
    with pytest.raises(PromptError, match="the prior says nothing of 'near'"):
        rank_prompts(TARGET, SOURCES, measure="prior", prior={"far": 1.0})


def test_measured_transfers_speak_through_the_nearest_task():
    """On the task of "near" the source "far" did best: what holds there holds for the target."""
    scores = {"near": 0.5, "far": 0.9, "middle": 0.1}
    rows = [Transfer(source, "near", score) for source, score in scores.items()]
    ranking = rank_prompts(TARGET, SOURCES, measure="neighbours", transfers=rows)
    assert [hit.name for hit in ranking] == ["far", "near", "middle"]


def test_transfers_to_the_target_itself_are_never_read():
    elsewhere = [Transfer(s, "near", score) for s, score in (("near", 0.5), ("far", 0.9), ("middle", 0.1))]
    own = [Transfer(s, "t", score) for s, score in (("near", 0.0), ("far", 0.1), ("middle", 1.0))]
    for measure in ("prior", "neighbours", "pooled_and_prior", "pooled_and_neighbours"):
        blind = rank_prompts(TARGET, SOURCES, measure=measure, transfers=elsewhere)
        assert rank_prompts(TARGET, SOURCES, measure=measure, transfers=[*elsewhere, *own]) == blind


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"measure": "cosine"}, "there is no measure 'cosine'"),
        ({"prior": {"far": 1, "near": 1, "middle": 1}}, "uses no prior; leave it out, or take 'pooled_and_prior'"),
        ({"transfers": []}, "uses no transfers; leave them out, or take 'pooled_and_neighbours'"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(given, says):
    with pytest.raises(SettingError, match=says):
        rank_prompts(TARGET, SOURCES, **given)


@pytest.mark.parametrize(
    ("source", "measure", "says"),
    [
        (prompt("x", 5, backbone=backbone(table="t1")), "pooled", "'x' was tuned on tiny and 't' on tiny, whose embed"),
        (prompt("x", 5, backbone=backbone("other", "")), "pooled", "'x' was tuned on other and 't' on tiny"),
        (SoftPrompt(np.ones((1, 3)), None, "x"), "pooled", "'x' is 3 wide and the target 2"),
        (prompt("x", 5, 4), "flat", "'x' has 4 tokens and the target 1"),
        (prompt("x", 5, layout="prefix"), "pooled", "'x' holds prefix rows and 't' input rows"),
    ],
)
def test_prompts_that_do_not_fit_are_refused(source, measure, says):
    with pytest.raises(PromptError, match=says):
        rank_prompts(TARGET, [*SOURCES, source], measure=measure)


def test_an_unknown_backbone_and_another_length_fit():
    ranking = rank_prompts(TARGET, [prompt("bare", 20, 7, backbone=None), *SOURCES])
    assert [hit.name for hit in ranking] == ["near", "bare", "middle", "far"]


def test_every_measure_ranks():
    rows = [Transfer(s.name, t.name, 0.1 * i) for t in SOURCES for i, s in enumerate(SOURCES)]
    for name, measure in MEASURES.items():
        known = rows if {"prior", "transfers"} & set(measure.needs) else None
        assert len(rank_prompts(TARGET, SOURCES, measure=name, transfers=known)) == 3


def test_transfers_to_the_target_s_task_are_not_read_where_its_name_is_another():
    """``tune`` from several inits calls a prompt TASK.SEED, and transfers are known by the task."""
    target = prompt("t.3", 0, tasks=("t",))
    elsewhere = [Transfer(s, "near", score) for s, score in (("near", 0.5), ("far", 0.9), ("middle", 0.1))]
    own = [Transfer(s, "t", score) for s, score in (("near", 0.0), ("far", 0.1), ("middle", 1.0))]
    for measure in ("prior", "pooled_and_neighbours"):
        blind = rank_prompts(target, SOURCES, measure=measure, transfers=elsewhere)
        assert rank_prompts(target, SOURCES, measure=measure, transfers=[*elsewhere, *own]) == blind


def test_sources_are_found_in_the_transfers_by_their_one_task():
    rows = [Transfer(s, "x", score) for s, score in (("near", 0.5), ("far", 0.9), ("middle", 0.1))]
    renamed = [prompt(f"{s.name}.0", angle, tasks=(s.name,)) for s, angle in zip(SOURCES, (90, 10, -60), strict=True)]
    ranking = rank_prompts(TARGET, renamed, measure="prior", transfers=rows)
    assert [hit.name for hit in ranking] == ["far.0", "near.0", "middle.0"]


@pytest.mark.parametrize("target", ["x", "t"])
def test_transfers_that_say_nothing_of_any_source_are_refused(target, one_sentence):
    source = "elsewhere" if target == "x" else "near"
    with pytest.raises(PromptError, match="say nothing of 'far'") as told:
        rank_prompts(TARGET, SOURCES, measure="prior", transfers=[Transfer(source, target, 0.5)])
    assert one_sentence(told.value)
