from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.labels import Answers, Classes
from taskspace.learners import Evidence, gather
from taskspace.learners._head import fit_head, standardised
from taskspace.learners.fisher import Fisher, count_sketch, fisher_diagonal
from taskspace.surrogates import load_surrogate
from taskspace.task import Inputs, Task

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LAYERS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
BLOCKS = sorted(
    f"encoder.layer.{number}.{part}" for number in range(3) for part in (*LAYERS, "intermediate.dense", "output.dense")
)


@pytest.fixture(scope="module")
def small(make_tasks, evidence_of):
    """Evidence of 14 rows for each of three tasks, one row of each twice."""
    made = {name: task.take([*range(14), 3]) for name, task in make_tasks().items()}
    return {name: evidence_of(made[name]) for name in ("topic", "echo", "degree")}


@pytest.fixture(scope="module")
def heads(small, tiny_encoder):
    """For each task the values to fit and a head, with features from a plain forward pass."""
    made = {}
    for name, evidence in small.items():
        values = standardised(evidence.values, evidence.weights) if name == "degree" else evidence.values
        states = np.stack([state.detach().numpy() for state in plain_states(tiny_encoder, evidence.inputs)[1]])
        made[name] = values, fit_head(states, values, evidence.weights, evidence.kind)
    return made


