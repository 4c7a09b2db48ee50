from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import taskspace.ranking
from taskspace.errors import SettingError, SpaceMismatch
from taskspace.ranking import order, rank


def names(ranking):
    return [hit.name for hit in ranking]


def test_nearest_first_with_scores_of_similarity(embed):
    target = embed("target", [1, 0])
    others = [embed("far", [0, 1]), embed("near", [2, 1]), embed("against", [-1, 0]), embed("same", [3, 0])]
    ranking = rank(target, others)
    assert names(ranking) == ["same", "near", "far", "against"]
    assert [hit.rank for hit in ranking] == [1, 2, 3, 4]
    by_name = {other.name: other for other in others}
    for hit in ranking:
        assert hit.score == pytest.approx(target.similarity(by_name[hit.name]), abs=1e-9)
    assert ranking.notes == ()
    assert ranking.target == "target"


def test_hits_carry_what_was_embedded(embed):
    ranking = rank(embed("t", [1, 0]), [embed("m", [1, 1], kind="model", content="abc", rows=7)])
    hit = ranking[0]
    assert (hit.kind, hit.content, hit.provenance) == ("model", "abc", {"rows": 7})


def test_k_cuts_and_must_be_positive(embed):
    target, others = embed("t", [1, 0]), [embed(f"c{i}", [1, i]) for i in range(5)]
    assert names(rank(target, others, k=2)) == ["c0", "c1"]
    assert len(rank(target, others, k=99)) == 5
    with pytest.raises(SettingError, match="k is 0"):
        rank(target, others, k=0)


def test_spaces_are_not_mixed(embed, space_id):
    with pytest.raises(SpaceMismatch, match="seed"):
        rank(embed("t", [1, 0]), [embed("c", [1, 0], space=space_id(seed=1))])


def test_the_target_is_left_out_and_the_notes_say_so(embed):
    target = embed("t", [1, 0])
    same_name = embed("t", [1, 1], content="else")
    same_content = embed("copy", [1, 0], content=target.content)
    model = embed("t-model", [1, 0.1], kind="model", content=target.content)
    ranking = rank(target, [same_name, same_content, model])
    assert names(ranking) == ["t-model"]
    assert ranking.notes == ("left out as the target itself: 't', 'copy'",)
    assert set(names(rank(target, [same_name, same_content, model], include_self=True))) == {"t", "copy", "t-model"}


def test_what_says_nothing_stands_last(embed):
    target = embed("t", [1, 0])
    silent = [embed("zero", [0, 0]), embed("constant", [1, 0], informative=False)]
    ranking = rank(target, [*silent, embed("opposite", [-1, 0])])
    assert names(ranking) == ["opposite", "constant", "zero"]
    assert [hit.score for hit in ranking] == [-1.0, 0.0, 0.0]
    assert ranking.notes == ("say nothing, so they score 0 and stand last: 'constant', 'zero'",)


def test_the_silent_do_not_move_the_fused_ranks_of_others(embed):
    blocks = (("a", 2), ("b", 2))
    target = embed("t", [1, 0, 1, 0], blocks=blocks)
    telling = [embed("x", [1, 0, 0, 1], blocks=blocks), embed("y", [1, 1, 1, 1], blocks=blocks)]
    silent = embed("s", [1, 0.5, 1, 0.5], blocks=blocks, informative=False)
    alone, beside = (rank(target, c, fusion="rrf") for c in (telling, [*telling, silent]))
    assert [(h.name, h.score) for h in alone] == [(h.name, h.score) for h in beside][:2]


def test_a_silent_target_is_noted(embed):
    ranking = rank(embed("t", [0, 0]), [embed("b", [1, 0]), embed("a", [0, 1])])
    assert names(ranking) == ["a", "b"]
    assert "'t' itself says nothing, so this order means nothing" in ranking.notes


def test_ties_go_by_name_and_are_noted(embed):
    target = embed("t", [1, 0])
    others = [embed("b", [1, 1]), embed("c", [2, 2]), embed("a", [1, -1]), embed("z", [0, 1])]
    ranking = rank(target, others)
    assert names(ranking) == ["a", "b", "c", "z"]
    assert ranking.notes == ("tie at 0.7071, ordered by name: 'a', 'b', 'c'",)
    assert rank(target, others, k=1).notes == ranking.notes  # the cut goes through the tie
    assert rank(target, [*others, embed("first", [1, 0])], k=1).notes == ()


def test_copies_at_another_scale_tie_whatever_the_last_bits(embed):
    row = np.random.default_rng(0).integers(-9, 10, 50)  # whole numbers, so that multiples are exact in float32
    others = [embed(f"c{i:02}", row * (i + 1)) for i in reversed(range(20))]
    ranking = rank(embed("t", np.arange(50)), others)
    assert names(ranking) == [f"c{i:02}" for i in range(20)]
    assert len({hit.score for hit in ranking}) == 1


def test_the_target_goes_before_what_ties_with_it(embed):
    target, twin = embed("t", [1, 2]), embed("a twin", [2, 4])
    assert names(rank(target, [twin, target], include_self=True)) == ["t", "a twin"]


