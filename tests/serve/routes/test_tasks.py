"""Every answer against numbers worked out from the vectors themselves."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.atlas import Atlas


@pytest.fixture
def stored(filled):
    """Entries and vectors by name of the larger space, read once."""
    with Atlas(filled) as atlas:
        entries = {entry.name: entry for entry in atlas.entries(space="response")}
        return entries, {name: atlas.get(name, space="response").vector.astype(np.float64) for name in entries}


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def nearest(vectors, name, entries, kind=None):
    """Names by cosine, what says nothing last; the task itself is left out."""
    others = [n for n in vectors if n != name and kind in (None, entries[n].kind)]
    telling = [n for n in others if vectors[n].any()]
    silent = [n for n in others if not vectors[n].any()]
    return sorted(telling, key=lambda n: -cosine(vectors[name], vectors[n])) + silent


def test_tasks_of_one_space_by_name(ask, stored):
    entries, _ = stored
    answer = ask("/v1/tasks", space="response")
    assert answer["total"] == len(entries) == 13
    assert [task["name"] for task in answer["tasks"]] == sorted(entries)
    assert answer["tasks"] == [
        {"name": n, "kind": entries[n].kind, "space": entries[n].space, "content": entries[n].content}
        for n in sorted(entries)
    ]


def test_tasks_of_all_spaces_and_a_part_of_them(ask, filled):
    with Atlas(filled) as atlas:
        every = sorted((entry.name, entry.space) for entry in atlas.entries())
    answer = ask("/v1/tasks", limit=5, offset=3)
    assert answer["total"] == len(every) == 16
    assert [(task["name"], task["space"]) for task in answer["tasks"]] == every[3:8]
    assert ask("/v1/tasks", offset=16)["tasks"] == []


def test_tasks_by_a_part_of_the_name_whatever_its_case(ask):
    assert [task["name"] for task in ask("/v1/tasks", q="imDB")["tasks"]] == ["IMDB-large", "imdb"]
    assert [task["name"] for task in ask("/v1/tasks", q="ÜNÏ")["tasks"]] == ["Ünïcode ★"]
    assert [task["name"] for task in ask("/v1/tasks", q="; --")["tasks"]] == ["SELECT 1; --"]
    assert ask("/v1/tasks", q="%")["tasks"] == []  # no wildcard of any language
    assert ask("/v1/tasks", q="_")["total"] == 2  # ag_news, in both spaces


def test_tasks_of_one_kind(ask, stored):
    entries, _ = stored
    answer = ask("/v1/tasks", space="response", kind="model")
    assert [task["name"] for task in answer["tasks"]] == sorted(n for n in entries if entries[n].kind == "model")
    assert answer["total"] == len(answer["tasks"]) > 2


def test_a_card(ask, stored):
    entries, vectors = stored
    for name, entry in entries.items():
        card = ask("/v1/task", name=name, space="response")
        odd = {"odd": None} if "odd" in entry.provenance else {}  # NaN, which JSON does not have
        assert card == {
            "name": name, "kind": entry.kind, "space": entry.space, "content": entry.content, "added": entry.added,
            "dims": 6, "informative": bool(vectors[name].any()), "provenance": dict(entry.provenance) | odd,
        }  # fmt: skip


@pytest.mark.parametrize("kind", [None, "model"])
def test_near(ask, stored, kind):
    entries, vectors = stored
    for name in ("sst2", "../../etc/passwd", "a b+c&d=e"):
        query = {"kind": kind} if kind else {}
        answer = ask("/v1/near", name=name, space="response", k=5, **query)
        expected = nearest(vectors, name, entries, kind)[:5]
        assert [hit["name"] for hit in answer["hits"]] == expected
        scores = [cosine(vectors[name], vectors[n]) if vectors[n].any() else 0.0 for n in expected]
        np.testing.assert_allclose([hit["score"] for hit in answer["hits"]], scores, atol=1e-6)
        assert answer["target"] == name
        assert not answer["calibrated"]


def test_rank_is_what_the_atlas_says(ask, filled):
    with Atlas(filled) as atlas:
        expected = atlas.rank("sst2", k=4, space="response", kind="dataset").to_dict()
    assert ask("/v1/rank", name="sst2", space="response", k=4, kind="dataset") == expected
    assert expected["hits"]


def test_a_ranking_follows_what_is_measured(serving, own):
    client = serving(own)
    before = client.get("/v1/rank", params={"name": "imdb", "space": "response"}).json()
    assert not before["calibrated"]
    with Atlas(own) as writer:
        for target in ("sst2", "trec"):
            for source, score in (("owner/model-a", 0.9), ("owner/model-b", 0.7), ("imdb", 0.6)):
                writer.observe(source=source, target=target, score=score, baseline=0.5)
        expected = writer.rank("imdb", space="response").to_dict()
    after = client.get("/v1/rank", params={"name": "imdb", "space": "response"}).json()
    assert after["calibrated"]
    assert after == expected


def test_compare(ask, stored):
    entries, vectors = stored
    answer = ask("/v1/compare", first="imdb", second="sst2", space="response")
    assert answer["similarity"] == pytest.approx(cosine(vectors["imdb"], vectors["sst2"]), abs=1e-6)
    ours = set(nearest(vectors, "imdb", entries)[:10]) & set(nearest(vectors, "sst2", entries)[:10])
    assert set(answer["shared"]) == ours
    assert answer["first"] == ask("/v1/task", name="imdb", space="response")
    assert answer["second"] == ask("/v1/task", name="sst2", space="response")
    assert [(t["source"], t["target"], t["metric"]) for t in answer["transfers"]] == [
        ("imdb", "sst2", "accuracy"), ("sst2", "imdb", "accuracy"), ("sst2", "imdb", "f1"),
    ]  # fmt: skip


def test_transfers_are_means_over_runs(ask):
    by_hand = {
        ("imdb", "sst2", "accuracy"): (None, 0.5, None, 1),
        ("never stored", "imdb", "accuracy"): (0.25, 0.75, 0.5, 1),
        ("sst2", "imdb", "accuracy"): (0.3, 0.8, 0.55, 3),  # gains 0.4 and 0.2; the third run states no baseline
        ("sst2", "imdb", "f1"): (-0.25, 0.25, 0.5, 1),
    }
    answer = ask("/v1/transfers")
    assert answer["total"] == 4
    found = {(t["source"], t["target"], t["metric"]): t for t in answer["transfers"]}
    assert list(found) == list(by_hand)
    for key, (gain, score, baseline, runs) in by_hand.items():
        got = found[key]
        assert got["score"] == pytest.approx(score)
        assert got["runs"] == runs
        for what, expected in (("gain", gain), ("baseline", baseline)):
            assert got[what] is None if expected is None else got[what] == pytest.approx(expected)


def test_transfers_from_a_source_on_a_target_and_a_part_of_them(ask):
    assert ask("/v1/transfers", source="never stored")["total"] == 1
    assert [t["metric"] for t in ask("/v1/transfers", source="sst2", target="imdb")["transfers"]] == ["accuracy", "f1"]
    assert ask("/v1/transfers", target="nobody") == {"total": 0, "transfers": []}
    page = ask("/v1/transfers", limit=2, offset=1)
    assert page["total"] == 4
    assert page["transfers"] == ask("/v1/transfers")["transfers"][1:3]


@pytest.mark.parametrize("path", ["/v1/task", "/v1/near", "/v1/rank"])
def test_names_that_are_not_there_or_in_several_spaces(client, refused, path):
    assert "'nobody'" in refused(client.get(path, params={"name": "nobody"}), 404, "UnknownName")
    assert "'imdb'" in refused(client.get(path, params={"name": "imdb", "space": "text"}), 404, "UnknownName")
    told = refused(client.get(path, params={"name": "sst2"}), 409, "SeveralSpaces")
    assert "2 spaces" in told
    for place in [task["space"] for task in client.get("/v1/tasks", params={"q": "sst2"}).json()["tasks"]]:
        assert place[:12] in told
        assert client.get(path, params={"name": "sst2", "space": place[:12]}).status_code == 200
    assert client.get(path, params={"name": "imdb"}).status_code == 200  # in one space only


def test_a_space_that_is_not_there_or_several(client, refused):
    none = refused(client.get("/v1/tasks", params={"space": "nowhere"}), 404, "UnknownSpace")
    assert "'nowhere'" in none
    several = refused(client.get("/v1/map"), 409, "SeveralSpaces")
    for space in client.get("/v1/spaces").json()["spaces"]:
        assert f"{space['fingerprint'][:12]} ({space['learner']})" in none
        assert f"{space['fingerprint'][:12]} ({space['learner']})" in several


def test_comparing_across_spaces(client, refused):
    query = {"first": "sst2", "second": "imdb", "space": "text"}
    refused(client.get("/v1/compare", params=query), 404, "UnknownName")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/near", {}), ("/v1/near", {"name": ""}), ("/v1/near", {"name": "sst2", "k": "0"}),
        ("/v1/near", {"name": "sst2", "k": "1001"}), ("/v1/near", {"name": "sst2", "k": "many"}),
        ("/v1/near", {"name": "sst2", "kind": "table"}), ("/v1/task", {"name": "x" * 1001}),
        ("/v1/tasks", {"limit": "-1"}), ("/v1/tasks", {"offset": "-1"}), ("/v1/tasks", {"space": ""}),
        ("/v1/compare", {"first": "sst2"}), ("/v1/map", {"method": "tsne"}), ("/v1/map", {"seed": "-1"}),
        ("/v1/similarities", {"limit": "1"}), ("/v1/transfers", {"offset": "1e3"}),
    ],
)  # fmt: skip
def test_parameters_that_are_not_right(client, refused, path, query):
    assert "openapi.json" in refused(client.get(path, params=query), 400, "BadParameter")
