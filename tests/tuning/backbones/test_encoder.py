from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.task import Inputs
from taskspace.tuning.backbones import BARE, Tuned
from taskspace.tuning.rows import Examples

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXTS = ["the soup is good", "it was a very dull grey train", "snow"]
PAIRS = ["red bread", None, "we saw the rain"]


def of_pairs(answers=("good", "bad")):
    return Examples(Inputs.of(TEXTS, PAIRS), "classes", np.eye(len(answers))[[0, 1, 0]], answers)


def by_hand(module, prompt, ids, types=None, first=0):
    """The last layer behind a prompt, one text at a time, from the embeddings' own tables."""
    embeds = torch.cat([prompt, module.get_input_embeddings()(torch.tensor(ids))])[None]
    asked = {"position_ids": torch.arange(first, first + embeds.shape[1])[None]}
    if types:
        asked["token_type_ids"] = torch.tensor([[0] * len(prompt) + list(types)])
    with torch.no_grad():
        return module(inputs_embeds=embeds, output_hidden_states=True, **asked)


@pytest.mark.parametrize(("family", "first"), [("bert", 0), ("roberta", 2)])
def test_states_and_logits_are_those_of_the_model_on_prompt_and_text(load, prompt, family, first):
    """Positions run through prompt and text, from 0 in BERT and from 2 in RoBERTa; the prompt is of the first type."""
    backbone = load(family)
    part = prompt(backbone, 2, 3)
    rows = backbone.prepare(of_pairs(), max_length=30)
    assert (family == "bert") == any(1 in row.types for row in rows)
    got = backbone.run(Tuned(part), rows, [1, 0, 1])
    module = transformers.AutoModelForMaskedLM.from_pretrained(backbone.identity.name)
    for i, row in enumerate(rows):
        expected = by_hand(module, part.tokens[[1, 0, 1][i]], row.ids, row.types, first)
        torch.testing.assert_close(got.hidden[i, : len(row.ids)], expected.hidden_states[-1][0, 3:], rtol=0, atol=1e-5)
        at = 3 + row.ids.index(backbone.tokenizer.mask_token_id)
        words = backbone.tokenizer.convert_tokens_to_ids(["good", "bad"])
        torch.testing.assert_close(got.logits[i, 0], expected.logits[0, at, words], rtol=0, atol=1e-5)
        likely = expected.logits[0, at].log_softmax(0)[words].log_softmax(0)
        torch.testing.assert_close(got.losses[i], -likely[[0, 1, 0][i]], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(backbone.scores(Tuned(part), rows, [1, 0, 1])[i], likely, rtol=1e-5, atol=1e-5)


def test_the_word_is_asked_for_behind_the_text(load):
    backbone = load("bert")
    rows = backbone.prepare(of_pairs(), max_length=30)
    assert [backbone.tokenizer.decode(row.ids) for row in rows] == [
        "[CLS] the soup is good [SEP] red bread [MASK] [SEP]",
        "[CLS] it was a very dull grey train [MASK] [SEP]",
        "[CLS] snow [SEP] we saw the rain [MASK] [SEP]",
    ]
    assert rows[0].types == (0,) * 6 + (1,) * 4
    cut = backbone.prepare(of_pairs(), max_length=8)[1]
    assert backbone.tokenizer.decode(cut.ids) == "[CLS] it was a very dull [MASK] [SEP]"
    assert cut.answers == tuple((i,) for i in backbone.tokenizer.convert_tokens_to_ids(["good", "bad"]))


def test_a_sentence_encoder_compares_the_mean_with_the_answers(load, prompt):
    """Against the same by the model's own forward pass, and cosines in float64."""
    backbone = load("sentence")
    part = prompt(backbone, 1, 4)
    answers = ("good", "very bad", "dull grey rain")
    rows = backbone.prepare(of_pairs(answers), max_length=30)
    module = transformers.AutoModel.from_pretrained(backbone.identity.name)
    with torch.no_grad():
        alone = [module(**backbone.tokenizer(a, return_tensors="pt")).last_hidden_state[0].mean(0) for a in answers]
    got = backbone.run(Tuned(part), rows, [0, 0, 0])
    for i, row in enumerate(rows):
        mean = by_hand(module, part.tokens[0], row.ids, row.types).last_hidden_state[0, 4:].mean(0).double()
        cosines = [20 * float(mean @ a.double() / mean.norm() / a.double().norm()) for a in alone]
        np.testing.assert_allclose(got.logits[i, 0].detach(), cosines, rtol=1e-4)


def test_answers_are_read_without_what_is_tuned(load, shift, monkeypatch):
    """Once, and not through the hooks of the part in whose run they are first needed."""
    backbone = load("sentence", dtype="float32")
    backbone._known.clear()
    part = shift(backbone, 2, "encoder.layer.0.attention.self.query")
    rows = backbone.prepare(of_pairs(), max_length=30)
    backbone.run(Tuned(part), rows, [0, 1, 0])
    (tuned,) = backbone._known.values()
    assert part.opened == [[0, 1, 0]]
    backbone._known.clear()
    backbone.scores(BARE, rows, [0, 0, 0])
    (bare,) = backbone._known.values()
    assert torch.equal(tuned, bare)
    backbone.run(Tuned(part), rows, [0, 1, 0]).losses.sum().backward()  # made without gradients, used with them
    assert backbone._known[rows[0].words] is bare


def test_soft_labels_are_averaged_over(load, prompt):
    backbone = load("bert")
    tuned = Tuned(prompt(backbone, 1, 2))
    losses = []
    for values in ([[1, 0, 0]], [[0, 1, 0]], [[0, 0, 1]], [[0.2, 0.3, 0.5]]):
        examples = Examples(Inputs.of(TEXTS[:1]), "classes", np.array(values, float), ("good", "bad", "fine"))
        losses.append(backbone.run(tuned, backbone.prepare(examples, max_length=20), [0]).losses[0].item())
    assert losses[3] == pytest.approx(0.2 * losses[0] + 0.3 * losses[1] + 0.5 * losses[2], rel=1e-5)


def test_a_head_does_not_read_the_mask_token(load, prompt, head):
    backbone = load("bert")
    own = head(1, (2,), backbone.width)
    rows = backbone.prepare(of_pairs(), max_length=30)
    got = backbone.run(Tuned(prompt(backbone, 1, 2), own), rows, [0, 0, 0])
    for i, row in enumerate(rows):
        at = [place for place, token in enumerate(row.ids) if token != backbone.tokenizer.mask_token_id]
        assert len(at) == len(row.ids) - 1
        torch.testing.assert_close(got.logits[i, 0], own.weight[0] @ got.hidden[i, at].mean(0), rtol=1e-4, atol=1e-5)


def test_it_is_what_peft_computes(load, prompt, head, in_peft):
    backbone = load("sentence")
    rows = backbone.prepare(Examples(Inputs.of(TEXTS), "classes", np.eye(3)), max_length=30)
    part = prompt(backbone, 1, 5)
    got = backbone.run(Tuned(part, head(1, (3,), backbone.width)), rows, [0, 0, 0]).hidden.detach()
    batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        model = in_peft(backbone.identity.name, "AutoModel", "FEATURE_EXTRACTION", part.tokens[0])
        states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state[:, 5:]
    torch.testing.assert_close(got, states * batch["attention_mask"][:, :, None], rtol=0, atol=1e-5)


def test_targets_cannot_be_written(load, targets, prompt, one_sentence):
    backbone = load("bert")
    rows = backbone.prepare(of_pairs(), max_length=30)
    for attempt in (
        lambda: backbone.prepare(targets(), max_length=30),
        lambda: backbone.generate(Tuned(prompt(backbone, 1, 2)), rows, [0] * 3, max_tokens=3),
    ):
        with pytest.raises(SettingError, match="encoder") as caught:
            attempt()
        assert one_sentence(caught.value)


@pytest.mark.parametrize(
    ("family", "answers"), [("bert", ("very good", "very bad")), ("bert", ("foo", "bar")), ("sentence", ("foo", "bar"))]
)
def test_answers_that_it_cannot_tell_apart_are_refused(load, classes, family, answers, one_sentence):
    with pytest.raises(SettingError, match=f"{answers[0]}.*{answers[1]}.*token") as caught:
        load(family).prepare(classes(answers=answers), max_length=20)
    assert one_sentence(caught.value)
