"""What every engine promises, against brute force written here."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.atlas._stored import to_record
from taskspace.atlas.engines import open_store
from taskspace.errors import AtlasError, SettingError, UnknownName
from taskspace.ranking.history import Row
from taskspace.task import Pool

ENGINES = {"sqlite": "my.db", "lance": "my.lance"}
SEARCHING = "lance searching"

every_way_to_search = pytest.mark.parametrize("engine", [*ENGINES, SEARCHING], indirect=True)
NAMES = [
    "plain",
    "o'clock",
    'say "so"',
    "back\\slash\\",
    "%_;-- DROP TABLE embeddings",
    "') OR ('1'='1",
    "google-bert/bert-base uncased",
    "naïve 漢字 🤗",
    "e\u0301 is not \u00e9",
    "\u00e9",
    "tab\tand\nline",
    "NULL",
    "`ticks` {braces} $1 ?",
    " leading and trailing ",
    "nul\0byte",
]


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    if request.param == SEARCHING:  # which LanceDB otherwise does in large spaces only, and once
        monkeypatch.setattr("taskspace.atlas.engines.lance._near.WORTH_SEARCHING", 0)
        monkeypatch.setattr("taskspace.atlas._atlas.MOST_READ", 0)
        return "lance"
    return request.param


@pytest.fixture
def path(engine, tmp_path):
    return tmp_path / ENGINES[engine]


def cosines(target, vectors, blocks):
    """float64[n, b], one number at a time."""
    found = np.zeros((len(vectors), len(blocks)))
    for i, vector in enumerate(vectors):
        start = 0
        for c, (_, size) in enumerate(blocks):
            a, b = (np.asarray(v[start : start + size], dtype=np.float64) for v in (target, vector))
            scale = np.sqrt((a * a).sum()) * np.sqrt((b * b).sum())
            found[i, c] = (a * b).sum() / scale if scale else 0.0
            start += size
    return found


def expected(target, embeddings, *, k=None, kind=None, fusion="mean", centre=False, include_self=False):
    """(name, score) as :meth:`Atlas.near` should have them."""
    told = [e.informative for e in embeddings]
    vectors = np.stack([e.vector.astype(np.float64) for e in embeddings])
    middle = vectors[told].mean(axis=0) if centre else np.zeros(vectors.shape[1])
    likeness = cosines(target.vector - middle, vectors - middle, target.blocks)
    itself = {
        i
        for i, e in enumerate(embeddings)
        if e.kind == target.kind and (e.name == target.name or e.content == target.content)
    }
    chosen = [i for i, e in enumerate(embeddings) if kind in (None, e.kind) and (include_self or i not in itself)]
    telling = [i for i in chosen if told[i]]
    if fusion == "mean":
        score = {i: likeness[i].mean() for i in telling}
    else:  # a tie shares the mean of the places it takes
        rounded = np.round(likeness[telling], 9)
        ranks = [
            [(column > mine).sum() + 1 + ((column == mine).sum() - 1) / 2 for mine in column] for column in rounded.T
        ]
        score = dict(zip(telling, (1 / (60 + np.array(ranks))).sum(axis=0), strict=True))
    telling.sort(key=lambda i: (-round(score[i], 9), i not in itself, embeddings[i].name))
    silent = sorted((i for i in chosen if not told[i]), key=lambda i: embeddings[i].name)
    return [(embeddings[i].name, score.get(i, 0.0)) for i in (telling + silent)[:k]]


def same(ranking, wanted):
    assert [hit.name for hit in ranking] == [name for name, _ in wanted]
    np.testing.assert_allclose([hit.score for hit in ranking], [score for _, score in wanted], atol=1e-9)


def names(atlas, **chosen):
    return [entry.name for entry in atlas.entries(**chosen)]


# Search


@pytest.fixture
def crowd(embed):
    """Datasets and models; twins, which tie; some that say nothing; one under the target's content."""

    def make(length, blocks=None, space=None):
        rng = np.random.default_rng(length)
        vectors = rng.standard_normal((40, length))
        kinds = ("dataset", "model", "prompt")
        made = [embed(f"e{i}", v, kind=kinds[i % 3], blocks=blocks, space=space) for i, v in enumerate(vectors)]
        made += [embed(f"twin {i}", vectors[5], kind=kinds[i % 2], blocks=blocks, space=space) for i in range(4)]
        made += [embed(f"zero {i}", np.zeros(length), kind=kinds[i], blocks=blocks, space=space) for i in range(2)]
        made += [embed("marked", np.ones(length), kind="model", blocks=blocks, space=space, informative=False)]
        made += [embed("alias", vectors[0], content="content of e0", blocks=blocks, space=space)]
        made += [embed("long", 1e15 * vectors[2], kind="model", blocks=blocks, space=space)]
        made += [embed("short", 1e-25 * vectors[4], kind="model", blocks=blocks, space=space)]
        return made

    return make


