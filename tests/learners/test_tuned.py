"""Tuned parameters as the vector of a task (TuPaTE)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.labels import Answers, Classes
from taskspace.learners import EmbedsMany, Ground, LearnsMany, gather, load_learner
from taskspace.learners._bench import _examples
from taskspace.learners._carriers import product_sketch
from taskspace.learners._noise import beyond_noise
from taskspace.learners.tuned import Tuned
from taskspace.surrogates import load_surrogate
from taskspace.task import Inputs, Pool, Task

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CARRIERS = ("prompt", "prefix", "lora", "bitfit")
QUICK = {"steps": 4, "batch": 4, "length": 3, "rank": 2, "rows": 24}


def quick(carrier, **settings):
    return Tuned(carrier, **(QUICK | settings))


def only(learned):
    ((name, block),) = learned.blocks.items()
    return block


@pytest.fixture(params=CARRIERS)
def carrier(request):
    return request.param


@pytest.fixture(scope="module")
def some(tasks, evidence_of):
    """A task of two classes, one of three, one of pairs and one of numbers."""
    return [evidence_of(tasks[name].take(range(24))) for name in ("mood", "topic", "echo", "degree")]


# What the vector is


def test_sizes_on_an_encoder(ground, some, carrier):
    """16 wide, 3 layers, 32 between: per layer queries and values are adapted, and nine biases are tuned."""
    learned = quick(carrier, sketch=5).bind(ground)(some[0])
    biases = 16 + 3 * (16 + 16 + 16 + 16 + 32 + 16 + 16)  # embeddings' norm; q, v, two outputs, the wide one, two norms
    size = {"prompt": 16, "prefix": 3 * 2 * 16, "lora": 3 * 2 * 5, "bitfit": biases}[carrier]
    assert list(learned.blocks) == [carrier]
    assert only(learned).shape == (size,)
    assert only(learned).dtype == np.float32
    assert np.linalg.norm(only(learned)) == pytest.approx(1, abs=1e-6)
    assert set(learned.report) == {"rows", "steps", "loss", "norm", "informative"}
    assert (learned.report["rows"], learned.report["steps"]) == (24, 4)
    assert learned.report["norm"] > 0


def test_every_number_of_the_vector_was_moved_by_the_task(ground, some, carrier):
    vector = only(quick(carrier, form="raw", steps=6).bind(ground)(some[1]))
    assert (vector != 0).all()


def test_the_vector_is_what_a_plain_loop_tunes(tiny_encoder, ground, some):
    """Prompt tuning by hand with torch's AdamW: all texts in each batch, so that nothing is left to the order."""
    evidence = some[0]
    learner = quick("prompt", batch=24, difference=False, rate=0.05, head_rate=0.1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_encoder)
    module = transformers.AutoModel.from_pretrained(tiny_encoder).eval().requires_grad_(requires_grad=False)
    table = module.get_input_embeddings().weight
    chosen = np.random.default_rng(0).choice(min(5000, len(table)), 3, replace=False)
    prompt = table[chosen.tolist()].clone().requires_grad_()
    start = prompt.detach().clone()
    weight, bias = torch.zeros(2, 16, requires_grad=True), torch.zeros(2, requires_grad=True)
    groups = [{"params": [prompt], "lr": 0.05}, {"params": [weight, bias], "lr": 0.1}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    values = torch.tensor(evidence.values, dtype=torch.float32)
    for step in range(4):
        for group, rate in zip(optimizer.param_groups, (0.05, 0.1), strict=True):
            group["lr"] = rate * (1.0 if step < 1 else 1 - (step - 1) / 3)  # a step of warm-up, then down to 0
        losses = []
        for row, text in enumerate(evidence.inputs.texts):
            tokens = tokenizer(text, return_tensors="pt")["input_ids"]
            embeds = torch.cat([prompt, table[tokens[0]]])[None]
            mean = module(inputs_embeds=embeds).last_hidden_state[0, 3:].mean(dim=0)
            losses.append(-(values[row] * torch.log_softmax(weight @ mean + bias, 0)).sum())
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_([prompt, weight, bias], 1.0)
        optimizer.step()
    for difference, expected in ((False, prompt), (True, prompt - start)):
        mean = expected.detach().mean(dim=0).numpy()
        vector = only(replace(learner, difference=difference).bind(ground)(evidence))
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=2e-4)


