"""The Fisher information of encoder-decoders and decoders, for target texts and for classes."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.labels import Answers
from taskspace.learners import Ground, gather
from taskspace.learners._writing import writing_diagonal
from taskspace.learners.fisher import Fisher
from taskspace.surrogates import load_surrogate
from taskspace.task import Inputs, Pool

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

INPUTS = Inputs.of(
    ["red rain", "the snow was good", "soup", "a very long road to the station we saw", "fog", "soup"],
    ["blue", None, None, None, "it is poor and grey", None],
)
TARGETS = ["red", "good snow", "apple rice and very much cheese", "train", "fog fog", "bread"]


@pytest.fixture(params=["tiny_t5", "tiny_decoder", "tiny_gpt2"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def surrogate(folder):
    return load_surrogate(folder, cache=False)


@pytest.fixture(scope="session")
def tiny_gpt2(tiny_decoder, tmp_path_factory):
    """Two layers of a GPT-2, whose matrices are transposed, with the bytes of the tiny decoder."""
    folder = tmp_path_factory.mktemp("models") / "gpt2"
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_decoder)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=256, initializer_range=0.3,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = transformers.GPT2LMHeadModel(config)
    transformers.utils.logging.disable_progress_bar()
    module.save_pretrained(folder)
    transformers.utils.logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


def targets_of(surrogate, inputs=INPUTS, targets=TARGETS):
    """As a space gathers them: the values stand for features of the targets, which only tell whether they vary."""
    return gather(inputs, Answers(np.eye(len(targets)), np.ones(len(targets), dtype=bool), "targets"), targets)


def plain(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    return kind.from_pretrained(folder).double().eval(), transformers.AutoTokenizer.from_pretrained(folder)


def next_tokens(module, tokenizer, text, pair, target):
    """For one example alone: log p(. | text, target so far) float64[T, V], and the target's tokens int64[T]."""
    if module.config.is_encoder_decoder:
        read = tokenizer(text, pair, return_tensors="pt")
        said = tokenizer(target, return_tensors="pt")["input_ids"]
        logits = module(input_ids=read["input_ids"], labels=said).logits[0]  # transformers shifts them itself
        return torch.log_softmax(logits, 1), said[0]
    whole = text if pair is None else f"{text}\n{pair}"
    before = tokenizer(whole)["input_ids"]
    after = [*tokenizer(f" {target}")["input_ids"], tokenizer.eos_token_id]
    logits = module(input_ids=torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
    return torch.log_softmax(logits, 1), torch.tensor(after)


def matrices(module):
    """What should be there: every matrix but embeddings, the head over the vocabulary, biases and norms."""
    left_out = ("shared", "embed_tokens", "lm_head", "wte", "wpe", "relative_attention_bias", "norm", "ln_")
    return {
        name.removesuffix(".weight"): weight
        for name, weight in module.named_parameters()
        if name.endswith(".weight") and not any(part in name for part in left_out)
    }


def one_by_one(folder, evidence, choose):
    """Σ w (∂ Σ_t log p(y_t) / ∂W)² with autograd, a pair of text and target at a time; ``choose`` gives the y_t."""
    module, tokenizer = plain(folder)
    weights = matrices(module)
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    number = 0
    for row, texts in enumerate(evidence.targets):
        for text in texts:
            log_p, said = next_tokens(module, tokenizer, evidence.inputs.texts[row], evidence.inputs.pairs[row], text)
            words = choose(number, log_p.detach(), said)
            likelihood = log_p.gather(1, words[:, None]).sum()
            grads = torch.autograd.grad(likelihood, list(weights.values()))
            for name, grad in zip(weights, grads, strict=True):
                total[name] += evidence.weights[row] / len(texts) * grad**2
            number += 1
    transposed = isinstance(module, transformers.GPT2LMHeadModel)
    return {name: (block.T if transposed else block).numpy() for name, block in total.items()}


def as_given(number, log_p, said):
    return said


def assert_close(got, expected):
    assert sorted(got) == sorted(expected)
    for name, block in expected.items():
        assert got[name].shape == block.shape, name
        assert block.max() > 0, name
        np.testing.assert_allclose(got[name], block, rtol=0, atol=2e-5 * block.max(), err_msg=name)


def diagonal(surrogate, evidence, *, labels="empirical", pooling="full", seed=0):
    return writing_diagonal(surrogate, evidence, labels=labels, pooling=pooling, seed=seed)


# Against one example at a time


def test_targets(folder, surrogate):
    """A text that has two targets, pairs among them, and lengths that must be padded on both sides."""
    evidence = targets_of(surrogate)
    assert sorted(map(len, evidence.targets)) == [1, 1, 1, 1, 2]
    expected = one_by_one(folder, evidence, as_given)
    assert_close(diagonal(surrogate, evidence), expected)
    rows = {name: block.sum(axis=1) for name, block in expected.items()}
    assert_close(diagonal(surrogate, evidence, pooling="rows"), rows)


def test_encoder_and_decoder_are_there_with_their_attentions(tiny_t5):
    surrogate = load_surrogate(tiny_t5, cache=False)
    names = diagonal(surrogate, targets_of(surrogate))
    for part in ("encoder.block.1.layer.0.SelfAttention.q", "decoder.block.1.layer.0.SelfAttention.v",
                 "decoder.block.0.layer.1.EncDecAttention.k", "decoder.block.1.layer.2.DenseReluDense.wo"):  # fmt: skip
        assert part in names
    assert not any("lm_head" in name or "shared" in name for name in names)


def test_sampled_words_are_drawn_by_the_seed_from_the_model_itself(folder, surrogate):
    """The same draws, inverted one place at a time from a plain model's own probabilities."""
    evidence = targets_of(surrogate)
    source = [row for row, texts in enumerate(evidence.targets) for _ in texts]
    assert len(source) == 6

    def drawn(number, log_p, said):
        uniform = np.random.default_rng([3, number]).random(len(said))
        steps = log_p.exp().cumsum(1).numpy()
        pairs = zip(steps, uniform, strict=True)
        return torch.tensor([int(np.searchsorted(row, u * row[-1], side="right")) for row, u in pairs])

    expected = one_by_one(folder, evidence, drawn)
    assert_close(diagonal(surrogate, evidence, labels="sampled", seed=3), expected)
    other = diagonal(surrogate, evidence, labels="sampled", seed=4)
    assert any(np.abs(other[name] - block).max() > 0.01 * block.max() for name, block in expected.items())


def test_sampled_approaches_the_sum_over_the_vocabulary(tiny_t5):
    """One place with one example: the expectation over the next word is a sum that can be written down."""
    surrogate = load_surrogate(tiny_t5, cache=False)
    module, tokenizer = plain(tiny_t5)
    inputs, end = Inputs.of(["red rain"]), tokenizer.eos_token_id
    evidence = gather(inputs, Answers(np.ones((1, 1)), np.ones(1, dtype=bool), "targets"), [""])
    log_p, said = next_tokens(module, tokenizer, "red rain", None, "")
    assert said.tolist() == [end]
    weights, expected = matrices(module), {}
    for word in range(log_p.shape[1]):
        grads = torch.autograd.grad(log_p[0, word], list(weights.values()), retain_graph=True)
        for name, grad in zip(weights, grads, strict=True):
            expected[name] = expected.get(name, 0) + float(log_p[0, word].detach().exp()) * (grad**2).sum(1).numpy()
    draws = [diagonal(surrogate, evidence, labels="sampled", pooling="rows", seed=s) for s in range(100)]
    for name, block in expected.items():
        seen = np.stack([draw[name] for draw in draws])
        error = seen.std(axis=0, ddof=1) / np.sqrt(len(draws))
        assert (np.abs(seen.mean(axis=0) - block) <= 5 * error + 1e-6 * block.max() + 1e-9).all(), name
        assert error.max() < 0.5 * block.max() or block.max() < 1e-9, name
    assert (
        sum(block.max() > 1e-4 for block in expected.values()) > 15
    )  # one word in the decoder attends to itself alone


# Whatever the batches


@pytest.mark.parametrize("labels", ["empirical", "sampled"])
def test_the_batches_do_not_matter(surrogate, make_text, monkeypatch, labels):
    rng = random.Random(0)
    texts = [make_text(rng, *rng.choices(["colour", "food"], k=rng.randint(1, 6))) for _ in range(20)]
    evidence = targets_of(surrogate, Inputs.of(texts), [make_text(rng, "praise") for _ in texts])
    whole = diagonal(surrogate, evidence, labels=labels, pooling="rows", seed=5)
    monkeypatch.setattr("taskspace.surrogates._written._LOGITS", 1)  # as with an immense vocabulary: one text at a time
    assert_close(diagonal(surrogate, evidence, labels=labels, pooling="rows", seed=5), whole)


def test_long_texts_and_long_targets_are_cut_to_what_there_is_room_for(folder):
    surrogate = load_surrogate(folder, max_length=32, cache=False)
    evidence = targets_of(surrogate, Inputs.of(["rain " * 90, "snow"]), ["fog " * 90, "sun"])
    blocks = diagonal(surrogate, evidence)
    assert all(np.isfinite(block).all() and block.max() > 0 for block in blocks.values())


# The learner


@pytest.fixture
def ground(surrogate):
    return Ground(surrogate, Pool(["red", "rain"]), seed=0)


def test_the_vector_for_targets(ground, folder):
    evidence = targets_of(ground.surrogate)
    learned = Fisher().bind(ground)(evidence)
    expected = one_by_one(folder, evidence, as_given)
    trace = sum(block.sum() for block in expected.values())
    assert list(learned.blocks) == sorted(expected)
    for name, block in expected.items():
        np.testing.assert_allclose(learned.blocks[name], np.sqrt(block.sum(axis=1) / trace), atol=1e-4)
    assert learned.report["informative"] is True
    assert learned.report["trace"] == pytest.approx(trace, rel=1e-4)


def test_classes_through_a_head_have_the_same_layout(ground):
    """A head on the encoder of an encoder-decoder leaves its decoder alone; all vectors of a space compare."""
    answers = Answers(np.eye(2)[[0, 1, 0, 1, 0, 0]], np.ones(6, dtype=bool))
    for learner in (Fisher(), Fisher(pooling="full", sketch=8), Fisher(labels="exact")):
        classes = learner.bind(ground)(gather(INPUTS, answers))
        texts = replace(learner, labels="empirical").bind(ground)(targets_of(ground.surrogate))
        assert {n: len(b) for n, b in classes.blocks.items()} == {n: len(b) for n, b in texts.blocks.items()}
        for name, block in classes.blocks.items():
            assert block.any() == (not name.startswith("decoder.")), name
        assert classes.report["informative"] is True


def test_rows_written_twice_or_in_another_order_change_nothing(ground):
    order = [3, 1, 5, 0, 2, 4]
    one = Fisher().bind(ground)(targets_of(ground.surrogate))
    two = Fisher().bind(ground)(targets_of(ground.surrogate, INPUTS.take(order), [TARGETS[i] for i in order]))
    assert {n: b.tobytes() for n, b in one.blocks.items()} == {n: b.tobytes() for n, b in two.blocks.items()}
    doubled = targets_of(ground.surrogate, INPUTS.take([*range(6)] * 2), TARGETS * 2)
    for name, block in Fisher().bind(ground)(doubled).blocks.items():
        np.testing.assert_allclose(block, one.blocks[name], atol=1e-6)


def test_one_target_for_all_says_nothing(ground):
    answers = Answers(np.ones((6, 3)), np.ones(6, dtype=bool), "targets")
    learned = Fisher().bind(ground)(gather(INPUTS, answers, ["red"] * 6))
    assert learned.report["informative"] is False
    assert not any(block.any() for block in learned.blocks.values())


def test_at_most_so_many_texts(ground):
    learned = Fisher(rows=3).bind(ground)(targets_of(ground.surrogate))
    assert learned.report["rows"] == 3


def test_texts_have_no_end_to_sum_over(ground, one_sentence):
    with pytest.raises(DataError, match="labels='exact' sums over all answers") as caught:
        Fisher(labels="exact").bind(ground)(targets_of(ground.surrogate))
    assert one_sentence(caught.value)