@every_way_to_search
@pytest.mark.parametrize("kind", [None, "model"])
@pytest.mark.parametrize("k", [None, 5, 1000])
def test_near_is_brute_force(atlas, crowd, k, kind):
    given = crowd(16)
    atlas.add(*given)
    for target in (given[0], given[5], given[-1], given[-2]):
        same(atlas.near(target, k=k, kind=kind), expected(target, given, k=k, kind=kind))
        same(atlas.near(target.name, k=k, kind=kind), expected(target, given, k=k, kind=kind))
    same(
        atlas.near("e0", k=k, kind=kind, include_self=True),
        expected(given[0], given, k=k, kind=kind, include_self=True),
    )


@every_way_to_search
@pytest.mark.parametrize("settings", [{}, {"fusion": "rrf"}, {"centre": True}], ids=["mean", "rrf", "centred"])
@pytest.mark.parametrize("blocks", [(("all", 12),), (("a", 5), ("b", 4), ("c", 3))], ids=["one", "three"])
def test_near_of_several_blocks(atlas, crowd, blocks, settings):
    given = [e for e in crowd(12, blocks) if e.name not in ("long", "short")]
    atlas.add(*given)
    for k in (None, 7):
        for target in (given[0], given[5]):
            same(atlas.near(target, k=k, **settings), expected(target, given, k=k, **settings))


@pytest.mark.parametrize("engine", ["lance"], indirect=True)
def test_a_search_and_the_matrix_give_one_answer(path, crowd, monkeypatch):
    """Its notes too, which tell of ties and of what says nothing."""
    given = crowd(16)
    with Atlas(path) as atlas:
        atlas.add(*given)
        targets = [given[0], given[5], *given[-4:]]
        read = [atlas.near(target, k=6) for target in targets]
    monkeypatch.setattr("taskspace.atlas.engines.lance._near.WORTH_SEARCHING", 0)
    monkeypatch.setattr("taskspace.atlas._atlas.MOST_READ", 0)  # who asks again is not answered otherwise
    with Atlas(path) as atlas:
        monkeypatch.setattr(atlas._shelf, "matrix", None)  # so that it cannot be what answers
        assert [atlas.near(target, k=6) for target in targets if target.vector.any()] == [
            answer for answer, target in zip(read, targets, strict=True) if target.vector.any()
        ]


def test_rank_learns_from_transfers(atlas, embed):
    """Two targets that one source helped and another hurt; the new one is like both sources alike."""
    vectors = {"good": [1, 0, 0], "bad": [0, 1, 0], "t1": [0.9, 0.8, 0.1], "t2": [0.8, 0.9, 0.1], "new": [1, 1, 0]}
    atlas.add(*[embed(name, vector) for name, vector in vectors.items()])
    assert "uncalibrated" in atlas.rank("new").measure
    for target in ("t1", "t2"):
        atlas.observe(source="good", target=target, score=0.9, baseline=0.7)
        atlas.observe(source="bad", target=target, score=0.5, baseline=0.7)
    places = [hit.name for hit in atlas.rank("new", k=None)]
    assert places.index("good") < places.index("bad")


@every_way_to_search
def test_several_spaces_are_kept_apart(atlas, crowd, space_id):
    one, two = crowd(16), crowd(7, space=space_id("text"))
    atlas.add(*one, *two)
    assert atlas.spaces() == [space_id(), space_id("text")]
    assert len(atlas) == len(one) + len(two)
    same(atlas.near(two[0], k=5), expected(two[0], two, k=5))
    same(atlas.near("e0", k=5, space="response"), expected(one[0], one, k=5))
    with pytest.raises(SettingError, match="'e0' stands in 2 spaces"):
        atlas.near("e0")