def test_all_tasks_start_from_the_same_draw(ground, with_seed, some):
    """At a rate that moves nothing, what is tuned is what they all began with."""
    still = quick("prompt", difference=False, rate=1e-12)
    vectors = [only(still.bind(ground)(one)) for one in some]
    for vector in vectors[1:]:
        np.testing.assert_allclose(vector, vectors[0], atol=1e-6)
    other = only(still.bind(with_seed(ground, 1))(some[0]))
    assert np.abs(other - vectors[0]).max() > 0.01


def test_the_sketch_of_a_product_is_unbiased():
    rng = np.random.default_rng(0)
    (first, second), (third, fourth) = [(rng.normal(size=(2, 7)), rng.normal(size=(5, 2))) for _ in range(2)]
    truth = float(((second @ first) * (fourth @ third)).sum())
    products = [
        product_sketch(first, second, 8, "layer", seed) @ product_sketch(third, fourth, 8, "layer", seed)
        for seed in range(3000)
    ]
    assert np.mean(products) == pytest.approx(truth, abs=5 * np.std(products) / np.sqrt(3000))
    assert np.std(products) / np.sqrt(3000) < 0.1 * abs(truth)


def test_the_sketch_does_not_know_the_basis_between_the_factors():
    rng = np.random.default_rng(0)
    first, second, change = rng.normal(size=(3, 7)), rng.normal(size=(5, 3)), rng.normal(size=(3, 3))
    same = product_sketch(change @ first, second @ np.linalg.inv(change), 6, "layer", 0)
    np.testing.assert_allclose(same, product_sketch(first, second, 6, "layer", 0))
    assert np.abs(same - product_sketch(first, second, 6, "other", 0)).max() > 0.1


# What must not matter


def test_the_same_twice_is_the_same_bytes(ground, some, carrier):
    one, two = (quick(carrier).bind(ground)(some[1]) for _ in range(2))
    assert only(one).tobytes() == only(two).tobytes()
    assert one.report == two.report


def test_order_names_and_numbering_do_not_change_a_byte(ground, tasks, evidence_of, carrier):
    task, embed = tasks["topic"].take(range(20)), quick(carrier).bind(ground)
    expected = embed(evidence_of(task))
    shuffled = task.take(np.random.default_rng(1).permutation(len(task)))
    renamed = Classes((shuffled.stated_labels.codes * 2 + 1) % 3, ("z", "y", "x"))
    again = embed(evidence_of(Task(shuffled.texts, renamed)))
    assert only(again).tobytes() == only(expected).tobytes()
    assert again.report == expected.report


def test_which_column_a_class_stands_in_does_not_matter(ground, some, carrier):
    """Evidence orders classes by their answers, which an added row may turn round; the head must not mind."""
    turned = replace(some[1], values=some[1].values[:, [2, 0, 1]])
    embed = quick(carrier).bind(ground)
    np.testing.assert_allclose(only(embed(turned)), only(embed(some[1])), atol=1e-5)


def test_writing_every_row_twice_changes_nothing(ground, tasks, evidence_of):
    task, embed = tasks["topic"].take(range(20)), quick("prompt").bind(ground)
    expected, again = embed(evidence_of(task)), embed(evidence_of(task.take([*range(20)] * 2)))
    np.testing.assert_allclose(only(again), only(expected), atol=1e-6)