def plain_states(folder, inputs):
    """A module of its own with weights that take gradients, in double precision; mean states text by text."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    module = transformers.AutoModel.from_pretrained(folder).double().eval()
    states = []
    for text, pair in zip(inputs.texts, inputs.pairs, strict=True):
        tokens = tokenizer(text, pair, truncation=True, max_length=128, return_tensors="pt")
        states.append(module(**tokens).last_hidden_state[0].mean(dim=0))
    return module, states


def one_by_one(folder, evidence, head, mass):
    """Σ_i w_i Σ_y mass[i, y] (∂ log p(y|x_i) / ∂W)² with autograd, one example and one class at a time.

    ``mass`` is a function of the row and the model's outputs; a number's class is itself.
    """
    module, states = plain_states(folder, evidence.inputs)
    weights = {name: dict(module.named_parameters())[f"{name}.weight"] for name in BLOCKS}
    total = {name: np.zeros(weight.shape) for name, weight in weights.items()}
    for row, state in enumerate(states):
        outputs = torch.tensor(head.weight) @ state + torch.tensor(head.bias)
        for share, log_p in mass(row, outputs):
            if share > 0:
                grads = torch.autograd.grad(log_p, list(weights.values()), retain_graph=True)
                for name, grad in zip(weights, grads, strict=True):
                    total[name] += evidence.weights[row] * share * grad.numpy() ** 2
    return total


def as_given(values):
    """Each class with the share that the answer gives it."""
    return lambda row, outputs: list(zip(values[row], torch.log_softmax(outputs, 0), strict=True))


def as_believed(row, outputs):
    """Each class with the share that the model gives it."""
    log_p = torch.log_softmax(outputs, 0)
    return list(zip(log_p.exp().tolist(), log_p, strict=True))


def as_measured(values):
    """log N(y; f, 1)."""
    return lambda row, outputs: [(1.0, -0.5 * (float(values[row, 0]) - outputs[0]) ** 2)]


def as_expected(row, outputs):
    """E over y ~ N(f, 1) of the squared gradient of log N(y; f, 1), which is that of f."""
    return [(1.0, outputs[0])]


def assert_close(got, expected, tolerance=1e-5):
    assert sorted(got) == sorted(expected)
    for name, block in expected.items():
        assert got[name].shape == block.shape
        assert block.max() > 0
        np.testing.assert_allclose(got[name], block, rtol=0, atol=tolerance * block.max())


def pooled(total):
    return {name: block.sum(axis=1) for name, block in total.items()}


def diagonal(encoder, evidence, values, head, *, labels="empirical", pooling="full", seed=0):
    return fisher_diagonal(encoder, evidence, values, head, labels=labels, pooling=pooling, seed=seed)


# Against one example at a time


@pytest.mark.parametrize("name", ["topic", "echo"])
def test_hard_labels(encoder, tiny_encoder, small, heads, name):
    """Single texts, and pairs, which are read jointly."""
    evidence, (values, head) = small[name], heads[name]
    expected = one_by_one(tiny_encoder, evidence, head, as_given(values))
    assert_close(diagonal(encoder, evidence, values, head), expected)
    assert_close(diagonal(encoder, evidence, values, head, pooling="rows"), pooled(expected))


def test_numbers(encoder, tiny_encoder, small, heads):
    evidence, (values, head) = small["degree"], heads["degree"]
    expected = one_by_one(tiny_encoder, evidence, head, as_measured(values))
    assert_close(diagonal(encoder, evidence, values, head), expected)
    assert_close(diagonal(encoder, evidence, values, head, pooling="rows"), pooled(expected))


@pytest.mark.parametrize("labels", ["sampled", "exact"])
def test_numbers_that_the_model_would_expect(encoder, tiny_encoder, small, heads, labels):
    evidence, (values, head) = small["degree"], heads["degree"]
    expected = one_by_one(tiny_encoder, evidence, head, as_expected)
    assert_close(diagonal(encoder, evidence, values, head, labels=labels), expected)


@pytest.mark.parametrize("labels", ["empirical", "sampled", "exact"])
def test_several_numbers_side_by_side(encoder, tiny_encoder, small, labels):
    """A probability per label, as multi-label classifiers give: one Gaussian over all of them."""
    given = small["topic"]
    values = standardised(np.random.default_rng(3).random((len(given), 3)), given.weights)
    evidence = replace(given, values=values, kind="numbers")
    states = np.stack([state.detach().numpy() for state in plain_states(tiny_encoder, evidence.inputs)[1]])
    head = fit_head(states, values, evidence.weights, "numbers")

    def jointly(row, outputs):
        return [(1.0, -0.5 * ((torch.tensor(values[row]) - outputs) ** 2).sum())]

    def in_turn(row, outputs):
        return [(1.0, output) for output in outputs]

    expected = one_by_one(tiny_encoder, evidence, head, jointly if labels == "empirical" else in_turn)
    assert_close(diagonal(encoder, evidence, values, head, labels=labels), expected)


def test_exact_is_the_sum_over_classes(encoder, tiny_encoder, small, heads):
    evidence, (values, head) = small["topic"], heads["topic"]
    expected = one_by_one(tiny_encoder, evidence, head, as_believed)
    assert_close(diagonal(encoder, evidence, values, head, labels="exact"), expected)
    assert_close(diagonal(encoder, evidence, values, head, labels="exact", pooling="rows"), pooled(expected))


def approaches(draw, expected, seeds):
    """Whether the mean of draws is within what chance allows of the expected blocks; and how far they spread."""
    draws = [draw(seed) for seed in range(seeds)]
    for name, block in expected.items():
        seen = np.stack([d[name] for d in draws])
        error = seen.std(axis=0, ddof=1) / np.sqrt(seeds)
        assert (np.abs(seen.mean(axis=0) - block) <= 5 * error + 1e-6 * block.max()).all()
        assert error.max() < 0.2 * block.max()
        assert error.max() > 0


def test_sampled_approaches_exact(encoder, small, heads):
    evidence, (values, head) = small["topic"], heads["topic"]
    flat = replace(head, weight=head.weight * 0.2, bias=head.bias * 0.2)  # a head that is unsure, so that draws differ
    exact = diagonal(encoder, evidence, values, flat, labels="exact", pooling="rows")
    empirical = diagonal(encoder, evidence, values, flat, pooling="rows")
    assert max(np.abs(exact[n] - empirical[n]).max() / exact[n].max() for n in BLOCKS) > 0.5
    approaches(lambda s: diagonal(encoder, evidence, values, flat, labels="sampled", pooling="rows", seed=s), exact, 80)


def test_soft_labels_are_summed_over_or_drawn_from_the_answer(encoder, tiny_encoder, small, heads, monkeypatch):
    evidence, (values, head) = small["topic"], heads["topic"]
    soft = 0.6 * values + 0.4 * np.random.default_rng(0).dirichlet([1, 1, 1], size=len(values))
    expected = pooled(one_by_one(tiny_encoder, evidence, head, as_given(soft)))
    assert_close(diagonal(encoder, evidence, soft, head, pooling="rows"), expected)
    monkeypatch.setattr("taskspace.learners.fisher._FEW", 2)  # as with many classes
    approaches(lambda s: diagonal(encoder, evidence, soft, head, pooling="rows", seed=s), expected, 80)


@pytest.mark.parametrize("labels", ["empirical", "sampled", "exact"])
@pytest.mark.parametrize("name", ["topic", "echo"])
def test_the_batches_do_not_matter(encoder, tasks, evidence_of, heads, labels, name):
    """Squares are taken per example: the whole is the sum of its rows, each in a batch alone, with its own draw."""
    evidence = evidence_of(tasks[name].take(range(21)))  # more than a batch
    count = evidence.values.shape[1]
    values = 0.5 * evidence.values + 0.5 / count
    head = replace(heads[name][1], weight=heads[name][1].weight * 0.2, bias=np.zeros(count))  # unsure: draws matter
    draws = np.random.default_rng(4).random(len(evidence))
    whole = diagonal(encoder, evidence, values, head, labels=labels, pooling="rows", seed=4)
    total = dict.fromkeys(BLOCKS, 0.0)
    for row in range(len(evidence)):
        alone = Evidence(evidence.inputs.take([row]), values[[row]], evidence.weights[[row]], evidence.kind)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np.random, "default_rng", lambda _, row=row: Dealt(draws[[row]]))
            part = diagonal(encoder, alone, values[[row]], head, labels=labels, pooling="rows")
        total = {block: total[block] + part[block] for block in BLOCKS}
    assert_close(whole, total)


class Dealt:
    """Stands for a random generator whose next numbers are known."""

    def __init__(self, numbers):
        self.numbers = numbers

    def random(self, count):
        assert count == len(self.numbers)
        return self.numbers


# The learner


def test_blocks_are_square_roots_of_unit_length_together(ground, tiny_encoder, small, heads):
    evidence, (values, head) = small["topic"], heads["topic"]
    learned = Fisher().bind(ground)(evidence)
    expected = pooled(one_by_one(tiny_encoder, evidence, head, as_given(values)))
    trace = sum(block.sum() for block in expected.values())
    assert list(learned.blocks) == BLOCKS
    for name, block in learned.blocks.items():
        assert block.dtype == np.float32
        np.testing.assert_allclose(block, np.sqrt(expected[name] / trace), atol=2e-4)
    assert learned.report["trace"] == pytest.approx(trace, rel=1e-3)
    assert learned.report["rows"] == 14
    assert learned.report["informative"] is True
    assert np.sqrt(sum((block.astype(float) ** 2).sum() for block in learned.blocks.values())) == pytest.approx(
        1, abs=1e-6
    )


@pytest.mark.parametrize("labels", ["empirical", "sampled", "exact"])
@pytest.mark.parametrize("pooling", ["rows", "full"])
@pytest.mark.parametrize("name", ["topic", "echo", "degree"])
def test_every_block_is_there_and_non_zero(ground, small, labels, pooling, name):
    learned = Fisher(labels=labels, pooling=pooling, sketch=32).bind(ground)(small[name])
    assert list(learned.blocks) == BLOCKS
    for block, part in learned.blocks.items():
        assert part.shape == (32 if pooling == "full" else 32 if "intermediate" in block else 16,)
        assert part.any()
        assert np.isfinite(part).all()
        assert pooling == "full" or (part > 0).all()


@pytest.mark.parametrize("name", ["topic", "echo", "degree"])
@pytest.mark.parametrize("learner", [Fisher(), Fisher(labels="sampled", pooling="full", rows=9)])
def test_row_order_class_names_and_numbering_do_not_change_a_byte(ground, tasks, evidence_of, name, learner):
    task, embed = tasks[name].take(range(20)), learner.bind(ground)
    expected = embed(evidence_of(task))
    shuffled = task.take(np.random.default_rng(1).permutation(len(task)))
    if name != "degree":
        count = len(task.label_names)
        codes = (shuffled.stated_labels.codes * (count - 1) + 1) % count
        shuffled = Task(shuffled.texts, Classes(codes, tuple("zyx"[:count])), shuffled.text_pairs)
    again = embed(evidence_of(shuffled))
    assert {n: b.tobytes() for n, b in again.blocks.items()} == {n: b.tobytes() for n, b in expected.blocks.items()}
    assert again.report == expected.report


def test_writing_every_row_twice_changes_nothing(ground, tasks, evidence_of):
    task, embed = tasks["topic"].take(range(15)), Fisher().bind(ground)
    expected, again = embed(evidence_of(task)), embed(evidence_of(task.take([*range(15)] * 2)))
    for name in BLOCKS:
        np.testing.assert_allclose(again.blocks[name], expected.blocks[name], atol=1e-6)


def test_at_most_so_many_rows_drawn_by_the_seed(ground, with_seed, tasks, evidence_of):
    evidence = evidence_of(tasks["topic"])
    ten = [Fisher(rows=10).bind(with_seed(ground, seed))(evidence) for seed in (0, 0, 1)]
    assert [learned.report["rows"] for learned in ten] == [10, 10, 10]
    first, same, other = (learned.blocks[BLOCKS[0]].tobytes() for learned in ten)
    assert first == same != other
    assert Fisher(rows=100).bind(ground)(evidence).report["rows"] == len(evidence)


def test_of_many_classes_those_that_are_left(ground):
    """A class of its own per row: what was not drawn does not count as a class that never occurs."""
    texts = ["red rain", "snow", "soup is good", "the train", "a bad road", "fog"]
    kept = np.sort(np.random.default_rng(0).permutation(6)[:3])
    evidence = gather(Inputs.of(texts), Answers(np.eye(6), np.ones(6, dtype=bool)))
    some = evidence.inputs.take(kept)
    expected = Fisher().bind(ground)(gather(some, Answers(np.eye(3), np.ones(3, dtype=bool))))
    learned = Fisher(rows=3).bind(ground)(evidence)
    for name in BLOCKS:
        np.testing.assert_allclose(learned.blocks[name], expected.blocks[name], atol=1e-5)


def test_the_head_reads_the_last_layer_whichever_are_cached(ground, tiny_encoder, small):
    other = replace(ground, surrogate=load_surrogate(tiny_encoder, layers=(0, 1), cache=False))
    expected, learned = (Fisher().bind(g)(small["topic"]) for g in (ground, other))
    for name in BLOCKS:
        np.testing.assert_allclose(learned.blocks[name], expected.blocks[name], atol=1e-5)


def test_rows_without_an_answer_are_as_if_absent(ground, tasks, evidence_of):
    task = tasks["topic"].take(range(15))
    partly = Task(task.texts, [None if i % 3 else task.label_names[c] for i, c in enumerate(task.stated_labels.codes)])
    one, other = (Fisher().bind(ground)(evidence_of(t)) for t in (partly, task.take(range(0, 15, 3))))
    assert one.blocks[BLOCKS[0]].tobytes() == other.blocks[BLOCKS[0]].tobytes()


def test_soft_and_partly_missing_answers(ground, soft):
    learned = Fisher().bind(ground)(soft)
    assert learned.report["rows"] == len(soft)
    assert all(part.any() and np.isfinite(part).all() for part in learned.blocks.values())


@pytest.mark.parametrize(
    ("row", "kind"), [([1.0], "classes"), ([0.7, 0.3], "classes"), ([1.0, 0.0], "classes"), ([0.1], "numbers")]
)
@pytest.mark.parametrize("labels", ["empirical", "exact"])
def test_a_constant_labeler_says_nothing(ground, row, kind, labels):
    inputs = ground.pool.inputs.take(range(12))
    answers = Answers(np.tile(row, (12, 1)), np.ones(12, dtype=bool), kind)
    learned = Fisher(labels=labels).bind(ground)(gather(inputs, answers))
    assert list(learned.blocks) == BLOCKS
    assert not any(part.any() for part in learned.blocks.values())
    assert learned.report["informative"] is False


def test_targets_are_refused(ground, one_sentence):
    answers = Answers(np.eye(2), np.ones(2, dtype=bool), "targets")
    with pytest.raises(DataError, match="these labels are texts; use learner='response'") as caught:
        Fisher().bind(ground)(gather(Inputs.of(["a", "b"]), answers))
    assert one_sentence(caught.value)


def test_tasks_of_one_kind_are_nearer_than_others(ground, make_tasks, evidence_of):
    """The same task from other texts against another task."""
    first, second = make_tasks(seed=0), make_tasks(seed=2)
    embed = Fisher().bind(ground)

    def vector(task):
        return np.concatenate(list(embed(evidence_of(task)).blocks.values()))

    degree = vector(first["degree"])
    assert degree @ vector(second["degree"]) > max(degree @ vector(second[name]) for name in ("topic", "trip", "echo"))


# The sketch


def test_the_sketch_is_unbiased():
    rng = np.random.default_rng(0)
    a, b = rng.random(60), rng.random(60)
    seeds = 3000
    products = [count_sketch(a, 16, "block", seed) @ count_sketch(b, 16, "block", seed) for seed in range(seeds)]
    assert np.mean(products) == pytest.approx(a @ b, abs=5 * np.std(products) / np.sqrt(seeds))
    assert np.std(products) / np.sqrt(seeds) < 0.05 * (a @ b)


def test_the_sketch_is_linear_and_keyed_by_seed_and_name():
    rng = np.random.default_rng(0)
    a, b = rng.random(60), rng.random(60)
    sketch = count_sketch(a, 16, "block", 3)
    assert sketch.shape == (16,)
    assert sketch.tobytes() == count_sketch(a, 16, "block", 3).tobytes()
    np.testing.assert_allclose(count_sketch(2 * a - b, 16, "block", 3), 2 * sketch - count_sketch(b, 16, "block", 3))
    assert (sketch != count_sketch(a, 16, "block", 4)).any()
    assert (sketch != count_sketch(a, 16, "other", 3)).any()


def test_a_sketch_moves_each_number_whole():
    for place in range(5):
        one = np.zeros(5)
        one[place] = 2.5
        sketch = count_sketch(one, 3, "block", 0)
        assert sorted(np.abs(sketch)) == [0.0, 0.0, 2.5]


# Settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labels": "given"}, "fisher's labels='given' is not one of empirical, sampled, exact"),
        ({"pooling": "mean"}, "fisher's pooling='mean' is not one of rows, full"),
        ({"rows": 1}, "rows=1 is not a whole number of at least 2"),
        ({"rows": -5}, "rows=-5"),
        ({"rows": 2.0}, "rows=2.0"),
        ({"sketch": 0}, "sketch=0 is not a whole number of at least 1"),
    ],
)
def test_settings_are_checked(settings, said):
    with pytest.raises(SettingError, match=said):
        Fisher(**settings)


def test_the_sketch_counts_only_where_it_is_used():
    assert "sketch" not in Fisher(sketch=7).settings
    assert Fisher(sketch=7, pooling="full").settings["sketch"] == 7