def test_the_matrix_has_every_vector_in_the_order_of_adding(atlas, many):
    given = many(*range(30))
    atlas.add(*given[:10])
    for each in given[10:13]:
        atlas.add(each)
    atlas.add(*given[13:])
    atlas.add(*many(7, 3, length=8, rows=2))  # replaced where they stand
    matrix = atlas.matrix()
    assert [row.name for row in matrix.rows] == [e.name for e in given]
    np.testing.assert_array_equal(matrix.vectors, np.stack([e.vector for e in given]))
    np.testing.assert_allclose(matrix.norms[:, 0], [np.linalg.norm(e.vector.astype(np.float64)) for e in given])
    assert [row.provenance for row in matrix.rows[2:5]] == [{}, {"rows": 2}, {}]


# Writing


def test_what_is_added_comes_back_whole(atlas, path, embed):
    vector = np.array([1e-38, -0.0, 3.4e38, np.pi, 1e-45], dtype=np.float32)
    given = embed("a", vector, kind="adapter", blocks=(("x", 2), ("ÿ", 3)), rows=7, skill=0.5, note="naïve '漢'")
    atlas.add(given)
    atlas.close()
    with Atlas(path, create=False) as again:
        found, entry = again.get("a"), again.entry("a")
    assert found.vector.tobytes() == given.vector.tobytes()
    for field in ("name", "kind", "space", "blocks", "content", "provenance"):
        assert getattr(found, field) == getattr(given, field)
    assert (entry.name, entry.kind, entry.content, entry.dims) == ("a", "adapter", given.content, 5)
    assert (entry.provenance, entry.space) == (given.provenance, given.space.fingerprint)
    assert entry.added.endswith("+00:00")


def test_names_of_all_kinds(atlas, path, embed):
    given = [embed(name, np.eye(len(NAMES))[i], content=f"c {name}", said=name) for i, name in enumerate(NAMES)]
    atlas.add(*given)
    atlas.close()
    with Atlas(path) as atlas:
        assert names(atlas) == sorted(NAMES)
        for i, name in enumerate(NAMES):
            assert name in atlas
            assert atlas.get(name).vector[i] == 1
            assert atlas.entry(name).provenance == {"said": name}
            assert atlas.names_of(f"c {name}", "dataset", space="response") == [name]
            assert len(atlas.near(name, k=None)) == len(NAMES) - 1
        atlas.add(given[1], given[3])
        assert len(atlas) == len(NAMES)
        for name in NAMES:
            atlas.rename(name, f"{name}'s new \\ name")
        assert names(atlas) == sorted(f"{name}'s new \\ name" for name in NAMES)
        atlas.remove(*[f"{name}'s new \\ name" for name in NAMES[1:]])
        assert names(atlas) == ["plain's new \\ name"]


def test_replace_refuse_remove_rename(atlas, embed):
    atlas.add(embed("a", [1, 0], content="old"), embed("b", [0, 1]))
    atlas.add(embed("a", [0, 1], content="new", rows=2))
    assert (atlas.get("a").content, atlas.get("a").vector.tolist(), len(atlas)) == ("new", [0, 1], 2)
    for refused in (
        lambda: atlas.add(embed("c", [1, 1]), embed("a", [1, 1]), replace=False),
        lambda: atlas.add(embed("c", [1, 1]), embed("a", [1, 1], kind="model")),
        lambda: atlas.add(embed("c", [1, 1]), embed("c", [1, 1], kind="model")),
        lambda: atlas.rename("a", "b"),
        lambda: atlas.rename("a", " "),
        lambda: atlas.add(embed("c", [1, 1, 1])),
        lambda: atlas.add(embed("c", [1, 1]), embed("d", [1, 1], blocks=(("x", 1), ("y", 1)))),
        lambda: atlas.add(embed("c\udc80", [1, 1])),
        lambda: atlas.add(embed("c", [1, 1], what=object())),
    ):
        with pytest.raises(AtlasError):
            refused()
        assert names(atlas) == ["a", "b"]
        assert atlas.get("a").content == "new"
    atlas.add(embed("c", [1, 1], rows=1), embed("c", [1, 2], rows=2))
    assert (atlas.get("c").provenance, len(atlas)) == ({"rows": 2}, 3)
    atlas.rename("c", "c")
    atlas.rename("a", "z")
    with pytest.raises(UnknownName, match="no 'nobody'"):
        atlas.remove("b", "nobody")
    assert names(atlas) == ["b", "c", "z"]
    atlas.remove("b", "z", "b")
    assert names(atlas) == ["c"]
    atlas.remove("c")
    atlas.add(embed("d", [1, 0, 0]))  # an empty space has no length yet
    assert atlas.get("d").vector.tolist() == [1, 0, 0]
    assert len(atlas.matrix().rows) == 1