def test_a_row_that_weighs_more_comes_more_often(ground):
    inputs = Inputs.of([f"{word} rain" for word in ("red", "green", "blue", "black")] * 5)
    answers = Answers(np.eye(2)[[0, 1, 1, 0] * 5], np.ones(20, dtype=bool))
    heavy = gather(inputs.take([0, 0, 0, 1, 2, 3]), Answers(answers.values[[0, 0, 0, 1, 2, 3]], np.ones(6, dtype=bool)))
    rows = [heavy.inputs.texts.index(text) for text in _examples(heavy).inputs.texts]
    assert np.bincount(rows, minlength=4)[heavy.inputs.texts.index("red rain")] == 2
    assert len(rows) == 4


# Several at once


def test_a_bank_gives_what_each_gets_alone(ground, some, soft, carrier):
    """Two, three and two classes, numbers, soft answers, pairs: five rows of one bank, or five banks."""
    learner = quick(carrier, at_once=5)
    together = learner.bind(ground).many([*some, soft])
    for one, learned in zip([*some, soft], together, strict=True):
        alone = learner.bind(ground)(one)
        np.testing.assert_allclose(only(learned), only(alone), atol=1e-5)
        assert learned.report["loss"] == pytest.approx(alone.report["loss"], abs=2e-4)


def test_how_many_at_once_is_no_part_of_the_space(ground, some):
    assert quick("prompt", at_once=2).settings == quick("prompt", at_once=9).settings
    assert isinstance(quick("prompt"), LearnsMany)
    assert isinstance(quick("prompt").bind(ground), EmbedsMany)
    vectors = [[only(x) for x in quick("prompt", at_once=n).bind(ground).many(some)] for n in (1, 2, 4)]
    for other in vectors[1:]:
        np.testing.assert_allclose(other, vectors[0], atol=1e-5)


# What it says


@pytest.mark.parametrize(("row", "kind"), [([1.0], "classes"), ([0.7, 0.3], "classes"), ([0.1], "numbers")])
def test_a_constant_labeler_says_nothing(ground, some, carrier, row, kind):
    inputs = ground.pool.inputs.take(range(12))
    constant = gather(inputs, Answers(np.tile(row, (12, 1)), np.ones(12, dtype=bool), kind))
    embed = quick(carrier).bind(ground)
    learned, other = embed.many([constant, some[0]])
    assert learned.report["informative"] is False
    assert only(learned).shape == only(other).shape
    assert not only(learned).any()
    assert other.report["norm"] > 0


def test_noise_does_not_pass_and_what_can_be_read_does(encoder, make_tasks, evidence_of):
    task = make_tasks(rows=80)["mood"]
    evidence = evidence_of(task)
    assert beyond_noise(encoder, evidence)
    rng = np.random.default_rng(0)
    passed = sum(beyond_noise(encoder, replace(evidence, values=rng.permutation(evidence.values))) for _ in range(20))
    assert passed <= 4


