"""Readings of a whole model, against one forward pass per string without batches, caches or cleverness."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import LabelerError, SettingError, TaskspaceWarning
from taskspace.labelers.language_models import LocalModel, load_language_model
from taskspace.labelers.prompts import Example, Prompt, PromptModel, class_scores, from_prompt
from taskspace.labelers.store import AnswerStore
from taskspace.task import Inputs

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers  # noqa: E402

# Random weights say an answer by chance, which is told.
pytestmark = pytest.mark.filterwarnings("ignore:under prompt:taskspace.errors.TaskspaceWarning")

CHAT = (
    "<s>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
MARKS = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
ROWS = ["the film was good", "bad", "", "a bad film is a bad bet, we said {text}", "fine fine fine", "so it was\n"]


def save_tokenizer(folder, edges):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=MARKS, show_progress=False
    )
    made.train_from_iterator(
        [*ROWS, "Review: the answer is not good\nVerdict: bad", "So the answer is fine"] * 3, trainer
    )
    made.post_processor = processors.TemplateProcessing(single=edges, special_tokens=[("<s>", 1), ("</s>", 2)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=CHAT
    ).save_pretrained(folder)


def save(folder, module):
    bars = transformers.utils.logging
    bars.disable_progress_bar()
    module.save_pretrained(folder)
    bars.enable_progress_bar()
    return folder


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoder")
    config = transformers.GPT2Config(
        vocab_size=340, n_embd=32, n_layer=2, n_head=2, n_positions=128, initializer_range=0.3,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save(folder, transformers.GPT2LMHeadModel(config))
    save_tokenizer(folder, "<s> $A")
    return folder


@pytest.fixture(scope="module")
def encoder_decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t5")
    config = transformers.T5Config(
        vocab_size=340, d_model=32, d_kv=8, d_ff=32, num_layers=2, num_heads=2, initializer_factor=3.0,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save(folder, transformers.T5ForConditionalGeneration(config))
    save_tokenizer(folder, "$A </s>")
    return folder


class Slow:
    """The reference: one string at a time."""

    def __init__(self, folder, start=(0,)):
        self.start = list(start)  # of an encoder-decoder's answers
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        kind = transformers.AutoConfig.from_pretrained(folder).is_encoder_decoder
        loader = transformers.AutoModelForSeq2SeqLM if kind else transformers.AutoModelForCausalLM
        bars = transformers.utils.logging
        bars.disable_progress_bar()
        self.module = loader.from_pretrained(folder).eval()
        bars.enable_progress_bar()

    def ids(self, text, *, marked=False):
        return self.tokenizer(text, add_special_tokens=not marked)["input_ids"]

    def log_prob(self, ids):
        """Of all tokens but the first."""
        with torch.inference_mode():
            logs = self.module(torch.tensor([ids])).logits[0].log_softmax(-1)
        return sum(float(logs[place, token]) for place, token in enumerate(ids[1:]))

    def after(self, context, text, *, marked=False, end=False):
        """log P of the full string minus log P of the context, and how many tokens that is about."""
        short, full = self.ids(context, marked=marked), self.ids(text, marked=marked) + [2] * end
        assert full[: len(short)] == short, "choose a context that ends where a token ends"
        return self.log_prob(full) - self.log_prob(short), len(full) - len(short)

    def answered(self, context, answer, *, end=False):
        """The same of an encoder-decoder."""
        labels = self.ids(answer, marked=True) + [2] * end
        with torch.inference_mode():
            inputs = torch.tensor([self.ids(context)])
            decoded = torch.tensor([[*self.start, *labels[:-1]]])
            logs = self.module(inputs, decoder_input_ids=decoded).logits[0, len(self.start) - 1 :].log_softmax(-1)
        return sum(float(logs[place, token]) for place, token in enumerate(labels)), len(labels)

    def continued(self, context, count, *, marked=False):
        """The likeliest next token, again and again."""
        ids = self.ids(context, marked=marked)
        encoder, start = (ids, self.start) if self.module.config.is_encoder_decoder else (None, ids)
        new = []
        with torch.inference_mode():
            while len(new) < count:
                tokens = torch.tensor([start + new])
                given = {"input_ids": tokens} if encoder is None else {
                    "input_ids": torch.tensor([encoder]), "decoder_input_ids": tokens,
                }  # fmt: skip
                token = int(self.module(**given).logits[0, -1].argmax())
                if token == 2:
                    break
                new.append(token)
        if encoder is not None:
            return self.tokenizer.decode(new, skip_special_tokens=True)
        before = self.tokenizer.decode(ids, skip_special_tokens=True)
        return self.tokenizer.decode(ids + new, skip_special_tokens=True)[len(before) :]


@pytest.fixture(scope="module")
def slow(decoder):
    return Slow(decoder)


@pytest.fixture(scope="module")
def slow_t5(encoder_decoder):
    return Slow(encoder_decoder)


def local(folder, **options):
    return load_language_model(folder, device="cpu", **({"batch_tokens": 200} | options))


@pytest.fixture(scope="module")
def model(decoder):
    return local(decoder)


@pytest.fixture(scope="module")
def t5(encoder_decoder):
    return local(encoder_decoder)


PLAIN = Prompt(
    "p", "Review: {text}\nVerdict:", {"good": ("good", "fine"), "bad": ("bad", "not good", "good for nothing")}
)
EXAMPLES = (Example("a good bet", "good"), Example("not fine", "bad"))


def read(model, prompt, texts=ROWS):
    inputs = Inputs.of(texts)
    found = {}
    for batch in model.readings(prompt, inputs):
        assert not found.keys() & batch.keys(), "each row once"
        found |= batch
    return [found[row] for row in range(len(texts))]


def check(reading, expected):
    assert np.allclose(reading.log_probs, [log_prob for log_prob, _ in expected], atol=1e-4, rtol=0)
    assert reading.tokens == tuple(length for _, length in expected)


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("prefix_cache", [True, False])
@pytest.mark.parametrize("end", [False, True])
def test_plain_prompts(model, slow, padding, prefix_cache, end):
    fast = replace(model, padding=padding, prefix_cache=prefix_cache)
    for text, reading in zip(ROWS, read(fast, replace(PLAIN, with_end=end)), strict=True):
        context = f"Review: {text}\nVerdict:"
        check(reading, [slow.after(context, f"{context} {answer}", end=end) for answer in PLAIN.strings])
        ids = slow.ids(context)
        assert reading.prompt_tokens == len(ids) - 1
        assert reading.prompt_log_prob == pytest.approx(slow.log_prob(ids), abs=1e-4)
        assert reading.words == ""
        assert reading.said is None


def test_white_space_at_the_end_of_a_template_belongs_to_the_answer(model, slow):
    for text, reading in zip(ROWS, read(model, replace(PLAIN, template="{text} is\n")), strict=True):
        check(reading, [slow.after(f"{text} is", f"{text} is\n{answer}") for answer in PLAIN.strings])


def test_examples_and_system_text(model, slow):
    prompt = replace(PLAIN, system="Be fair.", examples=EXAMPLES)
    before = "Be fair.\n\nReview: a good bet\nVerdict: good\n\nReview: not fine\nVerdict: bad\n\n"
    for text, reading in zip(ROWS, read(model, prompt), strict=True):
        context = f"{before}Review: {text}\nVerdict:"
        check(reading, [slow.after(context, f"{context} {answer}") for answer in PLAIN.strings])


def test_chat(model, slow):
    prompt = replace(PLAIN, chat=True, system="Be fair.", examples=EXAMPLES[:1])
    before = "<s><|system|>\nBe fair.</s>\n<|user|>\nReview: a good bet\nVerdict:</s>\n<|assistant|>\ngood</s>\n"
    filled = "Be fair.\n\nReview: a good bet\nVerdict: good\n\n"
    for text, reading in zip(ROWS, read(model, prompt), strict=True):
        context = f"{before}<|user|>\nReview: {text}\nVerdict:</s>\n<|assistant|>\n"
        check(reading, [slow.after(context, context + answer, marked=True) for answer in PLAIN.strings])
        ids = slow.ids(f"{filled}Review: {text}\nVerdict:")
        assert reading.prompt_log_prob == pytest.approx(slow.log_prob(ids), abs=1e-4), "of the text without markup"


@pytest.mark.parametrize("chat", [False, True])
def test_reasoning(model, slow, chat):
    prompt = replace(PLAIN, chat=chat, reasoning="Think first.", reasoning_tokens=6, conclusion="So the answer is")
    lengths = set()
    for text, reading in zip(ROWS, read(model, prompt), strict=True):
        asked = f"Review: {text}\nVerdict:\nThink first."
        context = f"<s><|user|>\n{asked}</s>\n<|assistant|>\n" if chat else asked
        thoughts = slow.continued(context, 6, marked=chat)
        context = f"{context}{thoughts.rstrip()}\nSo the answer is"
        check(reading, [slow.after(context, f"{context} {answer}", marked=chat) for answer in PLAIN.strings])
        assert reading.words == thoughts.strip()
        ids = slow.ids(f"Review: {text}\nVerdict:")
        assert reading.prompt_log_prob == pytest.approx(slow.log_prob(ids), abs=1e-4), "without the thoughts"
        lengths.add(len(reading.words))
    assert max(lengths) > 0, "the model thinks of something"


@pytest.mark.parametrize("end", [False, True])
def test_an_encoder_decoder(t5, slow_t5, end):
    prompt = replace(PLAIN, examples=EXAMPLES[:1], with_end=end)
    for text, reading in zip(ROWS, read(t5, prompt), strict=True):
        context = f"Review: a good bet\nVerdict: good\n\nReview: {text}\nVerdict:"
        check(reading, [slow_t5.answered(context, answer, end=end) for answer in PLAIN.strings])
        assert reading.prompt_log_prob is None


def test_an_encoder_decoder_that_thinks_reads_its_thoughts_again(t5, slow_t5):
    prompt = replace(PLAIN, reasoning="Think.", reasoning_tokens=4)
    for text, reading in zip(ROWS, read(t5, prompt), strict=True):
        asked = f"Review: {text}\nVerdict:\nThink."
        thoughts = slow_t5.continued(asked, 4)
        context = f"{asked}\n{thoughts.rstrip()}\nSo the answer is"
        check(reading, [slow_t5.answered(context, answer) for answer in PLAIN.strings])


def test_an_encoder_decoder_whose_texts_open_with_a_mark(tmp_path):
    """BART is trained to write ``</s> <s> text``: its answers are scored, and its thoughts written, after both."""
    config = transformers.BartConfig(
        vocab_size=340, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, init_std=0.3,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=128,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        folder = save(tmp_path, transformers.BartForConditionalGeneration(config))
    save_tokenizer(folder, "<s> $A </s>")
    bart, slow = local(folder), Slow(folder, start=(2, 1))
    for text, reading in zip(ROWS, read(bart, PLAIN), strict=True):
        check(reading, [slow.answered(f"Review: {text}\nVerdict:", answer) for answer in PLAIN.strings])
    assert bart.write("the film was", max_tokens=4) == slow.continued("the film was", 4).strip()


def test_probabilities_of_all_answers_that_could_be_given_add_up_to_one(model):
    """A property of exact scores: over single tokens that follow the same context, the masses sum to 1."""
    vocabulary = model.loaded.tokenizer.get_vocab()
    words = {word: i for word, i in vocabulary.items() if word.startswith("Ġ") and word[1:].isascii() and len(word) > 1}
    prompt = replace(PLAIN, answers={word: (word[1:],) for word in words})
    (reading,) = read(model, prompt, ["the film"])
    slow_logs = model.loaded.module(torch.tensor([model.loaded.tokenizer("Review: the film\nVerdict:")["input_ids"]]))
    mass = slow_logs.logits[0, -1].softmax(-1)[list(words.values())].sum()
    assert class_scores([reading], prompt).coverage[0] == pytest.approx(float(mass), abs=1e-5)


@pytest.mark.parametrize("rules", [{}, {"words": "max"}, {"length": "token"}])
def test_an_answer_string_that_is_given_twice_counts_once(model, t5, rules):
    """Added up twice it would be likelier than it is."""
    once = replace(PLAIN, answers={"good": ("fine",), "bad": ("bad",)}, **rules)
    twice = replace(once, answers={"good": ("fine", "fine", " fine "), "bad": ("bad",)})
    for one in (model, t5):
        expected = class_scores(read(one, once), once).probs
        np.testing.assert_allclose(class_scores(read(one, twice), twice).probs, expected, atol=1e-5)


def test_batches_are_bounded_and_their_size_changes_nothing(model, decoder):
    texts = [f"{row} {number}" for number, row in enumerate(ROWS * 5)]
    small = [len(batch) for batch in local(decoder, batch_tokens=100).readings(PLAIN, Inputs.of(texts))]
    assert sum(small) == len(texts)
    assert max(small) * len(model.loaded.tokenizer("Review: \nVerdict: bad")["input_ids"]) <= 100
    one, other = (
        read(local(decoder, batch_tokens=1), PLAIN, texts),
        read(local(decoder, batch_tokens=5000), PLAIN, texts),
    )
    for a, b in zip(one, other, strict=True):
        assert np.allclose(a.log_probs, b.log_probs, atol=1e-4, rtol=0)


def test_perplexity_can_be_left_out_and_that_is_another_model(model):
    for prompt in (PLAIN, replace(PLAIN, chat=True)):
        for reading, same in zip(read(replace(model, perplexity=False), prompt), read(model, prompt), strict=True):
            assert reading.prompt_log_prob is None
            assert same.prompt_log_prob is not None
            assert np.allclose(reading.log_probs, same.log_probs, atol=1e-4, rtol=0)
    assert replace(model, perplexity=False).fingerprint != model.fingerprint


def test_a_model_is_told_by_its_files_and_what_changes_its_answers(model, decoder, encoder_decoder):
    assert local(decoder).fingerprint == model.fingerprint
    assert replace(model, batch_tokens=7, padding="left", prefix_cache=False).fingerprint == model.fingerprint
    assert replace(model, max_length=50).fingerprint != model.fingerprint
    assert local(encoder_decoder).fingerprint != model.fingerprint
    assert isinstance(model, PromptModel)
    assert model.provenance == {"model": str(decoder), "revision": "local", "dtype": "float32"}
    assert replace(model, max_length=50).provenance["max_length"] == 50
    assert repr(model) == f"LocalModel('{decoder}')"


def test_long_texts_are_cut_with_one_warning(model, slow):
    texts = ["fine", "the film was good " * 60, "a bad bet " * 80]
    with pytest.warns(TaskspaceWarning, match=r"2 of 3 texts do not fit .* the limit is 128 tokens") as told:
        readings = read(model, PLAIN, texts)
    assert len(told) == 1
    assert readings[0].log_probs == pytest.approx(read(model, PLAIN, ["fine"])[0].log_probs, abs=1e-4)
    kept = max(k for k in range(len(texts[1])) if texts[1][:k].endswith(" good") and fits(slow, texts[1][:k], 128))
    best = max(reading.prompt_tokens for reading in readings[1:])
    assert len(slow.ids(f"Review: {texts[1][:kept]}\nVerdict:")) - 1 <= best + 4, "nothing is cut without need"
    with pytest.warns(TaskspaceWarning, match="the limit is 40 tokens"):
        assert read(replace(model, max_length=40), PLAIN, texts)[1].prompt_tokens < 40


def fits(slow, text, limit):
    return max(len(slow.ids(f"Review: {text}\nVerdict: {answer}")) for answer in PLAIN.strings) <= limit


def test_with_reasoning_there_is_room_left_to_think(model):
    prompt = replace(PLAIN, reasoning="Think.", reasoning_tokens=40)
    with pytest.warns(TaskspaceWarning, match="1 of 2 texts"):
        readings = read(model, prompt, ["the film was good " * 60, "bad"])
    assert all(len(reading.log_probs) == 5 for reading in readings)
    with pytest.raises(LabelerError, match="fewer new tokens"):
        read(model, replace(prompt, reasoning_tokens=200))


def test_a_limit_of_the_tokenizer_holds_where_the_model_has_none(encoder_decoder):
    model = local(encoder_decoder)
    assert model.wording.limit is None
    model = local(encoder_decoder)
    model.loaded.tokenizer.model_max_length = 30
    assert model.wording.limit == 30
    assert replace(model, max_length=20).wording.limit == 20
    with pytest.warns(TaskspaceWarning, match="1 of 1 texts"):
        read(model, PLAIN, ["the film was good " * 20])


def test_a_model_that_computes_nonsense_is_refused(decoder, one_sentence):
    model = local(decoder)
    model.loaded.module.transformer.ln_f.bias.fill_(float("nan"))
    with pytest.raises(LabelerError, match="dtype float32") as caught:
        read(model, PLAIN)
    assert one_sentence(caught.value)


def test_settings_without_room_are_refused(model, one_sentence):
    for wrong in ({"batch_tokens": 0}, {"max_length": 0}):
        with pytest.raises(SettingError) as caught:
            replace(model, **wrong)
        assert one_sentence(caught.value)


@pytest.mark.parametrize("chat", [False, True])
def test_writing(model, slow, chat):
    context = "<s><|user|>\nthe film was</s>\n<|assistant|>\n" if chat else "the film was"
    assert model.write("the film was", max_tokens=5, chat=chat) == slow.continued(context, 5, marked=chat).strip()


def test_writing_refuses_what_does_not_fit(model, one_sentence):
    with pytest.raises(LabelerError, match="the request takes") as caught:
        model.write("the film was good " * 40, max_tokens=5)
    assert one_sentence(caught.value)


class Counting:
    """A model between, that counts what it is asked for and may be stopped."""

    def __init__(self, model, stop_after=None):
        self.model, self.stop_after, self.asked = model, stop_after, 0

    name = property(lambda self: self.model.name)
    fingerprint = property(lambda self: self.model.fingerprint)
    provenance = property(lambda self: self.model.provenance)

    def write(self, request, *, max_tokens, chat=False):
        return self.model.write(request, max_tokens=max_tokens, chat=chat)

    def readings(self, prompt, inputs):
        for number, batch in enumerate(self.model.readings(prompt, inputs)):
            if number == self.stop_after:
                raise KeyboardInterrupt
            self.asked += len(batch)
            yield batch


@pytest.fixture
def store(tmp_path):
    return AnswerStore(tmp_path / "answers.db")


TEXTS = Inputs.of([f"{row} {number}" for number, row in enumerate(ROWS * 4)])


def test_a_second_run_asks_for_nothing(model, store):
    first, second = Counting(model), Counting(model)
    answers = from_prompt(PLAIN, first, store=store).answer(TEXTS)
    assert first.asked == len(TEXTS)
    again = from_prompt(PLAIN, second, store=store).answer(TEXTS)
    assert second.asked == 0
    assert np.array_equal(again.values, answers.values)
    assert np.allclose(answers.values.sum(axis=1), 1)


def test_a_change_of_the_score_rules_asks_for_nothing_and_changes_the_answers(model, store):
    plain = from_prompt(PLAIN, model, store=store)
    other = Counting(model)
    ruled = from_prompt(replace(PLAIN, words="max", length="token", name="q", note="n"), other, store=store)
    assert not np.allclose(plain.answer(TEXTS).values, ruled.answer(TEXTS).values)
    assert other.asked == 0
    assert plain.fingerprint != ruled.fingerprint


@pytest.mark.parametrize("prompt", [PLAIN, replace(PLAIN, chat=True)], ids=["plain", "chat"])
def test_a_killed_run_keeps_its_batches(model, store, prompt):
    killed, rest = Counting(model, stop_after=2), Counting(model)
    with pytest.raises(KeyboardInterrupt):
        from_prompt(prompt, killed, store=store).answer(TEXTS)
    assert 0 < killed.asked < len(TEXTS)
    assert len(store) == killed.asked
    resumed = from_prompt(prompt, rest, store=store).answer(TEXTS)
    assert rest.asked == len(TEXTS) - killed.asked
    whole = from_prompt(prompt, model, store=AnswerStore(None)).answer(TEXTS)
    assert np.allclose(resumed.values, whole.values, atol=1e-5)


def test_a_larger_pool_asks_for_what_is_new(model, store):
    from_prompt(PLAIN, model, store=store).answer(TEXTS.take(range(10)))
    counted = Counting(model)
    from_prompt(PLAIN, counted, store=store).answer(TEXTS)
    assert counted.asked == len(TEXTS) - 10


def test_a_model_that_thinks_is_read_in_small_windows(model, monkeypatch):
    from taskspace.labelers.language_models import _local

    monkeypatch.setattr(_local, "_SMALL_WINDOW", 3)
    prompt = replace(PLAIN, reasoning="Think.", reasoning_tokens=2)
    first = list(itertools.islice(model.readings(prompt, TEXTS), 1))
    assert 0 < sum(map(len, first)) <= 3
    assert [len(one.log_probs) for one in read(model, prompt)] == [5] * len(ROWS)


def test_importing_the_room_pulls_in_no_torch(elsewhere):
    script = (
        "import sys, taskspace.labelers.language_models as room\n"
        "room.load_language_model\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert elsewhere(script) == "[]"
    assert LocalModel.__module__.endswith("_local")