def test_who_asks_again_is_answered_from_the_vectors_at_hand(path, crowd, monkeypatch):
    monkeypatch.setattr("taskspace.atlas.engines.lance._near.WORTH_SEARCHING", 0)
    given = crowd(8)
    with Atlas(path) as atlas:
        atlas.add(*given)
        first, again = (atlas.near(given[0], k=3) for _ in range(2))
        assert first == again
        assert atlas._shelf._held
        atlas.add(given[0])  # another state: asked of the store once more
        assert atlas.near(given[0], k=3) == first


def test_what_was_removed_can_be_put_as_another_kind_in_the_same_change(path, embed):
    with Atlas(path) as atlas:
        atlas.add(embed("a", [1, 0]), embed("b", [0, 1]))
    new = embed("a", [0, 1], kind="model")
    store = open_store(path, create=False)
    with store.writing() as change:
        (row,) = change.spaces()
        change.remove(row, ["a"])
        change.put(row, new.blocks, [to_record(new)])
    store.close()
    with Atlas(path) as atlas:
        assert {entry.name: entry.kind for entry in atlas.entries()} == {"a": "model", "b": "dataset"}
        assert [row.name for row in atlas.matrix().rows] == ["b", "a"]
        np.testing.assert_array_equal(atlas.get("a").vector, new.vector)


def test_many_at_once(atlas, embed):
    """More names than fit into one filter, some of them there before."""
    vectors = np.random.default_rng(0).standard_normal((1300, 4)).astype(np.float32)
    given = [embed(f"e{i}", vector) for i, vector in enumerate(vectors)]
    atlas.add(*given[:20], *given[1290:])
    atlas.add(*given)
    matrix = atlas.matrix()
    assert len(matrix.rows) == 1300
    found = {row.name: vector for row, vector in zip(matrix.rows, matrix.vectors, strict=True)}
    np.testing.assert_array_equal(np.stack([found[f"e{i}"] for i in range(1300)]), vectors)
    atlas.remove(*[f"e{i}" for i in range(1298)])
    assert names(atlas) == ["e1298", "e1299"]
    with pytest.raises(AtlasError, match="already a dataset named 'e1298'"):
        atlas.add(*given, replace=False)
    assert len(atlas) == 2


def test_content_is_found_under_all_its_names(atlas, embed, space_id):
    content = "it's \\ content"
    atlas.add(embed("b", [1, 0], content=content), embed("a", [1, 0], content=content))
    atlas.add(
        embed("m", [1, 0], content=content, kind="model"), embed("t", [1], content=content, space=space_id("text"))
    )
    assert atlas.names_of(content, "dataset", space=space_id()) == ["a", "b"]
    assert atlas.names_of(content, "model", space="response") == ["m"]
    assert atlas.has(content, "dataset", space=space_id("text"))
    assert not atlas.has(content, "prompt", space="response")
    assert not atlas.has("other", "dataset", space="response")


# Spaces, pools, transfers


