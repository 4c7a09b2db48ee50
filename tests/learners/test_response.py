from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import DataError, SettingError
from taskspace.labels import Answers, Classes
from taskspace.learners import Evidence, gather
from taskspace.learners._coordinates import raw_features
from taskspace.learners.response import Response, fit_smoother, respond, upper_triangle
from taskspace.task import Inputs, Pool, Task

linear = pytest.importorskip("sklearn.linear_model")
NAMES = ["mood", "topic", "trip", "echo", "degree"]
LEARNER = Response(components=20, shrinkage=0.3)


def vector_of(learned):
    return learned.blocks["response"]


# The definition, worked out without the package's own algebra


def white_pool(ground, components):
    """Φ of the pool by SVD, and the map of other rows: methods page, section 9.3."""
    raw, is_pair = raw_features(ground.surrogate, ground.pool.inputs), ground.pool.inputs.is_pair
    blocks = np.split(np.arange(raw.shape[1]), 6)
    scale = np.ones(raw.shape[1])
    for number, columns in enumerate(blocks):
        part = raw[:, columns] if number < 2 else raw[is_pair][:, columns]
        scale[columns] = np.linalg.norm(part - part.mean(axis=0)) / np.sqrt(len(part))
    centre = (raw / scale).mean(axis=0)
    _, singular, right = np.linalg.svd(raw / scale - centre, full_matrices=False)

    def of(inputs):
        rows = raw_features(ground.surrogate, inputs) / scale - centre
        return rows @ right[:components].T / singular[:components] * np.sqrt(len(raw))

    return of(ground.pool.inputs), of


def answers_on_pool(evidence, phi, of, shrinkage):
    """R: the probe's answers to the pool, by scikit-learn, columns centred (methods page, section 9.3)."""
    probe = linear.Ridge(alpha=shrinkage, solver="svd")
    probe.fit(of(evidence.inputs), evidence.values, sample_weight=evidence.weights)
    answers = probe.predict(phi).reshape(len(phi), -1)
    return answers - answers.mean(axis=0)


def linear_cka(a, b):
    return np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))


@pytest.mark.parametrize(("components", "shrinkage"), [(20, 0.3), (5, 3.0), (40, 0.01)])
def test_inner_products_are_the_linear_cka_of_the_answers(ground, tasks, soft, evidence_of, components, shrinkage):
    phi, of = white_pool(ground, components)
    embed = Response(components=components, shrinkage=shrinkage).bind(ground)
    evidences = [*(evidence_of(tasks[name]) for name in NAMES), soft]
    vectors = [vector_of(embed(evidence)).astype(float) for evidence in evidences]
    answers = [answers_on_pool(evidence, phi, of, shrinkage) for evidence in evidences]
    for va, ra in zip(vectors, answers, strict=True):
        for vb, rb in zip(vectors, answers, strict=True):
            assert va @ vb == pytest.approx(linear_cka(ra, rb), abs=1e-6)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-6)
    off_diagonal = np.array(vectors) @ np.array(vectors).T - np.eye(6)
    assert np.ptp(off_diagonal) > 0.2  # tasks differ, so the agreement says something


