"""Duplicates against brute force over all pairs, hand-worked cases, and atlases in which the truth is known."""

from __future__ import annotations

import json
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.atlas import Atlas
from taskspace.atlas.duplicates import Background, copies_of, find_duplicates
from taskspace.atlas.duplicates import _pairs as pairs_module
from taskspace.atlas.duplicates._background import derive, gap
from taskspace.atlas.duplicates._groups import complete_groups
from taskspace.atlas.duplicates._pairs import Close, close_pairs, neighbours_of, similarities_of
from taskspace.atlas.map._directions import Directions
from taskspace.errors import AtlasError, SettingError, UnknownName


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def directions(seed, entries, dims):
    """Different tasks: independent directions."""
    return unit(np.random.default_rng(seed).standard_normal((entries, dims)))


def with_copies(vectors, copies, noise, seed=0):
    """The first rows again, moved by ``noise`` times a unit vector."""
    moved = vectors[:copies] + noise * directions(seed + 1, copies, vectors.shape[1])
    return np.concatenate([vectors, unit(moved)])


def at_angle(cosine, dims=8, along=0, aside=1):
    """A unit vector of that cosine with the axis ``along``."""
    vector = np.zeros(dims)
    vector[along], vector[aside] = cosine, np.sqrt(1 - cosine**2)
    return vector


def axis(number, dims=8):
    return np.eye(dims)[number]


@pytest.fixture
def filled(tmp_path, embed):
    """``filled(vectors)``: an atlas of these vectors, named by their numbers."""
    opened = []

    def fill(vectors, **given):
        atlas = Atlas(tmp_path / f"filled{len(opened)}.db")
        opened.append(atlas)
        atlas.add(*(embed(f"{i}", vector, **given) for i, vector in enumerate(vectors)))
        return atlas

    yield fill
    for atlas in opened:
        atlas.close()


def members(found):
    return {frozenset(group.names) for group in found.groups}


def listed(found):
    """All pairs that a result puts together, or calls as near."""
    together = {frozenset(pair) for group in found.groups for pair in combinations(group.names, 2)}
    return together | {frozenset((pair.first, pair.second)) for pair in found.apart}


# The search


@pytest.fixture
def small_steps(monkeypatch):
    """Blocks so small that a few rows make many of them."""
    monkeypatch.setattr(pairs_module, "STEP", 7)
    monkeypatch.setattr(pairs_module, "_ASKED", 4)


def cosines(vectors, blocks):
    """float64[n, n]: the mean over blocks of cosines, a zero block counting 0; the definition, pair by pair."""
    n, table, start = len(vectors), np.zeros((len(vectors),) * 2), 0
    for size in blocks:
        part = vectors[:, start : start + size].astype(float)
        start += size
        for i in range(n):
            for j in range(n):
                scale = np.linalg.norm(part[i]) * np.linalg.norm(part[j])
                table[i, j] += part[i] @ part[j] / scale / len(blocks) if scale else 0.0
    return table


@pytest.mark.parametrize("sizes", [(9,), (2, 3, 4)])
def test_close_pairs_are_those_of_brute_force(embed, atlas, small_steps, sizes):
    vectors = np.random.default_rng(0).standard_normal((40, 9)).astype(np.float32)
    vectors[3, : sizes[0]] *= 0 if len(sizes) > 1 else 1
    blocks = tuple((f"b{i}", size) for i, size in enumerate(sizes))
    atlas.add(*(embed(f"{i}", v, blocks=blocks) for i, v in enumerate(vectors)))
    places = np.array([i for i in range(40) if i % 5])
    truth = cosines(vectors[places], sizes)
    rows = Directions(atlas.matrix(), places)
    found = close_pairs(rows, 0.3)
    expected = {(i, j) for i, j in combinations(range(len(places)), 2) if truth[i, j] >= 0.3}
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == expected
    assert expected
    np.testing.assert_allclose(found.similarity, truth[found.first, found.second], atol=1e-6)
    np.testing.assert_allclose(similarities_of(rows, found.first, found.second), found.similarity, atol=1e-6)
    np.fill_diagonal(truth, -2)
    nearest = neighbours_of(rows, np.arange(len(places)), 5)
    np.testing.assert_allclose(nearest, -np.sort(-truth, axis=1)[:, :5], atol=1e-6)


