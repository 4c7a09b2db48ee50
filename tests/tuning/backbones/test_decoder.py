from __future__ import annotations

import pytest

from taskspace.errors import SettingError, SurrogateError
from taskspace.tuning.backbones import BARE, Tuned, load_backbone
from taskspace.tuning.backbones._batches import joined

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

OWNERS = [0, 1, 0, 1, 1]
FAMILIES = ["llama", "gpt2", "gemma"]


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
            models[name] = transformers.AutoModelForCausalLM.from_pretrained(name).eval()
        return models[name]

    return model


def logits_by_hand(model, tokens, ids):
    """Logits [S, V] of one text behind its prompt; positions and mask are the model's own."""
    embeds = torch.cat([tokens, model.get_input_embeddings()(torch.tensor(ids))])[None]
    with torch.no_grad():
        return model(inputs_embeds=embeds, use_cache=False).logits[0]


def test_losses_are_those_of_the_target_alone(backbone, plain, targets, prompt):
    """Each row by itself, without padding; neither prompt nor text is counted."""
    part, model = prompt(backbone, 2, 4), plain(backbone)
    rows = backbone.prepare(targets(), max_length=30)
    got = backbone.run(Tuned(part), rows, OWNERS)
    longest = max(row.count for row in rows)
    for i, row in enumerate(rows):
        logits = logits_by_hand(model, part.tokens[OWNERS[i]], row.ids + row.target)
        logits = logits[4 + len(row.ids) - 1 : -1]
        torch.testing.assert_close(got.logits[i, : row.count], logits, rtol=1e-4, atol=1e-5)
        nats = -sum(float(step.log_softmax(0)[token]) for step, token in zip(logits, row.target, strict=True))
        assert got.losses[i].item() == pytest.approx(nats, rel=1e-4)
        assert got.places[i].tolist() == [True] * row.count + [False] * (longest - row.count)


def test_text_and_target_are_tokens_of_one_running_text(backbone, targets):
    """The end mark last; a space between; the begin mark, where the tokenizer writes one, first."""
    rows = backbone.prepare(targets(["the soup is  ", "snow"], ["good", "very bad"]), max_length=60)
    assert [backbone.tokenizer.decode(row.ids + row.target) for row in rows] == [
        "the soup is good</s>", "snow very bad</s>",
    ]  # fmt: skip
    assert rows[0].ids == tuple(backbone.tokenizer("the soup is")["input_ids"])


def test_it_is_what_peft_computes(load, targets, prompt, in_peft):
    backbone = load("llama")
    part = prompt(backbone, 1, 6)
    rows = backbone.prepare(targets(), max_length=40)
    got = backbone.run(Tuned(part), rows, [0] * 5)
    whole = [list(row.ids + row.target) for row in rows]
    batch = backbone.tokenizer.pad({"input_ids": whole}, padding_side="right", return_tensors="pt")
    with torch.no_grad():
        model = in_peft(backbone.identity.name, "AutoModelForCausalLM", "CAUSAL_LM", part.tokens[0])
        logits = model(**batch).logits
    for i, row in enumerate(rows):
        at = 6 + len(row.ids) - 1
        torch.testing.assert_close(got.logits[i, : row.count], logits[i, at : at + row.count], rtol=0, atol=1e-5)


def test_padding_on_the_left_and_on_the_right_agree(backbone, classes, prompt):
    """Scores are taken behind left-padded texts, losses in right-padded ones."""
    rows = backbone.prepare(classes(answers=("good", "very bad", "the red train")), max_length=30)
    tuned = Tuned(prompt(backbone, 2, 5))
    losses = backbone.run(tuned, rows, OWNERS).losses
    scores = backbone.scores(tuned, rows, OWNERS)[torch.arange(5), torch.tensor([0, 1, 2, 0, 1])]
    torch.testing.assert_close(-scores, losses.detach(), rtol=1e-4, atol=1e-4)
    owners = torch.tensor(OWNERS)
    states = []
    for side in ("left", "right"):
        read = backbone._sequence(tuned, rows, owners, side)
        with torch.no_grad():
            hidden = backbone.module.base_model(**backbone._read(read.embeds, read.mask)).last_hidden_state
        states.append(hidden[read.mask.bool()])  # row by row, in the order of tokens
    torch.testing.assert_close(*states, rtol=1e-4, atol=1e-5)


