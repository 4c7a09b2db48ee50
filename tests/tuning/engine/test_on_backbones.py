"""The engine on microscopic models of all three kinds, in float64 where numbers must agree closely."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.task import Inputs
from taskspace.tuning.adamw import RowAdamW
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.bank import Bank
from taskspace.tuning.parts import Head, Prompts
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.rows import Examples
from taskspace.tuning.training import Job, train

torch = pytest.importorskip("torch")

FOLDERS = ("tiny_mlm", "tiny_encoder", "tiny_t5", "tiny_decoder")
TEXTS = (
    "the soup is good",
    "it was a very dull grey train",
    "snow",
    "we saw the red bridge is fine",
    "bread",
    "a road",
)
WORDS = ("good", "bad", "fine")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(params=FOLDERS)
def backbone(request):
    return load_backbone(request.getfixturevalue(request.param))


@pytest.fixture
def precise(backbone):
    """The same in float64, so that a sum in another order is not seen at 1e-6."""
    backbone.module.double()
    return backbone


def _examples(rows=range(6), shift=0):
    codes = [(row + shift) % 3 for row in rows]
    texts = Inputs.of([TEXTS[row] for row in rows])
    return Examples(texts, "classes", np.eye(3)[codes], WORDS, tuple(WORDS[code] for code in codes))


def _prompts(backbone, rows, length=3):
    return Prompts.start(backbone, rows, length, seed=list(range(rows)))


def _alone(backbone, part, row):
    return Prompts(backbone, part.state(row)["tokens"][None])


def test_a_mixed_batch_gives_the_gradients_of_separate_runs(precise):
    part = _prompts(precise, 3)
    bank = Bank(precise, part, tokens=64)  # several passes, in which rows of two tasks stand side by side
    batch = {0: _examples(range(4)), 2: _examples(range(1, 6), shift=1)}
    prepared = {row: bank.prepare(examples, max_length=32) for row, examples in batch.items()}
    losses = bank.learn(prepared)
    for row, rows in prepared.items():
        single = _alone(precise, part, row)
        assert Bank(precise, single).learn({0: rows})[0] == pytest.approx(losses[row], abs=1e-6)
        mixed, separate = part.parameters["tokens"].grad[row], single.parameters["tokens"].grad[0]
        assert float(separate.abs().amax()) > 1e-3
        torch.testing.assert_close(mixed, separate, rtol=0, atol=1e-6)
    assert not part.parameters["tokens"].grad[1].any()


def test_every_stored_row_has_a_gradient(backbone):
    part = _prompts(backbone, 2, length=5)
    bank = Bank(backbone, part)
    bank.learn({row: bank.prepare(_examples(shift=row), max_length=32) for row in range(2)})
    assert part.parameters["tokens"].shape == (2, 5, backbone.width)
    assert bool((part.parameters["tokens"].grad.abs().amax(2) > 0).all())


def test_a_row_that_a_batch_leaves_out_keeps_its_bits(backbone):
    part = _prompts(backbone, 3)
    bank, tokens = Bank(backbone, part), part.parameters["tokens"]
    batch = {row: bank.prepare(_examples(shift=row), max_length=32) for row in range(3)}
    optimiser = RowAdamW(bank.parameters, decay=0.5, clip=1.0)
    bank.learn(batch)
    optimiser.step([0, 1, 2], {"tokens": 0.1})  # so that row 1 has moments, which would carry it on
    before = tokens.detach().clone()
    for _ in range(2):
        bank.learn({row: batch[row] for row in (0, 2)})
        optimiser.step([0, 2], {"tokens": 0.1})
    assert torch.equal(tokens[1], before[1])
    assert not torch.equal(tokens[0], before[0])
    assert not torch.equal(tokens[2], before[2])


class _Killed(Exception):
    pass


def test_a_resumed_run_ends_with_the_bits_of_an_unbroken_one(backbone, tmp_path):
    recipe = Recipe(steps=9, batch=2, rate=0.05, warmup=2, check=3, max_length=32)
    jobs = [Job(_examples(), _examples(range(3)), seed=0), Job(_examples(shift=1), seed=1)]
    whole = Bank(backbone, _prompts(backbone, 2))
    expected = train(whole, jobs, recipe)
    for fatal in (4, 8):
        broken = Bank(backbone, _prompts(backbone, 2))
        learn, left = broken.learn, iter(range(fatal))

        def mortal(batch, learn=learn, left=left):
            if next(left, None) is None:
                raise _Killed
            return learn(batch)

        broken.learn = mortal
        folder = tmp_path / str(fatal)
        with pytest.raises(_Killed):
            train(broken, jobs, recipe, folder=folder)
        resumed = Bank(backbone, _prompts(backbone, 2))
        assert train(resumed, jobs, recipe, folder=folder) == expected
        assert torch.equal(resumed.parameters["tokens"], whole.parameters["tokens"])


def test_training_from_another_start_does_not_go_on_with_this_state(backbone, tmp_path, one_sentence):
    recipe, jobs = Recipe(steps=2, batch=2, check=1, max_length=32), [Job(_examples())]
    train(Bank(backbone, Prompts.start(backbone, 1, 2, seed=0)), jobs, recipe, folder=tmp_path)
    for part in (Prompts.start(backbone, 1, 2, seed=1), Prompts.start(backbone, 1, 4, seed=0)):
        with pytest.raises(SettingError, match="another start") as error:
            train(Bank(backbone, part), jobs, recipe, folder=tmp_path)
        assert one_sentence(error.value)


@pytest.mark.parametrize("folder", ["tiny_t5", "tiny_decoder"])
def test_training_and_generation_read_the_same_prompt_tokens(folder, request, monkeypatch):
    backbone = load_backbone(request.getfixturevalue(folder))
    part = _prompts(backbone, 2)
    bank = Bank(backbone, part)
    stored = part.state(1)["tokens"]
    reader = backbone.module.get_encoder() if backbone.kind == "encoder-decoder" else backbone.module.base_model
    seen = []

    def noted(_module, _arguments, named):
        embeds = named.get("inputs_embeds")
        if embeds is not None:
            mask = named["attention_mask"]
            begins = (mask != 0).int().argmax(1).tolist()
            seen.append([embeds[i, at : at + 3].detach().numpy() for i, at in enumerate(begins)])

    handle = reader.register_forward_pre_hook(noted, with_kwargs=True)
    try:
        examples = _examples()
        bank.learn({1: bank.prepare(examples, max_length=32)})
        bank.scores(examples, [1], max_length=32)
        bank.generate(examples, 1, max_length=32, max_tokens=2)
    finally:
        handle.remove()
    assert len(seen) >= 3
    for batch in seen:
        assert len(batch) > 0
        for tokens in batch:
            np.testing.assert_array_equal(tokens, stored)


def test_heads_of_several_sizes_score_what_their_own_task_has(backbone, one_sentence):
    head = Head(2, (5, 3), backbone.features, seed=[0, 1])
    bank = Bank(backbone, _prompts(backbone, 2), head)
    assert bank.scores(_examples(), [1], max_length=32).shape == (1, len(TEXTS), 3)
    np.testing.assert_allclose(np.exp(bank.scores(_examples(), [1], max_length=32)).sum(2), 1, rtol=1e-5)
    wide = Examples(_examples().inputs, "classes", np.eye(5)[[0, 1, 2, 3, 4, 0]])
    assert bank.scores(wide, [0], max_length=32).shape == (1, len(TEXTS), 5)
    for refused in (lambda: bank.scores(wide, [0, 1], max_length=32), lambda: train(bank, [Job(wide)] * 2, Recipe())):
        with pytest.raises(SettingError, match="head of row 1 has 3 outputs where the labels need 5") as error:
            refused()
        assert one_sentence(error.value)


def test_a_text_too_long_is_told_before_the_first_step(load_short, one_sentence):
    bank = Bank(load_short, _prompts(load_short, 1, 20))
    examples = Examples(Inputs.of(["snow"] * 40 + ["snow " * 30]), "classes", np.eye(3)[[0] * 41], WORDS)
    recipe = Recipe(steps=1, batch=1, max_length=40)
    for passing in (
        lambda: train(bank, [Job(examples)], recipe),
        lambda: bank.scores(examples, [0], max_length=40),
    ):
        before = bank.parameters["tokens"].detach().clone()
        with pytest.raises(SettingError, match="20 tuned tokens.*32 positions") as error:
            passing()
        assert one_sentence(error.value)
        assert torch.equal(bank.parameters["tokens"], before)


@pytest.fixture
def load_short(save_mlm, tmp_path):
    """A model of 32 positions."""
    return load_backbone(save_mlm(tmp_path / "short", max_position_embeddings=32))