def test_more_pairs_than_can_be_held_are_a_sentence(filled, monkeypatch, one_sentence):
    monkeypatch.setattr(pairs_module, "MOST", 10)
    near = with_copies(np.tile(axis(0), (1, 1)), 1, 0.0)
    atlas = filled(np.concatenate([near, unit(axis(0) + 0.05 * directions(0, 8, 8))]))
    with pytest.raises(SettingError) as error:
        find_duplicates(atlas, above=0.5)
    assert one_sentence(error.value)
    assert "--above" in str(error.value)


# Groups


def graph(edges):
    first, second, similarity = zip(*sorted(edges), strict=True) if edges else ((), (), ())
    return Close(np.array(first, dtype=np.int64), np.array(second, dtype=np.int64), np.array(similarity, dtype=float))


def test_a_chain_is_not_a_group():
    assert complete_groups(graph([(0, 1, 0.9), (1, 2, 0.95), (2, 3, 0.9)])) == [[1, 2]]


def test_a_triangle_is():
    assert complete_groups(graph([(0, 1, 0.9), (1, 2, 0.95), (0, 2, 0.9), (4, 7, 0.8)])) == [[0, 1, 2], [4, 7]]


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda e: e[0] < e[1]), st.floats(0.5, 1.0), max_size=40
    )
)
def test_groups_are_complete_disjoint_and_cannot_be_joined(edges):
    groups = complete_groups(graph([(*ends, similarity) for ends, similarity in edges.items()]))
    flat = [row for group in groups for row in group]
    assert len(flat) == len(set(flat))
    assert all(pair in edges for group in groups for pair in combinations(group, 2))
    alone = [[row] for row in range(10) if row not in flat]
    for one, other in combinations([*groups, *alone], 2):
        assert any(tuple(sorted((i, j))) not in edges for i in one for j in other)


# What joins


def test_the_same_content_under_several_names(embed, atlas):
    atlas.add(
        embed("a", axis(0), content="c"), embed("b", axis(0), content="c"), embed("other", axis(1)),
        embed("model", axis(0), content="c", kind="model"),
    )  # fmt: skip
    found = find_duplicates(atlas)
    assert members(found) == {frozenset("ab")}  # another kind is another thing
    (pair,) = found.groups[0].pairs
    assert (pair.strength, pair.evidence[0].what, pair.similarity) == ("content", "content", 1.0)
    assert found.spare == ("b",)
    assert "equal fingerprints" in str(found)


def test_vectors_equal_to_rounding(embed, atlas):
    near = axis(0) + np.array([0, 1e-4, 0, 0, 0, 0, 0, 0])  # cosine 1 - 5e-9
    atlas.add(embed("a", axis(0)), embed("b", near), embed("c", at_angle(0.999)), embed("d", 3 * axis(0)))
    found = find_duplicates(atlas)
    assert members(found) == {frozenset("abd")}
    assert {pair.strength for pair in found.groups[0].pairs} == {"vector"}
    assert found.groups[0].least == pytest.approx(1.0, abs=1e-6)
    assert found.searched[0].threshold is None


def test_of_few_entries_only_what_is_certain_is_listed(filled):
    found = find_duplicates(filled(with_copies(directions(0, 18, 8), 1, 0.01)))
    assert len(found) == 0
    assert "20" in found.searched[0].how
    assert members(find_duplicates(filled(with_copies(directions(0, 18, 8), 1, 0.01)), above=0.99)) == {
        frozenset(("0", "18"))
    }


def test_of_what_says_nothing_only_equality_counts(embed, atlas):
    silent = {"informative": False}
    atlas.add(
        embed("constant", np.zeros(8)), embed("constant too", np.zeros(8)), embed("noise", axis(0), **silent),
        embed("same noise", axis(0), **silent), embed("like noise", at_angle(0.99), **silent), embed("x", axis(3)),
    )  # fmt: skip
    assert members(find_duplicates(atlas, above=0.5)) == {frozenset(("noise", "same noise"))}
    atlas.add(embed("constant again", np.zeros(8), content="content of constant"))
    found = find_duplicates(atlas)
    assert members(found) == {frozenset(("noise", "same noise")), frozenset(("constant", "constant again"))}
    assert {group.representative: group.least for group in found.groups} == {"noise": 1.0, "constant": None}


