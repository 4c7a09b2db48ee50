from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.tuning.backbones import BARE, Tuned

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

OWNERS = [0, 1, 0, 1, 1]
FAMILIES = ["t5", "bart"]


@pytest.fixture(params=FAMILIES)
def backbone(load, request):
    return load(request.param)


@pytest.fixture(scope="module")
def plain(saved):
    """``plain(backbone)``: the same model, loaded anew by transformers."""
    models = {}

    def model(backbone):
        name = backbone.identity.name
        if name not in models:
            models[name] = transformers.AutoModelForSeq2SeqLM.from_pretrained(name).eval()
        return models[name]

    return model


def opening(model):
    """What the decoder starts from: pad in T5, and the end mark and then the begin mark in BART."""
    return [0] if model.config.model_type == "t5" else [2, 0]


def logits_by_hand(model, tokens, ids, decoded):
    """Logits [T, V] of one text behind its prompt."""
    table = model.get_input_embeddings()
    embeds = torch.cat([tokens, table(torch.tensor(ids))])[None]
    with torch.no_grad():
        return model(inputs_embeds=embeds, decoder_input_ids=torch.tensor([decoded]), use_cache=False).logits[0]


def test_losses_are_those_of_the_target_alone(backbone, plain, targets, prompt):
    """Each row by itself, without padding, token by token."""
    part, model = prompt(backbone, 2, 4), plain(backbone)
    rows = backbone.prepare(targets(), max_length=30)
    got = backbone.run(Tuned(part), rows, OWNERS)
    assert [row.count for row in rows] == [2, 3, 4, 4, 2]
    assert {row.target[-1] for row in rows} == {backbone.tokenizer.eos_token_id}
    begin = opening(model)
    for i, row in enumerate(rows):
        logits = logits_by_hand(model, part.tokens[OWNERS[i]], row.ids, [*begin, *row.target[:-1]])[len(begin) - 1 :]
        torch.testing.assert_close(got.logits[i, : row.count], logits, rtol=1e-4, atol=1e-5)
        nats = -sum(float(step.log_softmax(0)[token]) for step, token in zip(logits, row.target, strict=True))
        assert got.losses[i].item() == pytest.approx(nats, rel=1e-5)
        assert got.places[i].tolist() == [True] * row.count + [False] * (4 - row.count)


def test_the_loss_of_one_row_is_that_of_transformers(load, plain, targets):
    """T5's own ``labels``, whose mean over tokens is taken."""
    backbone = load("t5")
    (row,) = backbone.prepare(targets(["the soup is good"], ["very bad train"]), max_length=30)
    batch = backbone.tokenizer("the soup is good", text_target="very bad train", return_tensors="pt")
    with torch.no_grad():
        expected = plain(backbone)(**batch).loss
    assert backbone.run(BARE, [row], [0]).losses[0].item() / 4 == pytest.approx(expected.item(), rel=1e-5)


