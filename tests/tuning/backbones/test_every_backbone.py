"""What holds for every backbone: one suite over all families."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.task import Inputs
from taskspace.tuning.backbones import BARE, Tuned
from taskspace.tuning.rows import Examples

torch = pytest.importorskip("torch")

FAMILIES = ["bert", "sentence", "roberta", "t5", "bart", "llama", "gpt2", "gemma"]
WRITERS = ["t5", "bart", "llama", "gpt2", "gemma"]
TEXTS = ["the soup is good", "it was a very dull grey train", "snow", "we saw the red bridge", "bread"]
OWNERS = [0, 2, 1, 2, 0]
LAYERS = {
    "bert": "bert.encoder.layer.0.attention.self.query", "sentence": "encoder.layer.0.attention.self.query",
    "roberta": "roberta.encoder.layer.0.attention.self.query", "t5": "encoder.block.0.layer.0.SelfAttention.q",
    "bart": "model.encoder.layers.0.self_attn.q_proj", "llama": "model.layers.0.self_attn.q_proj",
    "gpt2": "transformer.h.0.attn.c_attn", "gemma": "model.layers.0.self_attn.q_proj",
}  # fmt: skip


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def backbone(load, family):
    return load(family)


@pytest.fixture
def rows(backbone, classes):
    """Two answer sets, and so two numbers of answers."""
    first = backbone.prepare(classes(TEXTS[:3], ("good", "bad", "very fine")), max_length=40)
    return first + backbone.prepare(classes(TEXTS[3:], ("snow", "rain")), max_length=40)


def test_padding_changes_no_row(backbone, rows, prompt):
    tuned = Tuned(prompt(backbone, 3, 4))
    together = backbone.run(tuned, rows, OWNERS)
    scores = backbone.scores(tuned, rows, OWNERS)
    for i, row in enumerate(rows):
        alone = backbone.run(tuned, [row], [OWNERS[i]])
        torch.testing.assert_close(together.losses[i], alone.losses[0], rtol=1e-4, atol=1e-5)
        length = alone.logits.shape[1]
        width = len(row.answers) if backbone.kind == "encoder" and row.answers else alone.logits.shape[2]
        torch.testing.assert_close(
            together.logits[i, :length, :width], alone.logits[0, :, :width], rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(together.hidden[i, : len(row.ids)], alone.hidden[0], rtol=1e-4, atol=1e-5)
        assert not together.hidden[i, len(row.ids) :].any()
        assert together.places[i].sum() == row.count
        own = backbone.scores(tuned, [row], [OWNERS[i]])[0]
        torch.testing.assert_close(scores[i, : len(own)], own, rtol=1e-4, atol=1e-5)
        assert (scores[i, len(row.words) :] == -torch.inf).all()


def test_gradients_of_a_mixed_batch_are_those_of_separate_ones(backbone, rows, prompt):
    mixed = prompt(backbone, 4, 3)
    backbone.run(Tuned(mixed), rows, OWNERS).losses.sum().backward()
    for owner in range(3):
        own = prompt(backbone, 4, 3)
        mine = [row for row, k in zip(rows, OWNERS, strict=True) if k == owner]
        backbone.run(Tuned(own), mine, [owner] * len(mine)).losses.sum().backward()
        torch.testing.assert_close(mixed.tokens.grad[owner], own.tokens.grad[owner], rtol=1e-4, atol=1e-6)
        assert mixed.tokens.grad[owner].abs().sum(dim=1).min() > 0  # every stored token is trained
    assert not mixed.tokens.grad[3].any()


def test_frozen_weights_take_no_gradient(backbone, rows, prompt):
    backbone.run(Tuned(prompt(backbone, 3, 2)), rows, OWNERS).losses.sum().backward()
    assert not backbone.module.training
    assert all(weight.grad is None and not weight.requires_grad for weight in backbone.module.parameters())


def test_the_gradient_is_the_slope(backbone, rows, prompt):
    part = prompt(backbone, 3, 2)
    loss = lambda: backbone.run(Tuned(part), rows, OWNERS).losses.double().sum()  # noqa: E731
    loss().backward()
    way = part.tokens.grad / part.tokens.grad.norm()
    with torch.no_grad():
        size = 2e-2
        part.tokens += size * way
        above = loss()
        part.tokens -= 2 * size * way
        below = loss()
    assert float(above - below) / (2 * size) == pytest.approx(float(part.tokens.grad.norm()), rel=0.05)


def test_the_prompt_changes_the_logits(backbone, rows, prompt):
    tuned, bare = (backbone.run(t, rows, OWNERS).logits for t in (Tuned(prompt(backbone, 3, 3)), BARE))
    own = torch.isfinite(bare)
    assert (tuned - bare)[own].abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["prompt", "shift"])
def test_checkpointing_changes_no_gradient(load, family, rows, prompt, shift, kind):
    """Also of what is inside: the layers are run again when ``inside`` has been closed for long."""
    gradients = []
    for backbone in (load(family), load(family, checkpointing=True)):
        part = prompt(backbone, 3, 5) if kind == "prompt" else shift(backbone, 3, LAYERS[family])
        losses = backbone.run(Tuned(part), rows, OWNERS).losses
        losses.sum().backward()
        (parameter,) = part.parameters.values()
        gradients.append((losses.detach(), parameter.grad))
    (losses, plain), (same, again) = gradients
    assert torch.equal(losses, same)
    assert plain.abs().min() > 0
    torch.testing.assert_close(again, plain, rtol=1e-5, atol=1e-7)


def test_checkpointing_runs_layers_again(load, family, rows, prompt):
    backbone = load(family, checkpointing=True)
    passes = []
    handle = backbone.module.get_submodule(LAYERS[family]).register_forward_hook(lambda *_: passes.append(1))
    losses = backbone.run(Tuned(prompt(backbone, 3, 2)), rows, OWNERS).losses
    before = len(passes)
    losses.sum().backward()
    handle.remove()
    assert len(passes) == before + 1
    backbone.scores(Tuned(prompt(backbone, 3, 2)), rows, OWNERS)


def test_what_is_inside_is_there_for_losses_and_scores(backbone, family, rows, shift):
    part = shift(backbone, 3, LAYERS[family])
    losses = backbone.run(Tuned(part), rows, OWNERS).losses
    assert part.opened == [OWNERS]
    scores = backbone.scores(Tuned(part), rows, OWNERS)
    assert part.opened[1] == OWNERS
    for i, row in enumerate(rows):
        torch.testing.assert_close(losses[i], backbone.run(Tuned(part), [row], [OWNERS[i]]).losses[0])
        own = backbone.scores(Tuned(part), [row], [OWNERS[i]])[0]
        torch.testing.assert_close(scores[i, : len(own)], own, rtol=1e-4, atol=1e-5)
    assert (losses - backbone.run(BARE, rows, [0] * 5).losses).abs().min() > 1e-5
    assert (scores - backbone.scores(BARE, rows, [0] * 5)).nan_to_num().abs().max() > 1e-4


def test_a_head_reads_features_instead(backbone, classes, prompt, head):
    own = head(2, (3, 2), backbone.width)
    tuned = Tuned(prompt(backbone, 2, 3), own)
    examples = Examples(Inputs.of(TEXTS[:3]), "classes", np.array([[0.2, 0.5, 0.3], [1, 0, 0], [0, 0, 1.0]]))
    numbers = Examples(Inputs.of(TEXTS[3:]), "numbers", np.array([[0.5, -1.0], [2.0, 0.0]]))
    rows = backbone.prepare(examples, max_length=30) + backbone.prepare(numbers, max_length=30)
    owners = [0, 0, 0, 1, 1]
    got = backbone.run(tuned, rows, owners)
    assert got.logits.shape == (5, 1, 3)
    assert got.places.tolist() == [[True]] * 5
    logits = got.logits[:, 0].detach().double().numpy()
    for i, row in enumerate(rows):
        states = got.hidden[i, : len(row.ids)]
        feature = states[-1] if backbone.kind == "decoder" else states.mean(dim=0)
        expected = (own.weight[owners[i]] @ feature)[: len(row.values)].detach()
        np.testing.assert_allclose(logits[i, : len(row.values)], expected, rtol=1e-4, atol=1e-5)
    likely = logits[:3] - np.log(np.exp(logits[:3]).sum(1, keepdims=True))
    losses = [*-(examples.values * likely).sum(1), *((logits[3:, :2] - numbers.values) ** 2).mean(1)]
    np.testing.assert_allclose(got.losses.detach(), losses, rtol=1e-4)
    scores = backbone.scores(tuned, rows, owners)
    np.testing.assert_allclose(scores[:3], likely, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores[3:, :2], logits[3:, :2], rtol=1e-5)
    assert (scores[3:, 2] == -torch.inf).all()
    got.losses.sum().backward()
    assert torch.isfinite(own.weight.grad).all()
    assert torch.isfinite(tuned.part.tokens.grad).all()
    assert tuned.part.tokens.grad.abs().sum(dim=2).min() > 0


def test_half_precision_leaves_the_prompt_in_full(load, family, classes, prompt):
    backbone, full = load(family, dtype="bfloat16"), load(family)
    rows = backbone.prepare(classes(), max_length=30)
    part, same = prompt(full, 3, 3), prompt(full, 3, 3)
    got = backbone.run(Tuned(part), rows, OWNERS)
    assert backbone.embeddings.dtype == torch.bfloat16
    assert got.losses.dtype == got.logits.dtype == torch.float32
    got.losses.sum().backward()
    assert part.tokens.grad.dtype == torch.float32
    expected = full.run(Tuned(same), rows, OWNERS)
    torch.testing.assert_close(got.losses, expected.losses, rtol=0.15, atol=0.15)


def test_rows_longer_than_the_positions_are_refused(load, family, classes, prompt, one_sentence):
    backbone = load(family)
    limits = {
        "bert": 128,
        "sentence": 128,
        "roberta": 64,
        "bart": 64,
        "llama": 1024,
        "gpt2": 96,
        "gemma": 256,
        "t5": None,
    }
    rows = backbone.prepare(classes(["rain " * 1200], ("good", "bad")), max_length=limits[family] or 600)
    if limits[family] is None:
        assert torch.isfinite(backbone.scores(Tuned(prompt(backbone, 1, 30)), rows, [0])).all()
        return
    with pytest.raises(
        SettingError, match=f"7 tuned tokens, {limits[family]} of the text.*{limits[family]} positions"
    ) as e:
        backbone.run(Tuned(prompt(backbone, 1, 7)), rows, [0])
    assert one_sentence(e.value)
    most = int(str(e.value).rpartition(" ")[2])
    assert most == limits[family] - 7 - (rows[0].count - 1 if backbone.kind == "decoder" else 0)
    fitting = backbone.prepare(classes(["rain " * 1200], ("good", "bad")), max_length=most)
    assert len(fitting[0].ids) == most
    assert torch.isfinite(backbone.run(Tuned(prompt(backbone, 1, 7)), fitting, [0]).losses).all()


def test_rows_that_need_a_head_say_so(backbone, prompt, one_sentence):
    for kind in ("classes", "numbers"):
        rows = backbone.prepare(Examples(Inputs.of(TEXTS[:2]), kind, np.ones((2, 2))), max_length=20)
        with pytest.raises(SettingError, match="need a head") as caught:
            backbone.run(Tuned(prompt(backbone, 1, 2)), rows, [0, 0])
        assert one_sentence(caught.value)


@pytest.mark.parametrize("max_length", [8, 12])
def test_texts_are_cut_from_their_end(backbone, classes, max_length):
    whole, cut = (backbone.prepare(classes(["bread " + "rain " * 50]), max_length=n)[0] for n in (64, max_length))
    assert len(cut.ids) == max_length
    kept = max_length - 3
    assert cut.ids[:kept] == whole.ids[:kept]
    assert cut.answers == whole.answers
    assert cut.target == whole.target


def test_no_room_for_a_text_is_an_error(backbone, classes, one_sentence):
    with pytest.raises(SettingError, match="max_length=0") as caught:
        backbone.prepare(classes(), max_length=0)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("family", WRITERS)
def test_free_text_has_no_scores(load, family, targets, prompt, one_sentence):
    backbone = load(family)
    with pytest.raises(SettingError, match="no answers") as caught:
        backbone.scores(Tuned(prompt(backbone, 1, 2)), backbone.prepare(targets(), max_length=20), [0] * 5)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("family", WRITERS)
def test_an_empty_text_is_read_too(load, family, classes, prompt):
    backbone = load(family)
    rows = backbone.prepare(classes(["", "snow"]), max_length=20)
    assert rows[0].ids
    for tuned in (BARE, Tuned(prompt(backbone, 2, 2))):
        assert torch.isfinite(backbone.scores(tuned, rows, [0, 0])).all()


def test_features_are_as_wide_as_the_states_that_heads_read(save_mlm, tmp_path, tiny_t5, classes):
    """ELECTRA's embeddings are narrower than its states."""
    from taskspace.tuning.backbones import load_backbone
    from taskspace.tuning.parts import Head, Prompts

    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(save_mlm(tmp_path / "words"))
    config = transformers.ElectraConfig(
        vocab_size=len(tokenizer), embedding_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64,
    )  # fmt: skip
    transformers.ElectraForMaskedLM(config).save_pretrained(tmp_path / "electra")
    tokenizer.save_pretrained(tmp_path / "electra")
    backbone = load_backbone(tmp_path / "electra")
    assert (backbone.width, backbone.features) == (8, 16)
    rows = backbone.prepare(classes(), max_length=32)
    tuned = Tuned(Prompts.start(backbone, 1, 2), Head(1, (3,), backbone.features))
    assert backbone.run(tuned, rows, [0] * len(rows)).logits.shape == (len(rows), 1, 3)
    assert load_backbone(tiny_t5).features == 16