def test_a_thousand_copies_are_one_group(filled):
    found = find_duplicates(filled([*np.tile(axis(0), (1000, 1)), axis(1)]))
    assert len(found) == 1
    assert len(found.spare) == 999
    assert found.groups[0].representative == "0"  # the oldest


def test_a_pair_that_fits_no_group_stands_apart(filled):
    # 0 and 1, and 1 and 2 are 0.9 alike, 0 and 2 no more than 0.62.
    angle = np.arccos(0.9)
    fan = [np.array([np.cos(k * angle), np.sin(k * angle), *[0] * 6]) for k in range(3)]
    found = find_duplicates(filled([*fan, axis(5)]), above=0.8)
    assert members(found) == {frozenset("01")}
    assert [(pair.first, pair.second) for pair in found.apart] == [("1", "2")]
    assert found.groups[0].least == pytest.approx(0.9)
    assert "as near, but not to a whole group" in str(found)


def test_a_threshold_counts_to_the_last_digit(filled):
    atlas = filled([axis(0), at_angle(0.9, aside=2), axis(1)])
    (pair,) = find_duplicates(atlas, above=0.8999999).groups[0].pairs
    assert pair.similarity == pytest.approx(0.9, abs=1e-7)
    assert len(find_duplicates(atlas, above=0.9000001)) == 0


@pytest.mark.parametrize("above", [0.0, -0.5, 1.5, float("nan")])
def test_what_is_no_similarity_is_refused(filled, above, one_sentence):
    with pytest.raises(SettingError) as error:
        find_duplicates(filled([axis(0)]), above=above)
    assert one_sentence(error.value)


def test_kinds_are_searched_one_by_one(embed, atlas):
    atlas.add(*(embed(f"{kind} {i}", axis(0), kind=kind) for kind in ("dataset", "model") for i in range(2)))
    assert len(find_duplicates(atlas)) == 2
    (group,) = find_duplicates(atlas, kind="model").groups
    assert group.names == ("model 0", "model 1")
    with pytest.raises(SettingError, match="did you mean 'model'"):
        find_duplicates(atlas, kind="mdel")


def test_spaces_are_kept_apart(embed, atlas, space_id):
    atlas.add(embed("a", axis(0)), embed("b", axis(0)), embed("a", axis(0), space=space_id("fisher")))
    assert members(find_duplicates(atlas, space="response")) == {frozenset("ab")}
    assert len(find_duplicates(atlas, space="fisher")) == 0
    with pytest.raises(SettingError, match="2 spaces fit"):
        find_duplicates(atlas)


def test_an_empty_atlas(atlas, space_id):
    with pytest.raises(AtlasError, match="is empty"):
        find_duplicates(atlas)
    atlas.keep_space(space_id())
    found = find_duplicates(atlas)
    assert (len(found), found.searched) == (0, ())
    assert str(found) == "no duplicates found"


def test_a_learner_that_sees_no_labels_says_so(embed, atlas, space_id):
    space = space_id("text")
    atlas.add(*(embed(f"{kind} {i}", axis(0), kind=kind, space=space) for kind in ("dataset", "model") for i in (0, 1)))
    atlas.add(embed("copy", axis(0), kind="model", space=space, content="content of model 0"))
    found = find_duplicates(atlas)
    assert members(found) == {frozenset(("dataset 0", "dataset 1")), frozenset(("model 0", "copy"))}
    assert "sees no labels" in found.notes[0]