def test_spaces_and_pools(atlas, path, embed, space_id, pool):
    other = Pool([f"text {i}" for i in range(50)])
    atlas.keep_space(space_id(), pool, {"surrogate": "./it's", "batch": 8})
    atlas.keep_space(space_id())
    atlas.add(embed("a", [1], space=space_id("text", pool=other.fingerprint), pool=other))
    atlas.keep_space(space_id("fisher"))
    atlas.close()
    with Atlas(path) as atlas:
        assert [space.learner for space in atlas.spaces()] == ["response", "text", "fisher"]
        assert atlas.options("response") == {"surrogate": "./it's", "batch": 8}
        assert atlas.options("text") == {}
        assert atlas.pool("response").inputs == pool.inputs
        assert atlas.pool("text").inputs == other.inputs
        assert atlas.keep_space(space_id(seed=9), unless_any=True) == space_id()
        atlas.keep_space(space_id("text", pool=other.fingerprint), options={"surrogate": "x"})
        assert atlas.options("text") == {"surrogate": "x"}
        assert "a" in atlas
        assert len(atlas.matrix("fisher").rows) == 0


def test_transfers(atlas, path, embed):
    noted = [
        Row("it's", "\\ 漢", 0.1 + 0.2, None, None, ""),
        Row("a", "b", 0.5, 0.25, 3, "f1"),
        Row("a", "b", 0.5, 0.25, -(2**63), "f1"),
        Row("a", "b", 1e-300, -1e300, 2**63 - 1, "f1"),
    ]
    assert atlas.observe_all(noted) == 4
    assert atlas.observe_all([*noted, Row("a", "b", 0.5, 0.25, 4, "f1")]) == 1
    atlas.observe(source="a", target="b", score=0.5, baseline=0.25, metric="f1", seed=3)
    atlas.add(embed("a", [1, 0]), embed("c", [1, 0]))
    atlas.rename("a", "b's")
    atlas.close()
    with Atlas(path) as atlas:
        found = [(t.source, t.target, t.score, t.baseline, t.seed, t.metric) for t in atlas.transfers()]
        assert found == [
            ("it's", "\\ 漢", 0.1 + 0.2, None, None, "accuracy"),
            ("b's", "b", 0.5, 0.25, 3, "f1"),
            ("b's", "b", 0.5, 0.25, -(2**63), "f1"),
            ("b's", "b", 1e-300, -1e300, 2**63 - 1, "f1"),
            ("b's", "b", 0.5, 0.25, 4, "f1"),
            ("b's", "b", 0.5, 0.25, 3, "f1"),
        ]
        with pytest.raises(SettingError):
            atlas.observe_all([Row("x", "y", 0.5), Row("x", "", 0.5)])
        assert len(atlas.transfers()) == 6