def test_the_vectors_size(ground, evidence_of, tasks):
    assert vector_of(LEARNER.bind(ground)(evidence_of(tasks["topic"]))).shape == (20 * 21 // 2,)
    assert vector_of(LEARNER.bind(ground)(evidence_of(tasks["topic"]))).dtype == np.float32


@given(st.integers(0, 5).flatmap(lambda q: arrays(float, (2, q, q), elements=st.floats(-10, 10))))
def test_the_triangle_keeps_inner_products(matrices):
    a, b = (m @ m.T for m in matrices)
    assert upper_triangle(a) @ upper_triangle(b) == pytest.approx(np.sum(a * b), rel=1e-9, abs=1e-9)
    assert len(upper_triangle(a)) == len(a) * (len(a) + 1) // 2


# The probe


@pytest.fixture(scope="module")
def repeated():
    """Rows with repeats and answers that differ between them: x, y as given, and merged with weights."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((12, 4)), rng.dirichlet([1, 1, 1], size=30)
    which = np.concatenate([np.arange(12), rng.integers(0, 12, 18)])
    counts = np.bincount(which)
    merged = np.stack([y[which == i].mean(axis=0) for i in range(12)])
    return x, y, which, merged, counts / 30


@pytest.mark.parametrize("shrinkage", [0.01, 1.0, 30.0])
def test_the_probe_is_ridge_regression_on_the_rows_as_given(repeated, shrinkage):
    x, y, which, merged, weights = repeated
    reference = linear.Ridge(alpha=shrinkage * 30, solver="cholesky").fit(x[which], y)
    probe = fit_smoother(x, weights, shrinkage).solve @ (merged - weights @ merged)
    np.testing.assert_allclose(probe, reference.coef_.T, atol=1e-10)


def test_without_shrinkage_it_is_least_squares(repeated):
    x, y, which, merged, weights = repeated
    reference = linear.LinearRegression().fit(x[which], y)
    probe = fit_smoother(x, weights, 1e-13).solve @ (merged - weights @ merged)
    np.testing.assert_allclose(probe, reference.coef_.T, atol=1e-8)


def left_out_share(x, y, weights, shrinkage):
    """Refit without each text in turn.  The other rows keep their weights, so the penalty keeps its strength."""
    wrong = base = 0.0
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        probe = linear.Ridge(alpha=shrinkage, solver="cholesky").fit(x[rest], y[rest], sample_weight=weights[rest])
        wrong += weights[i] * np.sum((y[i] - probe.predict(x[i : i + 1])) ** 2)
        base += weights[i] * np.sum((y[i] - np.average(y[rest], axis=0, weights=weights[rest])) ** 2)
    return 1 - wrong / base


@pytest.mark.parametrize("shrinkage", [0.001, 0.3, 10.0])
@pytest.mark.parametrize("what", ["soft", "hard", "numbers", "noise"])
def test_skill_is_what_refits_without_each_text_predict(repeated, shrinkage, what):
    x, _, _, merged, weights = repeated
    y = {
        "soft": merged,
        "hard": np.eye(3)[np.arange(12) % 3],
        "numbers": (x @ [1.0, -2.0, 0.5, 0.0])[:, None] + 0.1 * merged[:, :1],
        "noise": np.random.default_rng(9).standard_normal((12, 2)),
    }[what]
    skill = fit_smoother(x, weights, shrinkage).skills((y - weights @ y)[:, None, :])[0]
    assert skill == pytest.approx(left_out_share(x, y, weights, shrinkage), abs=1e-9)


def test_skill_tells_signal_from_noise(ground, tasks, evidence_of):
    task, embed = tasks["mood"], LEARNER.bind(ground)
    skill = embed(evidence_of(task)).report["skill"]
    rng = np.random.default_rng(0)
    noise = [
        embed(evidence_of(Task(task.texts, Classes(rng.permutation(task.stated_labels.codes), ("a", "b"))))).report
        for _ in range(20)
    ]
    assert skill > 0.4
    assert np.mean([report["skill"] for report in noise]) < 0
    assert sum(report["informative"] for report in noise) <= 3  # 1 in 20 is expected


def test_the_report(ground, tasks, evidence_of):
    evidence = evidence_of(tasks["topic"])
    report = LEARNER.bind(ground)(evidence).report
    phi, of = white_pool(ground, 20)
    answers = answers_on_pool(evidence, phi, of, 0.3)
    spectrum = np.linalg.svd(answers, compute_uv=False) ** 2
    assert report["rows"] == len(evidence)
    assert report["effective_rank"] == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum(), abs=6e-4)
    assert report["skill"] == pytest.approx(
        left_out_share(of(evidence.inputs), evidence.values, evidence.weights, 0.3), abs=6e-5
    )
    assert report["informative"] is True


# What must not matter


@pytest.mark.parametrize("name", NAMES)
def test_row_order_class_names_and_numbering_do_not_change_a_byte(ground, tasks, evidence_of, name):
    task, embed = tasks[name], LEARNER.bind(ground)
    expected = embed(evidence_of(task))
    rows = np.random.default_rng(1).permutation(len(task))
    shuffled = task.take(rows)
    if name != "degree":
        count = len(task.label_names)
        codes = (shuffled.stated_labels.codes * (count - 1) + 1) % count  # another numbering
        shuffled = Task(shuffled.texts, Classes(codes, tuple("zyx"[:count])), shuffled.text_pairs)
    again = embed(evidence_of(shuffled))
    assert vector_of(again).tobytes() == vector_of(expected).tobytes()
    assert again.report == expected.report


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("times", [2, 3])
def test_writing_every_row_again_changes_nothing(ground, tasks, evidence_of, name, times):
    task, embed = tasks[name], LEARNER.bind(ground)
    expected = embed(evidence_of(task))
    again = embed(evidence_of(task.take(list(range(len(task))) * times)))
    np.testing.assert_allclose(vector_of(again), vector_of(expected), atol=1e-6)
    assert again.report == expected.report


def test_writing_one_row_again_does_matter(ground, tasks, evidence_of):
    task, embed = tasks["topic"], LEARNER.bind(ground)
    again = embed(evidence_of(task.take([*range(len(task)), *[0] * 20])))
    assert np.abs(vector_of(again) - vector_of(embed(evidence_of(task)))).max() > 1e-3


@pytest.mark.parametrize(("scale", "shift"), [(-2.0, 0.0), (1e-9, 0.0), (1e9, -3e9), (5.0, 7.0)])
def test_numbers_may_be_stretched_shifted_and_turned_round(ground, tasks, evidence_of, scale, shift):
    evidence, embed = evidence_of(tasks["degree"]), LEARNER.bind(ground)
    expected = embed(evidence)
    again = embed(replace(evidence, values=evidence.values * scale + shift))
    np.testing.assert_allclose(vector_of(again), vector_of(expected), atol=1e-5)
    assert again.report["skill"] == pytest.approx(expected.report["skill"], abs=2e-4)
    assert again.report["informative"]


def test_two_classes_are_a_number(ground, tasks, evidence_of):
    """The two columns of a yes/no task say the same with opposite signs."""
    task, embed = tasks["trip"], LEARNER.bind(ground)
    numbers = Answers(task.stated_labels.codes.astype(float)[:, None], np.ones(len(task), dtype=bool), "numbers")
    expected = vector_of(embed(evidence_of(task)))
    np.testing.assert_allclose(vector_of(embed(gather(task.inputs, numbers))), expected, atol=1e-6)


# Answers of all kinds


def test_rows_without_an_answer_are_as_if_absent(ground, tasks, evidence_of):
    task, embed = tasks["topic"], LEARNER.bind(ground)
    names = [task.label_names[code] if i % 3 else None for i, code in enumerate(task.stated_labels.codes)]
    partly = Task(task.texts, names)
    without = task.take([i for i, name in enumerate(names) if name is not None])
    assert vector_of(embed(evidence_of(partly))).tobytes() == vector_of(embed(evidence_of(without))).tobytes()


def test_soft_answers_lean_towards_hard_ones(ground, soft, tasks):
    embed = LEARNER.bind(ground)
    hard = replace(soft, values=np.eye(3)[soft.values.argmax(axis=1)])
    one, other = vector_of(embed(soft)), vector_of(embed(hard))
    assert 0.5 < one @ other < 0.999


@pytest.mark.parametrize("row", [[1.0], [1.0, 0.0], [0.7, 0.3], [1 / 3] * 3, [0.1, 0.2, 0.3, 0.4]])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_constant_labeler_says_nothing(ground, row, kind):
    inputs = ground.pool.inputs
    answers = Answers(np.tile(row, (len(inputs), 1)), np.ones(len(inputs), dtype=bool), kind)
    learned = LEARNER.bind(ground)(gather(inputs, answers))
    assert vector_of(learned).shape == (210,)
    assert not vector_of(learned).any()
    assert learned.report["informative"] is False
    assert learned.report["skill"] == 0.0
    assert learned.report["effective_rank"] == 0.0


def test_labels_that_contradict_each_other_everywhere_say_nothing(ground, tasks, evidence_of):
    texts = tasks["mood"].texts
    learned = LEARNER.bind(ground)(evidence_of(Task([*texts, *texts], ["a"] * len(texts) + ["b"] * len(texts))))
    assert not vector_of(learned).any()
    assert learned.report["informative"] is False


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_texts(ground, count, one_sentence):
    inputs = Inputs.of(["red rain", "snow"])
    known = np.arange(2) < count
    with pytest.raises(DataError, match=f"{count} distinct answered texts are too few") as caught:
        LEARNER.bind(ground)(gather(inputs, Answers(np.eye(2) * known[:, None], known)))
    assert one_sentence(caught.value)


def test_two_texts_will_do(ground, evidence_of):
    learned = LEARNER.bind(ground)(evidence_of(Task(["red rain", "snow"], ["x", "y"])))
    assert np.linalg.norm(vector_of(learned)) == pytest.approx(1, abs=1e-6)


def test_one_row_per_class(ground, tasks, evidence_of):
    texts = tasks["topic"].texts
    learned = LEARNER.bind(ground)(evidence_of(Task(texts, [f"class {i}" for i in range(len(texts))])))
    assert np.isfinite(vector_of(learned)).all()
    assert np.linalg.norm(vector_of(learned)) == pytest.approx(1, abs=1e-6)
    assert learned.report["effective_rank"] > 5


def test_five_thousand_classes():
    """With a class of its own for each of n texts, B Bᵀ = N⁻¹ (XᵀX / n²) N⁻¹ for N = XᵀX / n + λI."""
    count, q = 5000, 6
    inputs = Inputs.of([f"text {i}" for i in range(count)])
    labels = Classes(np.random.default_rng(0).permutation(count), tuple(map(str, range(count))))
    evidence = gather(inputs, Answers.from_labels(labels))
    assert evidence.values.shape == (count, count)
    x = np.random.default_rng(1).standard_normal((count, q)) * np.arange(1, q + 1)
    inner = np.cov(x.T, bias=True)
    inverse = np.linalg.inv(inner + 0.3 * np.eye(q))
    expected = upper_triangle(inverse @ inner @ inverse)
    learned = respond(x, evidence, 0.3)
    np.testing.assert_allclose(vector_of(learned), expected / np.linalg.norm(expected), atol=1e-6)
    assert learned.report["skill"] < 0


def test_single_texts_in_the_pool_and_pairs_in_the_task(ground, tasks, evidence_of):
    pool = Pool.from_tasks([tasks["mood"], tasks["topic"], tasks["trip"]], size=60)
    learned = LEARNER.bind(replace(ground, pool=pool))(evidence_of(tasks["echo"]))
    assert np.isfinite(vector_of(learned)).all()
    assert np.linalg.norm(vector_of(learned)) == pytest.approx(1, abs=1e-6)


def test_a_pool_in_which_nothing_differs_is_survived(ground, tasks, evidence_of):
    learned = LEARNER.bind(replace(ground, pool=Pool(["one text"])))(evidence_of(tasks["mood"]))
    assert vector_of(learned).shape == (0,)
    assert learned.report["informative"] is False


def test_columns_of_targets_are_not_taken_for_classes(ground, tasks):
    inputs = tasks["mood"].inputs
    values = np.random.default_rng(0).standard_normal((len(inputs), 3)) + 5
    known = np.ones(len(inputs), dtype=bool)
    as_targets, as_classes = (
        vector_of(LEARNER.bind(ground)(gather(inputs, Answers(values, known, kind)))) for kind in ("targets", "classes")
    )
    phi, of = white_pool(ground, 20)
    answers = answers_on_pool(gather(inputs, Answers(values, known, "targets")), phi, of, 0.3)
    uncentred, apart = linear_cka(answers, answers - answers.mean(axis=1, keepdims=True)), as_targets @ as_classes
    assert apart == pytest.approx(uncentred, abs=1e-6)
    assert apart < 0.999


def test_cached_coordinates_give_the_same_bytes(ground, tasks, evidence_of, tmp_path):
    evidence = evidence_of(tasks["topic"])
    fresh = vector_of(LEARNER.bind(ground)(evidence))
    (file,) = (tmp_path / "home" / "coordinates").iterdir()
    assert vector_of(LEARNER.bind(ground)(evidence)).tobytes() == fresh.tobytes()
    file.write_bytes(b"damaged")
    assert vector_of(LEARNER.bind(ground)(evidence)).tobytes() == fresh.tobytes()


# Settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"components": 0}, "components=0 is not a whole number of at least 1"),
        ({"components": -3}, "components=-3"),
        ({"components": 2.5}, "components=2.5"),
        ({"components": "8"}, "components='8'"),
        ({"components": True}, "components=True"),
        ({"shrinkage": 0}, "shrinkage=0 is not a number above 0"),
        ({"shrinkage": -1.0}, "shrinkage=-1.0"),
        ({"shrinkage": float("nan")}, "shrinkage=nan"),
        ({"shrinkage": float("inf")}, "shrinkage=inf"),
        ({"shrinkage": "3"}, "shrinkage='3'"),
    ],
)
def test_settings_are_checked(settings, said):
    with pytest.raises(SettingError, match=said):
        Response(**settings)


def test_settings_are_plain_and_alike_for_like_numbers():
    assert Response(components=9, shrinkage=1.5).settings == {"components": 9, "shrinkage": 1.5}
    assert repr(dict(Response(shrinkage=3).settings)) == repr(dict(Response(shrinkage=3.0).settings))


def test_evidence_with_weights_of_its_own(repeated):
    """What ``respond`` is given need not come from ``gather``: only the weights' sum counts."""
    x, _, _, merged, weights = repeated
    inputs = Inputs.of([str(i) for i in range(12)])
    one = respond(x, Evidence(inputs, merged, weights, "classes"), 0.5)
    other = respond(x + 100.0, Evidence(inputs, merged + 3.0, weights, "classes"), 0.5)
    np.testing.assert_allclose(vector_of(one), vector_of(other), atol=1e-6)