def test_fusion_can_change_the_order(embed):
    # By cosine: x is (1, -1), y is (.8, .6), z is (0, .8).  By rank: x is 1st and 3rd, y 2nd and 2nd, z 3rd and 1st.
    blocks = (("a", 2), ("b", 2))
    target = embed("t", [1, 0, 1, 0], blocks=blocks)
    rows = {"x": [1, 0, -1, 0], "y": [0.8, 0.6, 0.6, 0.8], "z": [0, 1, 0.8, 0.6]}
    others = [embed(name, row, blocks=blocks) for name, row in rows.items()]
    assert names(rank(target, others)) == ["y", "z", "x"]
    fused = rank(target, others, fusion="rrf")
    assert names(fused) == ["x", "z", "y"]
    assert fused[0].score == pytest.approx(1 / 61 + 1 / 63)
    assert fused[2].score == pytest.approx(2 / 62)


@pytest.mark.parametrize(
    ("learner", "blocks", "fusion", "said"),
    [
        ("response", None, "mean", "cosine (linear CKA of the answer functions)"),
        ("text", None, "mean", "cosine of the mean text features"),
        ("other", None, "mean", "cosine"),
        ("fisher", (("a", 1), ("b", 1)), "mean", "cosine of the Fisher diagonals, mean over 2 components"),
        (
            "fisher",
            (("a", 1), ("b", 1)),
            "rrf",
            "sum of 1 / (60 + rank) over 2 components, ranked by cosine of",
        ),
    ],
)
def test_the_measure_says_what_the_score_is(embed, space_id, learner, blocks, fusion, said):
    target = embed("t", [1, 0], space=space_id(learner), blocks=blocks)
    measure = rank(target, [], fusion=fusion).measure
    assert measure.startswith(said)
    assert measure.endswith("; uncalibrated: an order, not a predicted gain")


def test_unknown_fusion_is_refused_even_with_nothing_to_rank(embed):
    with pytest.raises(SettingError, match="did you mean 'mean'"):
        rank(embed("t", [1, 0]), [], fusion="maen")


@settings(max_examples=80, deadline=None)
@given(
    arrays(np.float32, (6, 5), elements=st.floats(-1e6, 1e6, width=32)),
    st.integers(0, 5),
    st.sampled_from(["mean", "rrf"]),
)
def test_a_against_itself_is_first(embed, rows, chosen, fusion):
    blocks = (("a", 2), ("b", 3))
    rows[chosen, [0, 2]] = 1.0  # it says something in each part
    embeddings = [embed(f"e{i}", row, blocks=blocks) for i, row in enumerate(rows)]
    ranking = rank(embeddings[chosen], embeddings, fusion=fusion, include_self=True)
    assert ranking[0].name == f"e{chosen}"


def test_order_and_rank_share_one_ordering(embed):
    rng = np.random.default_rng(0)
    target, *others = [embed(f"e{i}", row) for i, row in enumerate(rng.standard_normal((9, 4)))]
    cosines = np.array([[target.similarity(other)] for other in others])
    assert names(order(target, others, cosines)) == names(rank(target, others))


def test_rank_stays_a_function():
    assert callable(taskspace.ranking.rank)
    import_module("taskspace.ranking._rank")
    assert callable(taskspace.ranking.rank)
    assert len(set(taskspace.ranking.__all__)) == len(taskspace.ranking.__all__)  # ruff keeps them sorted
    assert all(hasattr(taskspace.ranking, name) for name in taskspace.ranking.__all__)


def test_importing_needs_numpy_only():
    heavy = {"torch", "transformers", "pandas", "polars", "pyarrow", "sklearn", "scipy"}
    code = f"import sys, taskspace.ranking; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


# Centred


def test_centring_takes_off_what_all_have_in_common(embed):
    """Two pairs of kin on one large common part, and one that says nothing, which is no part of the mean."""
    common = np.array([10.0, 10, 0, 0])
    vectors = {"a": [1, 0, 1, 0], "b": [1, 0, 0.9, 0], "c": [-1, 0, 0, 1], "d": [-1, 0, 0, 1.1]}
    some = [embed(name, common + vector) for name, vector in vectors.items()]
    mute = embed("mute", [50, -50, 50, 50], informative=False)
    ranking = rank(some[0], [*some, mute], centre=True)
    centre = np.mean([common + np.array(v) for v in vectors.values()], axis=0)
    gaps = {name: common + np.array(v) - centre for name, v in vectors.items()}
    for hit in ranking[:3]:
        a, b = gaps["a"], gaps[hit.name]
        assert hit.score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert ranking[-1].name == "mute"
    assert ranking[0].score > 0.9 > 0 > ranking[1].score
    assert min(hit.score for hit in rank(some[0], some)) > 0.9
    assert "centred over 4 embeddings" in ranking.measure
    assert any(note.startswith("centred over 4 embeddings only") for note in ranking.notes)


def test_what_tuned_vectors_are(embed, space_id):
    space = space_id("tuned:prompt")
    ranking = rank(embed("a", [1, 0], space=space), [embed("b", [1, 1], space=space)])
    assert ranking.measure.startswith("cosine of what tuning changed; ")