def test_the_copies_of_one_task_are_those_of_its_group(filled, embed):
    vectors = with_copies(directions(0, 60, 30), 5, 0.2)
    atlas = filled(vectors)
    for number in (0, 3, 64):
        other = number + 60 if number < 60 else number - 60
        (pair,) = copies_of(atlas, atlas.get(str(number)))
        assert (pair.first, pair.second) == (str(number), str(other))
        assert pair.similarity == pytest.approx(vectors[number] @ vectors[other], abs=1e-6)
    assert copies_of(atlas, atlas.get("30")) == ()
    new = embed("new", vectors[7], content="content of 9")
    assert [(pair.second, pair.strength) for pair in copies_of(atlas, new)] == [("9", "content"), ("7", "vector")]
    silent = embed("silent", unit(vectors[[7]] + 0.01)[0], informative=False)
    assert copies_of(atlas, silent) == ()
    assert copies_of(atlas, embed("a model", vectors[7], kind="model")) == ()


# The threshold


def test_half_of_the_background_is_nearer_than_its_median():
    background = Background(0.4, 0.5, 1.5, 100)
    assert background.similarity(0.5) == pytest.approx(0.4)
    for chance in (0.4, 0.05, 1e-4):
        assert background.chance(np.array([background.similarity(chance)]))[0] == pytest.approx(chance)
    assert background.chance(np.array([0.1]))[0] == 1


def test_chances_are_those_of_a_drawn_background(rng):
    """Excesses drawn from a Weibull tail: the share beyond a similarity is its chance."""
    excess = 0.5 * rng.weibull(1.5, 200_000)
    nearest = 1 - np.exp(-(gap(np.array(0.4)) + excess))
    background = Background(0.4, 0.5, 1.5, 100)
    for similarity in (0.5, 0.7, 0.8):
        assert (nearest > similarity).mean() / 2 == pytest.approx(
            background.chance(np.array([similarity]))[0], rel=0.05
        )


def test_the_threshold_is_that_of_benjamini_and_hochberg(rng):
    stats = pytest.importorskip("scipy.stats")
    background = Background(0.4, 0.5, 1.2, 100)
    nearest = np.concatenate([rng.uniform(0.1, 0.6, 40), [0.9, 0.95, 0.97, 0.99]])
    threshold = background.threshold(nearest, len(nearest))
    rejected = stats.false_discovery_control(background.chance(nearest)) <= 0.05
    assert rejected.sum() > 1
    assert set(nearest[nearest >= threshold]) == set(nearest[rejected])


def neighbours(vectors, count=32):
    table = vectors @ vectors.T
    np.fill_diagonal(table, -2)
    return -np.sort(-table, axis=1)[:, : min(count, len(vectors) - 1)]


@pytest.mark.parametrize("dims", [10, 100])
@pytest.mark.parametrize("entries", [20, 60, 200])
def test_different_tasks_are_seldom_called_duplicates(dims, entries):
    """Of 60 atlases without a copy at most one in ten lists anything; the aim is one in twenty."""
    alarms = 0
    for seed in range(60):
        nearest = neighbours(directions(seed, entries, dims))
        alarms += bool((nearest[:, 0] >= derive(nearest, entries)[1]).any())
    assert alarms <= 6


def test_families_of_like_tasks_are_not_called_duplicates():
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        family, alike = rng.integers(0, 12, 60), rng.uniform(0.2, 0.7, 12)[:, None]
        middle, own = directions(seed + 100, 12, 60), directions(seed + 200, 60, 60)
        tasks = unit(np.sqrt(alike[family]) * middle[family] + np.sqrt(1 - alike[family]) * own)
        nearest = neighbours(tasks)
        alarms += bool((nearest[:, 0] >= derive(nearest, 60)[1]).any())
    assert alarms <= 4


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_blurred_copies_are_found_however_many_there_are(filled, share):
    """Copies at cosines of about 0.94 among 60 tasks in 30 directions: nearly all are found, hardly anything else."""
    copies = int(60 * share)
    found = listed(find_duplicates(filled(with_copies(directions(0, 60, 30), copies, 0.35))))
    truth = {frozenset((str(i), str(60 + i))) for i in range(copies)}
    assert len(found & truth) >= 0.95 * copies
    assert len(found - truth) <= 0.1 * len(found)


