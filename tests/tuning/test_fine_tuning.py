"""The whole surrogate tuned: what is learned, from where, and what is kept of it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.labels import Targets
from taskspace.surrogates import load_surrogate
from taskspace.task import Inputs, Task
from taskspace.tuning.fine_tuning import FineTuned, FineTuning, fine_tune
from taskspace.tuning.rows import Examples
from taskspace.tuning.training import Diverged

torch = pytest.importorskip("torch")

QUICK = FineTuning(epochs=6, rate=5e-3, head_rate=5e-2, batch=8)
SHORT = FineTuning(epochs=1, rate=5e-3, head_rate=5e-2, batch=16)


@pytest.fixture(scope="module")
def moods(make_tasks):
    """Rows to learn from, and others."""
    return tuple(make_tasks(rows=rows, seed=seed)["mood"] for rows, seed in ((128, 0), (100, 1)))


@pytest.fixture(params=["tiny_encoder", "tiny_t5", "tiny_decoder"])
def surrogate(request):
    return load_surrogate(request.getfixturevalue(request.param), cache=False)


@pytest.fixture(scope="module")
def tuned(encoder, moods):
    """Tuned for a moment."""
    return fine_tune(encoder, moods[0], SHORT, seed=0)


def accuracy(tuned, task):
    return float((tuned.logits(task).argmax(axis=1) == task.labels.codes).mean())


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def one_hot(task):
    return Examples(task.inputs, "classes", np.eye(len(task.label_names))[task.labels.codes])


def test_what_can_be_learned_is_learned(encoder, moods):
    barely = fine_tune(encoder, moods[0], FineTuning(epochs=1, rate=1e-9, head_rate=1e-9), seed=0)
    assert 0.3 < accuracy(barely, moods[1]) < 0.75  # chance, on two classes
    assert accuracy(fine_tune(encoder, moods[0], QUICK, seed=0), moods[1]) > 0.9


def test_a_related_source_beats_none(encoder, make_text):
    """Few rows of the target: the source has learned the same distinction under other names."""

    def rows(count, seed, names):
        rng = random.Random(seed)
        themes = {"praise": names[0], "blame": names[1]}
        labels = [("praise", "blame")[i % 2] for i in range(count)]
        return Task([make_text(rng, label, "weather") for label in labels], [themes[label] for label in labels])

    few, test = FineTuning(epochs=4, rate=2e-3, head_rate=2e-2, batch=4), rows(64, "test", ("up", "down"))
    source = fine_tune(encoder, rows(96, "source", ("good", "bad")), QUICK, seed=0).state()
    gains = []
    for seed in range(3):
        target = rows(8, seed, ("up", "down"))
        scores = [accuracy(fine_tune(encoder, target, few, seed=seed, start=start), test) for start in (source, None)]
        gains.append(scores[0] - scores[1])
    assert min(gains) > 0.1, gains


def test_the_same_seed_gives_the_same_bits(encoder, moods, tuned, tiny_encoder):
    before = torch.get_rng_state()
    again = fine_tune(load_surrogate(tiny_encoder, cache=False), moods[0], SHORT, seed=0)  # loaded on the way
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in tuned.state().items():
        np.testing.assert_array_equal(again.state()[name], tensor)
    other = fine_tune(encoder, moods[0], SHORT, seed=1).state()
    assert not np.array_equal(other["head.weight"], tuned.state()["head.weight"])


def test_a_checkpoint_without_all_weights_gives_the_same_bits_every_time(save_mlm, tmp_path, moods):
    """What loading draws at random for a pooler that nothing reads must not move the head."""
    surrogate = load_surrogate(save_mlm(tmp_path / "mlm"), cache=False)
    first, second = (fine_tune(surrogate, moods[0], FineTuning(epochs=1), seed=0).state() for _ in range(2))
    np.testing.assert_array_equal(first["head.weight"], second["head.weight"])


def test_the_surrogate_itself_stays(encoder, moods, tuned):
    original = dict(encoder.module.named_parameters())
    assert not any(parameter.requires_grad for parameter in original.values())
    name = "encoder.layer.0.output.dense.weight"
    assert not np.array_equal(tuned.state()[name], original[name].numpy())


def test_steps_are_those_of_a_plain_loop(save_encoder, tmp_path, moods):
    """AdamW, warm-up and decay, clipping, and the mean over tokens, written out; one batch holds all rows."""
    folder = save_encoder(tmp_path / "plain", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    surrogate, task = load_surrogate(folder, cache=False), moods[0]
    how = FineTuning(epochs=6, rate=1e-3, head_rate=1e-2, batch=128, warmup=0.4, clip=0.05)
    tuned = fine_tune(surrogate, task, how, seed=5)

    from transformers import AutoModel, AutoTokenizer

    body = AutoModel.from_pretrained(folder)
    body.embeddings.word_embeddings.requires_grad_(requires_grad=False)
    torch.manual_seed(5)
    head = torch.nn.Linear(16, 2)
    torch.nn.init.normal_(head.weight, std=0.02)
    head.bias.data.zero_()
    words = AutoTokenizer.from_pretrained(folder)(list(task.texts), padding=True, return_tensors="pt")
    mask = words["attention_mask"][:, :, None]
    wanted = torch.tensor(task.labels.codes)
    body_parameters = [p for p in body.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body_parameters, "lr": 1e-3}, {"params": head.parameters(), "lr": 1e-2}], weight_decay=0.01
    )
    factors = (1 / 2, 2 / 2, 4 / 5, 3 / 5, 2 / 5, 1 / 5)  # two of six steps up, then down
    for factor in factors:
        states = body(**words).last_hidden_state
        logits = head((states * mask).sum(1) / mask.sum(1))
        loss = -torch.log_softmax(logits, dim=1)[range(len(task)), wanted].mean()
        optimizer.zero_grad()
        loss.backward()
        everything = [*body_parameters, *head.parameters()]
        size = sum(float((p.grad**2).sum()) for p in everything if p.grad is not None) ** 0.5
        assert size > how.clip
        for parameter in everything:
            if parameter.grad is not None:
                parameter.grad *= how.clip / size
        for group, rate in zip(optimizer.param_groups, (1e-3, 1e-2), strict=True):
            group["lr"] = rate * factor
        optimizer.step()
    mine, theirs = tuned.state(), dict(body.named_parameters())
    np.testing.assert_allclose(mine["head.weight"], head.weight.detach(), atol=2e-5)
    for name in ("encoder.layer.2.output.dense.weight", "embeddings.position_embeddings.weight"):
        np.testing.assert_allclose(mine[name], theirs[name].detach(), atol=2e-5)


def test_certain_answers_teach_what_labels_do(encoder, moods, tuned):
    soft = fine_tune(encoder, one_hot(moods[0]), SHORT, seed=0)
    np.testing.assert_array_equal(soft.logits(moods[1]), tuned.logits(moods[1]))


def test_nearly_certain_answers_teach_nearly_that(encoder, moods):
    """By way of probabilities, not of classes."""
    how, certain = FineTuning(epochs=1, rate=1e-3, head_rate=1e-2), one_hot(moods[0])
    nearly = Examples(certain.inputs, "classes", np.clip(certain.values, 1e-6, 1 - 1e-6))
    hard, soft = (fine_tune(encoder, each, how, seed=0).logits(moods[1]) for each in (certain, nearly))
    np.testing.assert_allclose(soft, hard, atol=1e-4)
    assert not np.array_equal(soft, hard)


def test_probabilities_are_learned_as_such(encoder, moods):
    """A teacher that is never sure has a student that is not either."""
    few = moods[0].take(range(12))
    chances = np.where(few.labels.codes == 0, 0.9, 0.4)
    examples = Examples(few.inputs, "classes", np.stack([chances, 1 - chances], axis=1))
    student = fine_tune(encoder, examples, FineTuning(epochs=80, rate=3e-3, head_rate=3e-2, batch=12), seed=0)
    said = softmax(student.logits(few).astype(np.float64))[:, 0]
    np.testing.assert_allclose(said, chances, atol=0.15)
    np.testing.assert_allclose(said.mean(), chances.mean(), atol=0.05)


def test_numbers_are_learned_in_their_own_units(encoder, make_tasks):
    far = Task(*_shifted(make_tasks(rows=64, seed=0)["degree"]))
    other = Task(*_shifted(make_tasks(rows=100, seed=1)["degree"]))
    said = fine_tune(encoder, far, QUICK, seed=0).logits(other)
    assert said.shape == (100, 1)
    truth = other.labels.values
    assert np.corrcoef(said[:, 0], truth)[0, 1] > 0.9
    assert abs(said.mean() - truth.mean()) < truth.std() / 2  # around 1000


def _shifted(task):
    return task.texts, (1000 + 50 * task.labels.values).tolist(), None, "far", "numbers"


def test_a_state_is_the_model_again(surrogate, moods):
    tuned = fine_tune(surrogate, moods[0], FineTuning(epochs=1, rate=1e-3), seed=0)
    again = FineTuned.of(surrogate, tuned.state())
    np.testing.assert_array_equal(again.logits(moods[1]), tuned.logits(moods[1]))
    assert not np.array_equal(again.logits(moods[1])[:, 0], again.logits(moods[1])[:, 1])


def test_a_state_holds_what_was_tuned_and_no_more(surrogate, moods):
    state = fine_tune(surrogate, moods[0], FineTuning(epochs=1), seed=0).state()
    unread = ("decoder", "lm_head", "shared", "embed_tokens", "word_embeddings", "pooler")
    assert not [name for name in state if any(part in name.split(".") for part in unread)]
    read = {"encoder": "encoder.layer.", "encoder-decoder": "encoder.block.", "decoder": "model.layers."}
    assert len([name for name in state if name.startswith(read[surrogate.kind])]) > 10
    assert state["head.weight"].shape == (2, 16)
    assert {tensor.dtype for tensor in state.values()} == {np.dtype("float32")}


def test_tied_embeddings_stay_tied(surrogate, moods):
    how = FineTuning(epochs=1, embeddings=True)
    tuned = fine_tune(surrogate, moods[0], how, seed=0)
    table = tuned.body.get_input_embeddings().weight
    original = surrogate.module.get_input_embeddings().weight
    assert not torch.equal(table, original)
    again = FineTuned.of(surrogate, tuned.state())
    assert torch.equal(again.body.get_input_embeddings().weight, table)
    if surrogate.kind == "encoder-decoder":  # one table, three names
        assert again.body.get_encoder().get_input_embeddings().weight is again.body.get_input_embeddings().weight
    np.testing.assert_array_equal(again.logits(moods[1]), tuned.logits(moods[1]))


def test_every_kind_of_model_learns(surrogate, moods):
    """The tiny decoder reads bytes, so that it has to find the words first."""
    how = FineTuning(epochs=10, rate=1e-2, head_rate=5e-2, batch=8)
    few = moods[0].take(range(40))
    assert accuracy(fine_tune(surrogate, few, how, seed=0), few) > 0.9


def test_rows_come_once_an_epoch_and_are_padded_little(encoder, moods):
    from taskspace.tuning.lessons import batches, lesson

    found = list(batches(encoder, lesson(moods[0]), epochs=2, size=10, seed=0))
    assert len(found) == 2 * lesson(moods[0]).steps(10) == 26
    real = [int(t["attention_mask"].sum()) for t, _ in found]
    whole = sum(len(encoder.tokenizer(text)["input_ids"]) for text in moods[0].texts)
    assert sum(real[:13]) == sum(real[13:]) == whole
    codes = torch.cat([wanted for _, wanted in found[:13]])
    assert sorted(codes.tolist()) == sorted(moods[0].labels.codes.tolist())
    assert sum(t["input_ids"].numel() for t, _ in found[:13]) < 1.1 * whole


def test_rows_without_a_label_are_left_out(encoder, moods, tuned):
    task = moods[0]
    names = [task.label_names[code] for code in task.labels.codes]
    more = Task([*task.texts, "very very"], [*names, None], name="mood")
    np.testing.assert_array_equal(fine_tune(encoder, more, SHORT, seed=0).logits(moods[1]), tuned.logits(moods[1]))


TEXTS = ("good rain", "bad snow", "fine sun")


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (Task(TEXTS, name="bare"), "task 'bare' has no labels"),
        (Task(TEXTS, ["a", "a", "a"], name="one"), "task 'one' says the same of all its 3 texts"),
        (Task(["good"] * 3, ["a", "b", "a"], name="same"), "task 'same' has fewer than two distinct texts"),
        (Task(TEXTS, Targets(("x", "y", "z")), name="free"), "task 'free' has texts to be written"),
        (Examples(Inputs.of(TEXTS), "classes", np.full((3, 2), 0.5)), "says the same of all its 3 texts"),
        (Examples(Inputs.of(TEXTS), "targets", np.zeros((3, 0)), targets=TEXTS), "is to be written"),
    ],
)
def test_what_cannot_be_learned_is_said(encoder, one_sentence, task, told):
    with pytest.raises(DataError, match=told) as error:
        fine_tune(encoder, task, QUICK, seed=0)
    assert one_sentence(error.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"nonsense": np.zeros(3)}, "has no such tensor"),
        ({"encoder.layer.0.output.dense.bias": np.zeros(3)}, r"of shape \[3\] and .* has it as \[16\]"),
    ],
)
def test_foreign_weights_are_refused(encoder, moods, tuned, one_sentence, changes, told):
    with pytest.raises(DataError, match=told) as error:
        fine_tune(encoder, moods[0], QUICK, seed=0, start=tuned.state() | changes)
    assert one_sentence(error.value)


def test_weights_without_a_head_do_not_answer(encoder, tuned, one_sentence):
    bare = {name: tensor for name, tensor in tuned.state().items() if name != "head.bias"}
    with pytest.raises(DataError, match="hold no head") as error:
        FineTuned.of(encoder, bare)
    assert one_sentence(error.value)


def test_a_loss_that_is_no_number_is_said(encoder, make_tasks, one_sentence):
    task = make_tasks(rows=16)["mood"]
    with pytest.raises(Diverged, match="loss on task 'mood' became") as error:
        fine_tune(encoder, task, FineTuning(epochs=3, rate=1e30, head_rate=1e30, clip=1e30, batch=4), seed=0)
    assert one_sentence(error.value)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}, {"rate": 0.0}, {"warmup": 1.0}, {"clip": 0.0}])
def test_settings_that_cannot_be_run(one_sentence, wrong):
    with pytest.raises(SettingError) as error:
        FineTuning(**wrong)
    assert one_sentence(error.value)
