"""Prompts in tokens, against what the tokenizer itself makes of the whole string."""

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import LabelerError
from taskspace.labelers.language_models._query import Query
from taskspace.labelers.language_models._tokens import Row, Wording, opened, require_distinct
from taskspace.labelers.prompts import Example, Prompt
from taskspace.task import Inputs

pytest.importorskip("transformers")
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

CORPUS = [
    "the film was the finest we saw, and a good one", "a bad film is a bad bet", "the answer is good",
    "Review: it was fine\nVerdict: good", "so the best answer is the better one", "not good, not bad, and not fine",
] * 3  # fmt: skip
CHATML = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }} </s>{% else %}{{ raise_exception('no system turn') }}{% endif %}"
    "{% endfor %}"
)
THINKING = (
    "{% for m in messages %}<|{{ m.role }}|>\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n"
    "{% endif %}{{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
MARKS = ["<s>", "</s>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>", "[INST]", "[/INST]"]


def byte_level():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=340, initial_alphabet=alphabet, special_tokens=MARKS, show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    return made


def unsplit():
    """BPE without words: it merges across spaces, also over the border of context and answer."""
    made = Tokenizer(models.BPE(unk_token="<pad>"))
    made.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=MARKS, show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    return made


def metaspace():
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(vocab_size=100, special_tokens=MARKS, unk_token="<pad>", show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    return made


def wrapped(made, *, bos=False, eos=False, chat=None):
    single = f"{'<s> ' if bos else ''}$A{' </s>' if eos else ''}"
    if bos or eos:
        made.post_processor = processors.TemplateProcessing(
            single=single, special_tokens=[(mark, made.token_to_id(mark)) for mark in ("<s>", "</s>")]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = chat
    return tokenizer


VARIANTS = {
    "byte-level": lambda: wrapped(byte_level()),
    "byte-level with BOS": lambda: wrapped(byte_level(), bos=True),
    "byte-level with EOS": lambda: wrapped(byte_level(), eos=True),
    "byte-level with both": lambda: wrapped(byte_level(), bos=True, eos=True),
    "metaspace": lambda: wrapped(metaspace()),
    "metaspace with BOS": lambda: wrapped(metaspace(), bos=True),
    "unsplit": lambda: wrapped(unsplit()),
    "unsplit with both": lambda: wrapped(unsplit(), bos=True, eos=True),
}
_MADE = {}


@pytest.fixture(scope="module", params=VARIANTS)
def tokenizer(request):
    return VARIANTS[request.param]()


def one(name):
    if name not in _MADE:
        _MADE[name] = VARIANTS[name]()
    return copy.copy(_MADE[name])


def chatting(template, *, bos=True):
    return wrapped(byte_level(), bos=bos, chat=template)


def whole(tokenizer, text):
    """What the tokenizer makes of a string, without the end-of-text token that it may append."""
    ids = tokenizer(text)["input_ids"]
    return tuple(ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids)


def asked(wording, prompt, *texts, pairs=None, **options):
    rows = wording.rows(prompt, Inputs.of(texts, pairs))
    options = {"who": "the prompt", "with_end": prompt.with_end} | options
    return [one.query for one in wording.written(rows, prompt.strings, **options)]


PLAIN = Prompt("p", "Review: {text}\nVerdict:", {"good": ("good", "the finest"), "bad": ("bad", "not good")})
EXAMPLES = (Example("it was fine", "good"), Example("a bad bet", "bad"))


def test_context_and_continuation_are_the_tokens_of_the_whole_string(tokenizer):
    wording = Wording(tokenizer, "tiny")
    for text, query in zip(["the film", "", "été\n"], asked(wording, PLAIN, "the film", "", "été\n"), strict=True):
        for answer, ids in zip(PLAIN.strings, query.continuations, strict=True):
            assert query.context + ids == whole(tokenizer, f"Review: {text}\nVerdict: {answer}")
            assert ids


def test_the_context_is_what_all_answers_share_with_it_and_no_shorter(tokenizer):
    context = whole(tokenizer, "Review: the film\nVerdict:")
    (query,) = asked(Wording(tokenizer, "tiny"), PLAIN, "the film")
    assert context[: len(query.context)] == query.context
    beyond = len(query.context) + 1
    joint = [query.context + ids for ids in query.continuations]
    assert len(context) < beyond or any(ids[:beyond] != context[:beyond] for ids in joint)


@given(st.sampled_from(sorted(VARIANTS)), st.text("fine bad.\n", max_size=12), st.sampled_from(["", " ", "\n", " \n"]))
def test_for_any_text_at_the_border(name, text, white):
    tokenizer = one(name)
    (query,) = asked(Wording(tokenizer, "tiny"), replace(PLAIN, template="The film: {text}" + white), text)
    context = f"The film: {text}{white}"
    start = () if query.context != (tokenizer.bos_token_id,) else query.context
    for answer, ids in zip(PLAIN.strings, query.continuations, strict=True):
        gap = "" if context[-1].isspace() else " "
        expected = whole(tokenizer, f"{context}{gap}{answer}")
        assert query.context + ids in (expected, start + expected)


def test_a_merge_over_the_border_moves_the_border():
    tokenizer = one("unsplit")
    prompt = Prompt("p", "the best answer{text}", {"a": ("is",), "b": ("isnt",)})
    context = tokenizer("the best answer")["input_ids"]
    (query,) = asked(Wording(tokenizer, "tiny"), prompt, "")
    assert len(query.context) < len(context), "this tokenizer joins 'answer is' over the space"
    assert query.context + query.continuations[0] == tuple(tokenizer("the best answer is")["input_ids"])


def test_begin_of_text_stands_once_and_end_of_text_not_at_all():
    for name in ("byte-level with both", "unsplit with both"):
        tokenizer = one(name)
        for text in ("the film", "<s>the film"):
            (query,) = asked(Wording(tokenizer, "tiny"), replace(PLAIN, template="{text}"), text)
            assert query.context[0] == tokenizer.bos_token_id
            ids = [i for continuation in query.continuations for i in query.context + continuation]
            assert ids.count(tokenizer.bos_token_id) == len(PLAIN.strings)
            assert tokenizer.eos_token_id not in ids


def test_with_end_the_answer_ends_in_the_end_of_text(tokenizer):
    wording = Wording(tokenizer, "tiny")
    (query,), (ended,) = asked(wording, PLAIN, "the film"), asked(wording, replace(PLAIN, with_end=True), "the film")
    assert ended.context == query.context
    assert ended.continuations == tuple((*ids, tokenizer.eos_token_id) for ids in query.continuations)


def test_an_empty_context_begins_with_what_the_tokenizer_has_to_begin_with():
    (query,) = asked(Wording(one("byte-level"), "tiny"), replace(PLAIN, template="{text}"), "")
    assert query.context == (one("byte-level").bos_token_id,)
    bare = PreTrainedTokenizerFast(tokenizer_object=byte_level())
    with pytest.raises(LabelerError, match="no token to begin with"):
        asked(Wording(bare, "tiny"), replace(PLAIN, template="{text}"), "")
    with pytest.raises(LabelerError, match="no end-of-text token"):
        asked(Wording(bare, "tiny"), replace(PLAIN, with_end=True), "the film")


def test_system_examples_and_question_follow_each_other(tokenizer):
    prompt = replace(PLAIN, system="Be fair.", examples=EXAMPLES, separator="\n--\n")
    (query,) = asked(Wording(tokenizer, "tiny"), prompt, "the film")
    text = (
        "Be fair.\n--\nReview: it was fine\nVerdict: good\n--\nReview: a bad bet\nVerdict: bad\n--\n"
        "Review: the film\nVerdict: not good"
    )
    assert query.context + query.continuations[3] == whole(tokenizer, text)


def test_pairs_fill_both_slots():
    prompt = Prompt("p", "{text_pair} / {text} /", {"a": ("good",), "b": ("bad",)})
    (query,) = asked(Wording(one("byte-level"), "tiny"), prompt, "one", pairs=["two"])
    assert query.context + query.continuations[1] == whole(one("byte-level"), "two / one / bad")


def test_half_a_surrogate_pair_is_read_as_a_question_mark():
    wording = Wording(one("byte-level"), "tiny")
    assert asked(wording, PLAIN, "a \ud800 b") == asked(wording, PLAIN, "a ? b")


def test_an_encoder_decoder_reads_the_context_as_the_tokenizer_ends_it_and_the_answer_alone():
    for name in ("byte-level with EOS", "metaspace with BOS", "byte-level with both"):
        tokenizer = one(name)
        wording = Wording(tokenizer, "tiny", is_encoder_decoder=True)
        (query,) = asked(wording, replace(PLAIN, with_end=True), "the film")
        assert query.context == tuple(tokenizer("Review: the film\nVerdict:")["input_ids"])
        alone = [tokenizer(answer, add_special_tokens=False)["input_ids"] for answer in PLAIN.strings]
        assert query.continuations == tuple((*ids, tokenizer.eos_token_id) for ids in alone)


CHAT = replace(PLAIN, chat=True, system="Be fair.", examples=EXAMPLES)


def test_a_chat_is_tokenised_once_with_all_its_turns():
    tokenizer = chatting(CHATML)
    (query,) = asked(Wording(tokenizer, "tiny"), CHAT, "the film")
    text = (
        "<|system|>\nBe fair.</s>\n<|user|>\nReview: it was fine\nVerdict:</s>\n<|assistant|>\ngood</s>\n"
        "<|user|>\nReview: a bad bet\nVerdict:</s>\n<|assistant|>\nbad</s>\n"
        "<|user|>\nReview: the film\nVerdict:</s>\n<|assistant|>\n"
    )
    for answer, ids in zip(CHAT.strings, query.continuations, strict=True):
        joint = tuple(tokenizer(text + answer, add_special_tokens=False)["input_ids"])
        assert query.context + ids == joint
        assert joint[0] != tokenizer.bos_token_id, "the template writes none"


def test_a_template_that_writes_its_own_begin_of_text_gets_no_second_one():
    tokenizer = chatting(INST)
    (query,) = asked(Wording(tokenizer, "tiny"), replace(CHAT, system="", examples=EXAMPLES[:1]), "the film")
    text = "<s>[INST] Review: it was fine\nVerdict: [/INST] good </s>[INST] Review: the film\nVerdict: [/INST]"
    joint = tokenizer(f"{text} bad", add_special_tokens=False)["input_ids"]
    assert query.context + query.continuations[2] == tuple(joint)
    assert joint.count(tokenizer.bos_token_id) == 1


def test_what_a_template_writes_before_the_models_words_is_written():
    tokenizer = chatting(THINKING, bos=False)
    (query,) = asked(Wording(tokenizer, "tiny"), replace(PLAIN, chat=True), "the film")
    text = "<|user|>\nReview: the film\nVerdict:</s>\n<|assistant|>\n<think>\n\n</think>\n\nbad"
    assert query.context + query.continuations[2] == tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_thoughts_that_a_template_opens_are_closed_where_none_were_asked_for():
    tokenizer = chatting(CHATML.replace("<|assistant|>\n", "<|assistant|>\n<think>\n"), bos=False)
    (query,) = asked(Wording(tokenizer, "tiny"), replace(PLAIN, chat=True), "the film")
    text = "<|user|>\nReview: the film\nVerdict:</s>\n<|assistant|>\n<think>\n\n</think>\n\nbad"
    assert query.context + query.continuations[2] == tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    wording = Wording(tokenizer, "tiny")
    (row,) = wording.rows(replace(PLAIN, chat=True, reasoning="Think."), Inputs.of(["the film"]))
    assert row.ask(99).context.endswith("<|assistant|>\n<think>\n")


def test_thoughts_begin_where_the_template_leaves_off():
    wording = Wording(chatting(THINKING, bos=False), "tiny")
    (row,) = wording.rows(replace(PLAIN, chat=True, reasoning="Think."), Inputs.of(["the film"]))
    opening = row.ask(99)
    assert opening.context == "<|user|>\nReview: the film\nVerdict:\nThink.</s>\n<|assistant|>\n"
    after = opening.then("I liked it.\nSo the answer is")
    assert (after.context, after.lead, after.marked) == (f"{opening.context}I liked it.\nSo the answer is", " ", True)


@pytest.mark.parametrize(
    ("template", "prompt", "says"),
    [(None, replace(PLAIN, chat=True), "no chat template"), (INST, CHAT, "no system turn"), ("{{ x", CHAT, "refuses")],
)
def test_a_chat_that_cannot_be_written_is_one_sentence(template, prompt, says, one_sentence):
    with pytest.raises(LabelerError, match=says) as caught:
        asked(Wording(chatting(template), "tiny"), prompt, "the film")
    assert one_sentence(caught.value)


@pytest.mark.parametrize("encoder", [False, True])
def test_a_long_text_is_cut_as_little_as_need_be(encoder):
    tokenizer = one("byte-level with both")
    text = "#7" * 60  # never seen in training, so that every character is a token
    wording = Wording(tokenizer, "tiny", encoder, limit=60)
    rows = wording.rows(PLAIN, Inputs.of(["fine", text]))
    short, long = wording.written(rows, PLAIN.strings, who="the prompt", spare=3)
    assert (short.cut, long.cut) == (False, True)
    kept = long.opening.context.removeprefix("Review: ").removesuffix("\nVerdict:")
    assert text.startswith(kept)
    assert width(tokenizer, kept, encoder) == 57


def width(tokenizer, text, encoder):
    context = f"Review: {text}\nVerdict:"
    if encoder:
        return len(tokenizer(context)["input_ids"])
    return max(len(whole(tokenizer, f"{context} {answer}")) for answer in PLAIN.strings)


def test_of_a_pair_the_longer_text_is_cut_first():
    wording = Wording(one("byte-level"), "tiny", limit=24)
    prompt = Prompt("p", "{text} / {text_pair} /", {"a": ("good",), "b": ("bad",)})
    rows = wording.rows(prompt, Inputs.of(["the film was fine " * 9], ["a good one"]))
    (written,) = wording.written(rows, prompt.strings, who="the prompt")
    assert written.cut
    assert "/ a good one /" in written.opening.context


def test_what_does_not_fit_without_any_text_is_one_sentence(one_sentence):
    wording = Wording(one("byte-level"), "tiny", limit=5)
    with pytest.raises(LabelerError, match=r"prompt 'p' takes \d+ tokens .* room for 5") as caught:
        asked(wording, PLAIN, "the film", who="prompt 'p'")
    assert one_sentence(caught.value)
    with pytest.raises(LabelerError, match="room for 0; shorten it or allow fewer new tokens"):
        wording.written([Row(lambda _: opened("a request"))], who="the request", spare=9)


def test_answers_that_the_tokenizer_cannot_tell_apart_are_refused(one_sentence):
    made = Tokenizer(models.WordLevel({"<pad>": 0, "text": 1}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    wording = Wording(PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<pad>"), "tiny")
    prompt = Prompt("p", "text {text}", {"a": ("good", "text"), "b": ("bad",)})
    (query,) = asked(wording, prompt, "text")
    with pytest.raises(LabelerError, match="tiny reads the answers 'good' and 'bad' as the same") as caught:
        require_distinct(prompt, query.continuations, "tiny")
    assert one_sentence(caught.value)
    twins = replace(prompt, answers={"a": ("good", "fair"), "b": ("text",)})
    assert require_distinct(twins, ((0,), (0,), (1,)), "tiny") is None, "of one label they may be the same"


def test_no_rows_are_no_queries():
    assert asked(Wording(one("byte-level"), "tiny"), PLAIN) == []


@pytest.mark.parametrize("name", ["byte-level with BOS", "metaspace with BOS"])
def test_what_was_written_is_read_back_with_the_space_before_it(name):
    tokenizer = one(name)
    wording = Wording(tokenizer, "tiny")
    context = whole(tokenizer, "the best answer")
    new = whole(tokenizer, "the best answer is good")[len(context) :]
    assert wording.said(context, new) == " is good"
    assert wording.said(context, (*new, tokenizer.eos_token_id)) == " is good"


def test_a_query_is_plain_numbers():
    (query,) = asked(Wording(one("byte-level"), "tiny"), PLAIN, "the film")
    assert query == Query(query.context, query.continuations)
    assert all(type(i) is int for i in query.context)