def test_the_threshold_does_not_move_when_copies_are_added():
    """The background is that of different tasks, so exact copies of all of them change little."""
    tasks = directions(0, 80, 20)
    alone, doubled = (derive(neighbours(t), len(t))[0] for t in (tasks, with_copies(tasks, 80, 0.05)))
    assert doubled.median == pytest.approx(alone.median, abs=0.03)


def test_tasks_that_all_stand_alike_end_the_search():
    """No spread at all: the assumed least spread is what remains, and the search still comes to its end."""
    nearest = np.full((30, 5), 0.25)
    background, threshold = derive(nearest, 30)
    assert background.median == pytest.approx(0.25)
    assert 0.25 < threshold < 1


# The evidence


def sentences(found):
    (group,) = found.groups
    (pair,) = group.pairs
    return {one.what: (one.says, one.supports) for one in pair.evidence}


def test_what_is_stored_is_told_for_and_against(embed, atlas):
    about = {"classes": 2, "input_rows": 100, "pool_overlap": 7, "description": "Is it spam?"}
    atlas.add(embed("a", axis(0), **about), embed("b", axis(0), **about))
    told = sentences(find_duplicates(atlas))
    assert told["vector"] == ("equal vectors", True)
    assert told["classes"] == ("2 classes each", True)
    assert told["rows"] == ("100 rows each, 7 of them in the pool", True)
    assert told["description"][1] is True
    atlas.add(embed("b", axis(0), **(about | {"classes": 3, "input_rows": 50, "description": "Else"})))
    told = sentences(find_duplicates(atlas))
    assert told["classes"] == ("2 classes against 3", False)
    assert told["rows"] == ("100 rows against 50", None)
    assert "description" not in told
    assert "but 2 classes against 3" in str(find_duplicates(atlas))


def test_models_tell_of_their_checkpoint_and_labels(embed, atlas):
    about = {"model": "org/m", "revision": "a" * 40, "labels": ["ham", "spam"], "input_rows": 500}
    atlas.add(embed("a", axis(0), kind="model", **about), embed("b", axis(0), kind="model", **about))
    told = sentences(find_duplicates(atlas))
    assert told["checkpoint"] == (f"both are org/m at {'a' * 12}", True)
    assert told["labels"] == ("the same label names", True)
    assert "rows" not in told  # every model answers the pool
    atlas.add(embed("b", axis(0), kind="model", **(about | {"revision": "b" * 40, "labels": ["0", "1"]})))
    told = sentences(find_duplicates(atlas))
    assert told["checkpoint"] == ("both are org/m, at two revisions", None)
    assert told["labels"] == ("other label names", None)
    atlas.add(embed("b", axis(0), kind="model", **(about | {"revision": "local"})))
    assert "checkpoint" not in sentences(find_duplicates(atlas))


def observed(atlas, scores):
    """Scores by source, one per target t0, t1, …"""
    for source, row in scores.items():
        for i, score in enumerate(row):
            atlas.observe(source=source, target=f"t{i}", score=score)


def test_equal_effects_as_sources_speak_for_a_pair(embed, atlas):
    atlas.add(embed("a", axis(0)), embed("b", axis(0)))
    observed(atlas, {"a": [0.5, 0.6, 0.7], "b": [0.5, 0.6, 0.7]})
    assert sentences(find_duplicates(atlas))["transfers"] == ("equal scores as sources of 3 targets", True)


def test_effects_are_held_against_those_of_other_pairs(embed, atlas):
    """Ten sources 0.1 apart from each other: 45 pairs, nine of which are as near as neighbours are."""
    atlas.add(embed("a", axis(0)), embed("b", axis(0)))
    others = {f"s{k}": [0.1 * k] * 3 for k in range(8)}
    observed(atlas, others | {"a": [0.30] * 3, "b": [0.31] * 3})
    says, supports = sentences(find_duplicates(atlas))["transfers"]
    gaps = [abs(x - y) for x, y in combinations([*(0.1 * k for k in range(8)), 0.30, 0.31], 2)]
    nearer = np.mean(np.array(gaps) > 0.01 + 1e-9)
    assert says == f"as sources 0.0100 apart on 3 targets, nearer than {nearer:.0%} of pairs of sources"
    assert supports is (True if nearer >= 0.95 else None)