def test_it_is_what_peft_computes(load, targets, prompt, in_peft):
    """Once for prompts in the encoder alone, which peft does only when it is told."""
    backbone = load("t5")
    part = prompt(backbone, 1, 6)
    examples = targets()
    got = backbone.run(Tuned(part), backbone.prepare(examples, max_length=30), [0] * 5)
    batch = backbone.tokenizer(list(examples.inputs.texts), padding=True, return_tensors="pt")
    labels = backbone.tokenizer(text_target=list(examples.targets), padding=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        model = in_peft(backbone.identity.name, "AutoModelForSeq2SeqLM", "SEQ_2_SEQ_LM", part.tokens[0])
        logits = model(**batch, labels=labels.masked_fill(labels == 0, -100)).logits
    torch.testing.assert_close(got.logits[got.places], logits[got.places], rtol=0, atol=1e-5)


def test_scores_are_log_probabilities_of_whole_answers(backbone, plain, classes, prompt):
    """Answers of one to four tokens, one of them the beginning of another; each in a pass of its own."""
    part, model = prompt(backbone, 2, 4), plain(backbone)
    answers = ("good", "good soup", "very bad train", "the red train is")
    rows = backbone.prepare(classes(answers=answers), max_length=30)
    got = backbone.scores(Tuned(part), rows, OWNERS)
    begin = opening(model)
    for i, row in enumerate(rows):
        for c, answer in enumerate(answers):
            tokens = [
                *backbone.tokenizer(answer, add_special_tokens=False)["input_ids"],
                backbone.tokenizer.eos_token_id,
            ]
            logits = logits_by_hand(model, part.tokens[OWNERS[i]], row.ids, [*begin, *tokens[:-1]])[len(begin) - 1 :]
            expected = sum(float(step.log_softmax(0)[token]) for step, token in zip(logits, tokens, strict=True))
            assert got[i, c].item() == pytest.approx(expected, rel=1e-4, abs=1e-4)
    losses = backbone.run(Tuned(part), rows, OWNERS).losses.detach()
    own = got[torch.arange(5), torch.tensor([0, 1, 2, 3, 0])]
    torch.testing.assert_close(-own, losses, rtol=1e-4, atol=1e-4)


def test_scores_do_not_depend_on_how_many_are_taken_at_a_time(backbone, classes, prompt, monkeypatch):
    rows = backbone.prepare(classes(answers=("good soup", "bad", "very red train")), max_length=30)
    tuned = Tuned(prompt(backbone, 2, 4))
    together = backbone.scores(tuned, rows, OWNERS)
    monkeypatch.setattr("taskspace.tuning.backbones._answers._CELLS", 1)
    torch.testing.assert_close(backbone.scores(tuned, rows, OWNERS), together, rtol=1e-5, atol=1e-5)


def test_writing_is_what_a_full_pass_per_token_writes(backbone, plain, targets, prompt):
    """No keys and values are kept in the slow one; it ends where an end mark is the likeliest."""
    part, model = prompt(backbone, 2, 4, seed=3), plain(backbone)
    rows = backbone.prepare(targets(), max_length=30)
    expected = []
    for i, row in enumerate(rows):
        tokens = opening(model)
        for _ in range(7):
            token = int(logits_by_hand(model, part.tokens[OWNERS[i]], row.ids, tokens)[-1].argmax())
            if token == backbone.tokenizer.eos_token_id:
                break
            tokens.append(token)
        expected.append(backbone.tokenizer.decode(tokens, skip_special_tokens=True).strip())
    got = backbone.generate(Tuned(part), rows, OWNERS, max_tokens=7)
    assert got == expected
    assert len(set(got)) > 1


def test_tuned_and_written_with_the_same_prompt(backbone, targets, prompt):
    """The encoder is given the same inputs to be tuned on, scored and written with."""
    rows = backbone.prepare(targets(answers=("good", "bad")), max_length=30)
    tuned = Tuned(prompt(backbone, 2, 3))
    seen = []

    def keep(_module, _inputs, named):
        seen.append((named["inputs_embeds"].detach(), named["attention_mask"]))

    handle = backbone.module.get_encoder().register_forward_pre_hook(keep, with_kwargs=True)
    backbone.run(tuned, rows, OWNERS)
    backbone.scores(tuned, rows, OWNERS)
    backbone.generate(tuned, rows, OWNERS, max_tokens=4)
    handle.remove()
    assert len(seen) == 3
    assert torch.equal(seen[0][0][:, :3], tuned.part.tokens[OWNERS])
    for embeds, mask in seen[1:]:
        assert torch.equal(embeds, seen[0][0])
        assert torch.equal(mask, seen[0][1])


def test_what_is_inside_is_there_for_every_token_written(load, targets, shift):
    backbone = load("t5")
    part = shift(backbone, 2, "decoder.block.0.layer.0.SelfAttention.o")
    rows = backbone.prepare(targets(), max_length=30)
    with torch.no_grad():
        part.by *= 3
    backbone.generate(Tuned(part), rows, OWNERS, max_tokens=4)
    assert part.opened == [OWNERS] * 4
    alone = [backbone.generate(Tuned(part), [row], [k], max_tokens=4)[0] for row, k in zip(rows, OWNERS, strict=True)]
    assert backbone.generate(Tuned(part), rows, OWNERS, max_tokens=4) == alone
    assert alone != backbone.generate(BARE, rows, [0] * 5, max_tokens=4)


def test_classes_are_written_as_their_likeliest_answer(backbone, classes):
    examples = classes(["snow", "rain"], ("good", "very bad"), [0, 1])
    rows = backbone.prepare(examples, max_length=20)
    assert [row.target for row in rows] == list(rows[0].answers)
    assert [backbone.tokenizer.decode(row.target, skip_special_tokens=True) for row in rows] == ["good", "very bad"]


def test_nothing_can_be_written_in_no_tokens(backbone, targets, one_sentence):
    rows = backbone.prepare(targets(), max_length=20)
    with pytest.raises(SettingError, match="max_tokens=0") as caught:
        backbone.generate(BARE, rows, [0] * 5, max_tokens=0)
    assert one_sentence(caught.value)


def test_answers_of_the_same_tokens_are_refused(load, classes, one_sentence):
    with pytest.raises(SettingError, match=r"'foo' and 'bar'") as caught:
        load("t5").prepare(classes(answers=("good", "foo", "bar")), max_length=20)
    assert one_sentence(caught.value)


def test_a_target_longer_than_the_decoders_positions_is_refused(load, targets, one_sentence):
    """64 of them, the first two taken by the marks that the decoder starts from, and one token more is never read."""
    backbone = load("bart")
    rows = backbone.prepare(targets(["snow"], ["rain " * 70], ("rain " * 63,)), max_length=20)
    for attempt in (
        lambda: backbone.run(BARE, rows, [0]),
        lambda: backbone.scores(BARE, rows, [0]),
        lambda: backbone.generate(BARE, rows, [0], max_tokens=64),
    ):
        with pytest.raises(SettingError, match="would be written.*64 positions") as caught:
            attempt()
        assert one_sentence(caught.value)
    assert len(backbone.generate(BARE, rows, [0], max_tokens=63)) == 1
    rows = backbone.prepare(targets(["snow"], ["rain " * 62]), max_length=20)
    assert torch.isfinite(backbone.run(BARE, rows, [0]).losses).all()


def test_values_of_targets_may_be_empty(backbone, targets):
    rows = backbone.prepare(targets(), max_length=20)
    assert all(row.values.shape == (0,) and not row.answers for row in rows)
    assert np.isfinite(backbone.run(BARE, rows, [0] * 5).losses.numpy()).all()
