"""``rank`` and ``near``."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace import Atlas, Pool, SpaceId, TaskEmbedding


@pytest.fixture
def expected(atlas):
    """(name, cosine with ``mood``) by plain numpy over what is stored; what says nothing last, by name."""
    with Atlas(atlas) as store:
        held = {entry.name: store.get(entry.name) for entry in store.entries()}
    unit = {name: e.vector / np.linalg.norm(e.vector.astype(float)) for name, e in held.items()}
    target = unit.pop("mood")
    scores = {name: float(vector @ target) if held[name].informative else 0.0 for name, vector in unit.items()}
    return sorted(scores.items(), key=lambda item: (not held[item[0]].informative, -item[1], item[0]))


def test_rank_by_name_is_cosine_order(taskspace, expected):
    said = taskspace("rank", "mood", "--json")
    assert (said.code, said.err) == (0, "")
    hits = said.document["hits"]
    assert [hit["name"] for hit in hits] == [name for name, _ in expected]
    assert [hit["score"] for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-6)


def test_rank_prints_a_line_per_candidate_and_what_scores_mean(taskspace, expected):
    said = taskspace("rank", "mood", "-k", "2")
    lines = said.out.splitlines()
    assert lines[0] == "nearest to 'mood'"
    assert [line.split()[-1] for line in lines[1:3]] == [name for name, _ in expected[:2]]
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    assert lines[3].startswith("score: cosine")
    assert "note: left out as the target itself: 'mood'" in lines


def test_kind_narrows_the_answer(taskspace, atlas):
    said = taskspace("rank", "mood", "--kind", "model", "--json")
    assert {hit["name"] for hit in said.document["hits"]} == {"opinion", "length"}


def test_a_single_candidate_is_no_mistake_to_explain(taskspace, atlas):
    taskspace("remove", "length")
    said = taskspace("rank", "mood", "--kind", "model", "--explain")
    assert (said.code, said.out.splitlines()[1].split()[-1]) == (0, "opinion")
    assert said.err.strip() == "there is nothing to explain with fewer than two candidates"
    document = taskspace("rank", "mood", "--kind", "model", "--explain", "--json").document
    assert (document["explanation"], len(document["hits"])) == (None, 1)


def test_rank_by_file_is_rank_by_the_name_it_was_stored_under(taskspace, atlas):
    by_name, by_file = taskspace("rank", "topic", "--json"), taskspace("rank", "topic.csv", "--json")
    assert by_file.code == 0
    assert by_file.document == by_name.document


def test_rank_by_a_file_with_columns_said(taskspace, atlas, tasks, rows_of, write):
    write("odd.csv", [{"words": row["text"], "verdict": row["label"]} for row in rows_of(tasks["mood"])])
    said = taskspace("rank", "odd.csv", "--text", "words", "--label", "verdict", "--json")
    assert said.document["hits"] == taskspace("rank", "mood", "--json").document["hits"]
    assert "left out as the target itself: 'mood'" in said.document["notes"]


def test_a_name_goes_before_a_file(taskspace, atlas, folder):
    (folder / "mood").write_text("not a data set at all")
    assert taskspace("rank", "mood", "--json").document["target"] == "mood"


def test_near_may_include_the_target_itself(taskspace, atlas):
    alone, along = taskspace("near", "opinion", "--json"), taskspace("near", "opinion", "--include-self", "--json")
    assert len(along.document["hits"]) == len(alone.document["hits"]) + 1 == 6
    assert along.document["hits"][0]["name"] == "opinion"
    assert along.document["hits"][0]["score"] == pytest.approx(1)


def test_reciprocal_ranks_keep_the_order_of_a_single_component(taskspace, atlas):
    mean, ranks = (taskspace("near", "mood", "--fusion", by, "--json").document["hits"] for by in ("mean", "rrf"))
    assert [hit["name"] for hit in mean] == [hit["name"] for hit in ranks]
    assert ranks[0]["score"] == pytest.approx(1 / 61)


def test_ten_thousand_embeddings_from_a_process(process, folder):
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((10_000, 128)).astype(np.float32)
    pool = Pool(["one text"])
    space = SpaceId("s", "r", "w", {}, "response", {}, pool.fingerprint, 1, 0)
    blocks = (("response", 128),)
    with Atlas(folder / "my.db") as store:
        store.add(*(TaskEmbedding(f"e{i}", "dataset", space, v, blocks, f"c{i}") for i, v in enumerate(vectors)))
    exact = vectors.astype(float)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    for target in (0, 9_999):  # the second run reads what the first one cached
        similar = exact @ exact[target]
        similar[target] = -2
        best = np.argsort(-similar)[:20]
        hits = process("rank", f"e{target}", "-k", 20, "--json").document["hits"]
        assert [hit["name"] for hit in hits] == [f"e{i}" for i in best]
        assert [hit["score"] for hit in hits] == pytest.approx(similar[best], abs=1e-5)


@pytest.mark.parametrize("verb", ["rank", "near"])
def test_centred(taskspace, atlas, verb):
    """What all have in common is taken off: scores fall below zero, which no cosine of these vectors does."""
    plain, centred = (taskspace(verb, "mood", *more, "--json").document for more in ((), ("--centre",)))
    with Atlas(atlas) as store:
        held = {entry.name: store.get(entry.name) for entry in store.entries()}
    centre = np.mean([e.vector.astype(float) for e in held.values() if e.informative], axis=0)
    gaps = {name: (e.vector - centre) / np.linalg.norm(e.vector - centre) for name, e in held.items()}
    telling = [hit for hit in centred["hits"] if held[hit["name"]].informative]
    assert [h["score"] for h in telling] == pytest.approx([gaps["mood"] @ gaps[h["name"]] for h in telling], abs=1e-6)
    assert min(hit["score"] for hit in centred["hits"]) < 0 <= min(hit["score"] for hit in plain["hits"])
    assert "centred over" in centred["measure"]