def test_unlike_effects_speak_against_a_pair(embed, atlas):
    atlas.add(embed("a", axis(0)), embed("b", axis(0)))
    observed(atlas, {f"s{k}": [0.01 * k] * 3 for k in range(8)} | {"a": [0.0] * 3, "b": [0.9] * 3})
    assert sentences(find_duplicates(atlas))["transfers"][1] is False


def test_two_common_targets_tell_nothing(embed, atlas):
    atlas.add(embed("a", axis(0)), embed("b", axis(0)))
    observed(atlas, {"a": [0.5, 0.6], "b": [0.5, 0.6]})
    assert "transfers" not in sentences(find_duplicates(atlas))


def test_the_entry_to_keep_has_most_measurements_then_most_rows(embed, atlas):
    atlas.add(*(embed(name, axis(0), input_rows=rows) for name, rows in (("a", 10), ("b", 90), ("c", 90))))
    assert find_duplicates(atlas).groups[0].names == ("b", "a", "c")
    observed(atlas, {"a": [0.5]})
    assert find_duplicates(atlas).groups[0].representative == "a"


def test_groups_with_most_names_stand_first_and_pairs_by_strength(embed, atlas):
    atlas.add(
        embed("pair", axis(0)), embed("pair too", axis(0)), embed("x", axis(1)),
        embed("y", at_angle(0.9, along=1, aside=2)),
        embed("z", axis(1), content="content of x"), embed("w", 2 * axis(1)),
    )  # fmt: skip
    found = find_duplicates(atlas, above=0.85)
    assert [group.representative for group in found.groups] == ["x", "pair"]
    assert [(pair.second, pair.strength) for pair in found.groups[0].pairs] == [
        ("z", "content"), ("w", "vector"), ("y", "similarity")
    ]  # fmt: skip
    assert found.groups[0].least == pytest.approx(0.9)
    assert "~ y" in str(found)


def test_a_document_of_plain_values(filled):
    found = find_duplicates(filled(with_copies(directions(0, 60, 30), 5, 0.2)))
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(document["groups"]) == len(found) == 5
    (searched,) = document["searched"]
    assert searched["entries"] == 65
    assert searched["threshold"] == found.searched[0].threshold
    assert searched["background"]["median"] == found.searched[0].background.median
    first = document["groups"][0]
    assert first["names"] == list(found.groups[0].names)
    assert first["pairs"][0]["evidence"][0]["what"] == "similarity"


def test_the_same_answer_whatever_the_order_of_adding(embed, tmp_path):
    vectors = with_copies(directions(0, 50, 30), 10, 0.3)
    answers = []
    for turn, order in enumerate((np.arange(60), np.random.default_rng(1).permutation(60))):
        with Atlas(tmp_path / f"order{turn}.db") as atlas:
            atlas.add(*(embed(f"{i}", vectors[i]) for i in order))
            answers.append(members(find_duplicates(atlas)))
    assert answers[0] == answers[1]


def test_names_that_are_gone_are_not_asked_for(embed, atlas):
    """Transfers may name what was never embedded."""
    atlas.add(embed("a", axis(0)), embed("b", axis(0)))
    atlas.observe(source="gone", target="a", score=0.5)
    assert len(find_duplicates(atlas)) == 1
    with pytest.raises(UnknownName):
        atlas.get("gone")


def test_chains_of_similar_tasks_stay_several_groups(filled):
    """Twelve tasks along an arc, each 0.95 alike with the next: no group holds ends that are not alike."""
    angle = np.arccos(0.95)
    arc = [np.array([np.cos(k * angle), np.sin(k * angle), 0]) for k in range(12)]
    found = find_duplicates(filled(arc), above=0.9)
    for group in found.groups:
        assert group.least >= 0.9
        assert all(arc[int(a)] @ arc[int(b)] >= 0.9 for a, b in combinations(group.names, 2))
    steps = {frozenset((str(i), str(j))) for i, j in pairwise(range(12))}
    assert steps <= listed(found)