def test_a_model_is_nearest_to_what_it_was_trained_on(encoder, make_tasks, mixed_pool):
    """Models made without the surrogate, from other rows of the same task, embedded from their answers alone."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from taskspace.labelers import from_sklearn
    from taskspace.space import Space

    space = Space(mixed_pool, surrogate=encoder, learner="tuned:prompt", steps=40, batch=16)
    trained, embedded = make_tasks(rows=150, seed=5), make_tasks(rows=80, seed=6)
    names = ("mood", "topic", "trip")
    points = dict(zip(names, space.embed_many([embedded[name] for name in names]), strict=True))
    models = []
    for name in names:
        task = trained[name]
        labels = [task.label_names[code] for code in task.stated_labels.codes]
        model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(list(task.texts), labels)
        models.append(from_sklearn(model, name=name))
    for point in space.embed_many(models):
        near = {name: point.similarity(other) for name, other in points.items()}
        assert max(near, key=near.__getitem__) == point.name, near


# Other surrogates


@pytest.mark.parametrize("folder", ["tiny_t5", "tiny_decoder"])
@pytest.mark.parametrize("which", ["prompt", "prefix", "lora"])
def test_classes_on_models_that_write(request, folder, which, some):
    surrogate = load_surrogate(request.getfixturevalue(folder), cache=False)
    learned = quick(which).bind(Ground(surrogate, Pool(["red"]), 0)).many(some)
    vectors = np.stack([only(one) for one in learned])
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert len(np.unique(vectors.round(4), axis=0)) == len(some)


@pytest.mark.parametrize("folder", ["tiny_t5", "tiny_decoder"])
def test_target_texts_where_they_can_be_written(request, folder, tasks, some):
    surrogate = load_surrogate(request.getfixturevalue(folder), cache=False)
    task = tasks["mood"].take(range(20))
    words = ["good" if code else "bad" for code in task.stated_labels.codes]
    texts = [*words[:19], "fine bread"]
    answers = Answers(surrogate.last_layer(surrogate.features(texts)).astype(float), np.ones(20, dtype=bool), "targets")
    evidence = gather(task.inputs, answers, texts)
    embed = quick("prompt").bind(Ground(surrogate, Pool(["red"]), 0))
    alone, (among, _) = embed(evidence), embed.many([evidence, some[0]])
    np.testing.assert_allclose(only(among), only(alone), atol=1e-5)
    other = gather(task.inputs, answers, texts[::-1])
    assert np.abs(only(embed(other)) - only(alone)).max() > 1e-3


def test_encoders_refuse_target_texts(ground, one_sentence):
    evidence = gather(Inputs.of(["a", "b"]), Answers(np.eye(2), np.ones(2, dtype=bool), "targets"), ["x", "y"])
    with pytest.raises(DataError, match="'tuned:prompt' takes classes or numbers on an encoder") as caught:
        quick("prompt").bind(ground)(evidence)
    assert one_sentence(caught.value)


def test_biases_that_are_not_there(tiny_t5, some, one_sentence):
    surrogate = load_surrogate(tiny_t5, cache=False)
    with pytest.raises(SettingError, match="has no biases") as caught:
        quick("bitfit").bind(Ground(surrogate, Pool(["red"]), 0))(some[0])
    assert one_sentence(caught.value)


# Settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"length": 0}, "length=0 is not a whole number of at least 1"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"rows": 1}, "rows=1 is not a whole number of at least 2"),
        ({"rate": 0}, "rate=0 is not a number above 0"),
        ({"rate": float("inf")}, "rate=inf"),
        ({"head_rate": "fast"}, "head_rate='fast'"),
        ({"form": "whole"}, "tuned:prompt's form='whole' is not known; say sketch or raw"),
        ({"difference": "no"}, "difference='no' is neither True nor False"),
    ],
)
def test_settings_are_checked(settings, said, one_sentence):
    with pytest.raises(SettingError, match=said) as caught:
        load_learner("tuned:prompt", **settings)
    assert one_sentence(caught.value)


def test_an_unknown_carrier(one_sentence):
    with pytest.raises(SettingError, match="there is no carrier 'promt'; did you mean 'prompt'") as caught:
        Tuned("promt")
    assert one_sentence(caught.value)


def test_settings_count_where_they_are_used():
    assert "length" not in Tuned("lora").settings
    assert "rank" not in Tuned("prompt").settings
    assert "sketch" not in Tuned("lora", form="raw").settings
    assert Tuned("prompt").settings["rate"] == Tuned("prompt", rate=Tuned("prompt").settings["rate"]).settings["rate"]


def test_too_few_texts(ground, one_sentence):
    evidence = gather(Inputs.of(["a"]), Answers(np.ones((1, 1)), np.ones(1, dtype=bool)))
    with pytest.raises(DataError, match="1 distinct answered texts are too few") as caught:
        quick("prompt").bind(ground)(evidence)
    assert one_sentence(caught.value)


def test_a_rate_that_runs_away(ground, some, one_sentence):
    with pytest.raises(DataError, match="ran away at rate=1e\\+30; say a smaller rate") as caught:
        quick("lora", rate=1e30).bind(ground)(some[0])
    assert one_sentence(caught.value)