def test_scores_are_log_probabilities_of_whole_answers(backbone, plain, classes, prompt):
    """Each answer in a pass of its own; one is the beginning of another."""
    part, model = prompt(backbone, 2, 4), plain(backbone)
    answers = ("good", "good soup", "b", "the red train is")
    rows = backbone.prepare(classes(answers=answers), max_length=30)
    got = backbone.scores(Tuned(part), rows, OWNERS)
    for i, row in enumerate(rows):
        for c, answer in enumerate(answers):
            tokens = (*backbone.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"], 2)
            logits = logits_by_hand(model, part.tokens[OWNERS[i]], row.ids + tokens)[4 + len(row.ids) - 1 : -1]
            expected = sum(float(step.log_softmax(0)[token]) for step, token in zip(logits, tokens, strict=True))
            assert got[i, c].item() == pytest.approx(expected, rel=1e-4)


def test_scores_do_not_depend_on_how_many_are_taken_at_a_time(backbone, classes, prompt, monkeypatch):
    rows = backbone.prepare(classes(answers=("good soup", "bad", "very red train")), max_length=30)
    tuned = Tuned(prompt(backbone, 2, 4))
    together = backbone.scores(tuned, rows, OWNERS)
    monkeypatch.setattr("taskspace.tuning.backbones._answers._CELLS", 1)
    torch.testing.assert_close(backbone.scores(tuned, rows, OWNERS), together, rtol=1e-5, atol=1e-5)


def test_writing_is_what_a_full_pass_per_token_writes(backbone, plain, targets, prompt):
    """No keys and values are kept in the slow one; 16 tokens are more than Gemma's window."""
    part, model = prompt(backbone, 2, 4, seed=3), plain(backbone)
    rows = backbone.prepare(targets(), max_length=30)
    expected = []
    for i, row in enumerate(rows):
        tokens = list(row.ids)
        while len(tokens) < len(row.ids) + 16:
            token = int(logits_by_hand(model, part.tokens[OWNERS[i]], tokens)[-1].argmax())
            if token == backbone.tokenizer.eos_token_id:
                break
            tokens.append(token)
        expected.append(backbone.tokenizer.decode(tokens[len(row.ids) :], skip_special_tokens=True).strip())
    got = backbone.generate(Tuned(part), rows, OWNERS, max_tokens=16)
    assert got == expected
    assert len(set(got)) > 1


def test_writing_stops_at_any_end_mark(load, targets, prompt, monkeypatch):
    """Also at those that the model has beside the tokenizer's."""
    backbone = load("llama")
    tuned = Tuned(prompt(backbone, 2, 4, seed=3))
    rows = backbone.prepare(targets(), max_length=30)
    free = backbone.generate(tuned, rows, OWNERS, max_tokens=6)
    tokens = backbone.tokenizer(free[0], add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(backbone, "_ends", frozenset({2, tokens[2]}))
    assert backbone.generate(tuned, rows, OWNERS, max_tokens=6)[0] == backbone.tokenizer.decode(
        tokens[: tokens.index(tokens[2])]
    )


def test_tuned_and_written_with_the_same_prompt(backbone, targets, prompt):
    """What the model is given for prompt and text is the same, whatever the padding."""
    rows = backbone.prepare(targets(answers=("good", "bad")), max_length=30)
    tuned = Tuned(prompt(backbone, 2, 3))
    seen = []

    def keep(_module, _inputs, named):
        if named.get("inputs_embeds") is not None:
            embeds, mask = named["inputs_embeds"].detach(), named["attention_mask"].bool()
            positions = named["position_ids"]
            seen.append([(e[m], p[m]) for e, m, p in zip(embeds, mask, positions, strict=True)])

    handle = backbone.module.base_model.register_forward_pre_hook(keep, with_kwargs=True)
    backbone.run(tuned, rows, OWNERS)
    backbone.scores(tuned, rows, OWNERS)
    backbone.generate(tuned, rows, OWNERS, max_tokens=4)
    handle.remove()
    assert len(seen) == 3
    for i, row in enumerate(rows):
        length = 3 + len(row.ids)
        for passing in seen:
            embeds, positions = (x[:length] for x in passing[i])
            assert torch.equal(embeds[:3], tuned.part.tokens[OWNERS[i]])
            assert torch.equal(embeds, seen[0][i][0][:length])
            assert positions.tolist() == list(range(length))


def test_what_is_tuned_does_not_see_the_target(backbone, targets):
    """So that it does the same when the target is not yet known."""
    shapes = []

    class Watching:
        def enter(self, embeds, mask, owners):
            shapes.append((tuple(embeds.shape), mask.sum(dim=1).tolist()))
            return embeds[:, :0], embeds

        inside = BARE.part.inside

    rows = backbone.prepare(targets(), max_length=30)
    for passing in (backbone.run, lambda *given: backbone.generate(*given, max_tokens=2)):
        passing(Tuned(Watching()), rows, OWNERS)
    assert shapes[0] == shapes[1]
    assert shapes[0][1] == [len(row.ids) for row in rows]


def test_what_is_inside_is_there_for_every_token_written(load, targets, shift):
    backbone = load("llama")
    part = shift(backbone, 2, "model.layers.1.self_attn.o_proj")
    rows = backbone.prepare(targets(), max_length=30)
    backbone.generate(Tuned(part), rows, OWNERS, max_tokens=4)
    assert part.opened == [OWNERS] * 4
    alone = [backbone.generate(Tuned(part), [row], [k], max_tokens=4)[0] for row, k in zip(rows, OWNERS, strict=True)]
    assert backbone.generate(Tuned(part), rows, OWNERS, max_tokens=4) == alone
    assert alone != backbone.generate(BARE, rows, [0] * 5, max_tokens=4)


def test_embeddings_are_as_the_model_reads_them(load):
    """Gemma multiplies by the root of its width, a prompt drawn from the vocabulary must be as large."""
    backbone = load("gemma")
    ids = torch.tensor([3, 5])
    torch.testing.assert_close(backbone.embeddings[ids], 4 * backbone.module.get_input_embeddings().weight[ids])
    llama = load("llama")
    assert llama.embeddings is llama.module.get_input_embeddings().weight


def test_whether_a_row_fits_does_not_depend_on_its_companions(load, targets, prompt):
    """One text is long and one target: neither row by itself is longer than 96 positions."""
    backbone = load("gpt2")
    rows = backbone.prepare(targets(["x" * 80, "x"], ["y", "y" * 60]), max_length=90)
    tuned = Tuned(prompt(backbone, 1, 4))
    together = backbone.run(tuned, rows, [0, 0]).losses.detach()
    alone = [float(backbone.run(tuned, [row], [0]).losses.detach()) for row in rows]
    torch.testing.assert_close(together, torch.tensor(alone), rtol=1e-4, atol=1e-4)


def test_more_than_there_are_positions_for_is_not_written(load, targets, one_sentence, monkeypatch):
    backbone = load("gpt2")
    rows = backbone.prepare(targets(["x" * 90], ["y"]), max_length=90)
    monkeypatch.setattr(backbone, "_ends", frozenset())  # so that all seven are written
    said = []
    monkeypatch.setattr(backbone._wording, "text", lambda ids: said.append(ids) or "")
    backbone.generate(BARE, rows, [0], max_tokens=7)
    assert [len(ids) for ids in said] == [7]
    with pytest.raises(SettingError, match="90 of the text and 7 to be written.*96 positions") as caught:
        backbone.generate(BARE, rows, [0], max_tokens=8)
    assert one_sentence(caught.value)


def test_models_without_keys_and_values_are_refused(tmp_path, tiny_decoder, one_sentence):
    config = transformers.MambaConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, state_size=4, intermediate_size=32
    )
    transformers.MambaForCausalLM(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_decoder).save_pretrained(tmp_path)
    with pytest.raises(SurrogateError, match="mamba") as caught:
        load_backbone(tmp_path)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("side", ["left", "right"])
def test_parts_are_joined_without_gaps(side):
    """By hand: two rows of two parts, numbered in the order of their tokens."""
    first = torch.tensor([[1.0, 2.0], [1.0, 0.0]])[:, :, None], torch.tensor([[1, 1], [1, 0]])
    second = torch.tensor([[3.0, 0.0], [2.0, 3.0]])[:, :, None], torch.tensor([[1, 0], [1, 1]])
    embeds, mask = joined([first, second], side, 3)
    assert embeds[:, :, 0].tolist() == [[1, 2, 3], [1, 2, 3]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 1]]
    third = torch.tensor([[4.0], [0.0]])[:, :, None], torch.tensor([[1], [0]])
    embeds, mask = joined([first, second, third], side, 4)
    assert mask.tolist() == [[1, 1, 1, 1], [0, 1, 1, 1] if side == "left" else [1, 1, 1, 0]]
    assert embeds[:, :, 0][mask.bool()].tolist() == [1, 2, 3, 4, 1, 2, 3]