def test_export_is_complete(atlas, many, space_id, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    given = [*many(*range(300)), *many(1, 2, length=3, space=space_id("text"))]
    atlas.add(*given)
    table = parquet.read_table(atlas.export(tmp_path / "out.parquet"))
    assert table["name"].to_pylist() == [e.name for e in given]
    for found, e in zip(table["vector"].to_pylist(), given, strict=True):
        np.testing.assert_array_equal(np.array(found, dtype=np.float32), e.vector)
    assert set(json.loads(table.schema.metadata[b"taskspace"])["spaces"]) == {e.space.fingerprint for e in given}


# States


def test_an_empty_atlas(path):
    for create in (True, False):
        with Atlas(path, create=create) as atlas:
            assert (len(atlas), names(atlas), atlas.spaces(), atlas.transfers()) == (0, [], [], [])
            assert "x" not in atlas
            assert atlas.check() == ""
            for ask in (atlas.get, atlas.near, atlas.remove, lambda _: atlas.rename("x", "y")):
                with pytest.raises(UnknownName, match="there is no 'x' in "):
                    ask("x")
            with pytest.raises(AtlasError, match="is empty; embed something into it first"):
                atlas.matrix()


def test_opening_without_making(path):
    with pytest.raises(AtlasError, match="there is no atlas at .*my"):
        Atlas(path, create=False)
    assert not path.exists()


def test_a_closed_atlas_says_so(atlas, many):
    atlas.add(*many(1))
    atlas.close()
    atlas.close()
    for use in (lambda: len(atlas), lambda: atlas.add(*many(1)), lambda: atlas.near("e1")):
        with pytest.raises(AtlasError, match="is closed; open it again"):
            use()


def test_the_generation_is_another_one_after_every_write_there(atlas, path, many, space_id):
    atlas.add(*many(1, 2, 3), *many(1, space=space_id("text")))
    seen, other = [atlas.generation("response")], atlas.generation("text")
    for write in (
        lambda: atlas.add(*many(4)),
        lambda: atlas.add(*many(4)),
        lambda: atlas.rename("e4", "new"),
        lambda: atlas.remove("new"),
        lambda: atlas.remove("e3"),
        lambda: atlas.add(*many(3)),
    ):
        write()
        seen.append(atlas.generation("response"))
        assert atlas.generation("response") == seen[-1]
    assert len(set(seen)) == len(seen)
    assert atlas.generation("text") == other
    with Atlas(path) as again:
        assert again.generation("response") == seen[-1]


def test_a_view_stays_as_it_is(path, many, space_id):
    with Atlas(path) as atlas, Atlas(path) as other:
        atlas.add(*many(1, 2), *many(1, space=space_id("text")))
        atlas.observe(source="a", target="b", score=0.5)
        store = atlas._store
        with store.reading() as view:
            first, second = view.spaces()
            assert len(view.transfers()) == 1
            other.add(*many(2, 3, length=8, rows=9), *many(2, space=space_id("text")))
            other.remove("e1", space="response")
            other.observe(source="c", target="d", score=0.5)
            assert sorted(view.names(first)) == ["e1", "e2"]
            assert view.names(second) == ["e1"]
            assert view.count() == 3
            assert view.spaces() == [first, second]
            assert [row.provenance for row in view.rows(first)] == [{}, {}]
            assert view.record(first, "e1").name == "e1"
            assert len(view.transfers()) == 1
            out = np.zeros((2, 8), dtype=np.float32)
            view.fill(first, out)
            np.testing.assert_array_equal(out, np.stack([e.vector for e in many(1, 2)]))
        assert names(atlas, space="response") == ["e2", "e3"]
        assert len(atlas.transfers()) == 2


def test_a_view_stays_as_it_is_though_it_is_asked_late(path, many, pool):
    """Of transfers and pools too, about which nothing was asked before others wrote."""
    with Atlas(path) as atlas, Atlas(path) as other:
        with atlas._store.reading() as empty:
            assert empty.spaces() == []
            other.add(*many(1))
            other.observe(source="a", target="b", score=0.5)
            assert empty.transfers() == []
        with atlas._store.reading() as view:
            (space,) = view.spaces()
            other.observe(source="c", target="d", score=0.5)
            other.keep_space(space.identity, pool)
            assert [transfer.source for transfer in view.transfers()] == ["a"]
            assert view.packed_pool(pool.fingerprint) is None
        with atlas._store.reading() as view:
            assert len(view.transfers()) == 2
            assert view.packed_pool(pool.fingerprint) is not None


def test_records_come_in_parts(path, many):
    with Atlas(path) as atlas:
        given = many(*range(25))
        atlas.add(*given)
        atlas.add(*many(3, rows=1))
    store = open_store(path, create=False)
    with store.reading() as view:
        (space,) = view.spaces()
        parts = list(view.records(space, 10))
    store.close()
    assert [len(part) for part in parts] == [10, 10, 5]
    found = [record for part in parts for record in part]
    assert [record.name for record in found] == [e.name for e in given]
    for record, e in zip(found, given, strict=True):
        np.testing.assert_array_equal(record.vector, e.vector)
    assert [json.loads(record.provenance) for record in found[2:5]] == [{}, {"rows": 1}, {}]


def test_two_processes_write_at_once(path, writer):
    """Both also race to make the atlas, and half of what they add has the same names."""
    ranges = ((0, 12), (6, 18))
    running = [
        subprocess.Popen(
            [sys.executable, str(writer), str(path), *map(str, given)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for given in ranges
    ]
    for process in running:
        output, errors = process.communicate(timeout=300)
        assert (process.returncode, errors) == (0, "")
        assert len(output.split()) == 13
    with Atlas(path) as atlas:
        assert names(atlas) == sorted(f"e{i}" for i in range(18))
        assert atlas.check() == ""
        for name in ("e0", "e8", "e17"):
            vector = np.random.default_rng(int(name[1:])).standard_normal(20_000, dtype=np.float32)
            np.testing.assert_array_equal(atlas.get(name).vector, vector)
