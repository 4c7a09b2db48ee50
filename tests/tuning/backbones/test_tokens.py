from __future__ import annotations

import pytest

from taskspace.tuning.backbones import load_backbone

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("family", ["bert", "t5", "bart", "roberta"])
def test_texts_are_cut_as_the_tokenizer_cuts_them(load, family, classes):
    """Of a pair the longer one."""
    backbone = load(family)
    texts, pairs = ["rain " * 9 + "snow", "we saw"], ["red bread", None]
    examples = classes(texts, ("good", "bad"), pairs=pairs)
    mark = int(backbone.kind == "encoder")
    rows = backbone.prepare(examples, max_length=11)
    for row, text, pair in zip(rows, texts, pairs, strict=True):
        given = (text,) if pair is None else (text, pair)
        ids = backbone.tokenizer(*given, truncation=True, max_length=11 - mark)["input_ids"]
        assert [token for token in row.ids if not mark or token != backbone.tokenizer.mask_token_id] == ids
        assert len(row.ids) == len(ids) + mark


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_tokenizers_own_sides_do_not_matter(copied, load, classes, side):
    from transformers import AutoTokenizer

    folder = copied("t5")
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side=side, truncation_side=side)
    tokenizer.save_pretrained(folder)
    examples = classes(["rain snow sun wind fog soup bread cheese apple rice", "snow"])
    rows, same = (backbone.prepare(examples, max_length=9) for backbone in (load_backbone(folder), load("t5")))
    assert [row.ids for row in rows] == [row.ids for row in same]


def test_a_decoders_pair_stands_on_two_lines(load, classes):
    backbone = load("llama")
    (row,) = backbone.prepare(classes(["snow"], ("good", "bad"), pairs=["rain "]), max_length=30)
    assert backbone.tokenizer.decode(row.ids) == "snow\nrain"


@pytest.mark.parametrize("family", ["bert", "t5", "llama"])
@pytest.mark.parametrize("text", ["half \ud83d of a pair", "\x00", "", "snow " * 300_000])
def test_hard_texts_are_read(load, family, classes, text):
    (row,) = load(family).prepare(classes([text], ("good", "bad")), max_length=12)
    assert 0 < len(row.ids) <= 12


def test_a_begin_mark_is_written_once_and_no_end_mark_behind_a_text(copied, classes):
    """Tokenizers of decoders may write both."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    folder = copied("llama")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    marks = [("<s>", 1), ("</s>", 2)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing("<s> $A </s>", "<s> $A </s> $B", marks)
    tokenizer.save_pretrained(folder)
    backbone = load_backbone(folder)
    (row,) = backbone.prepare(classes(["snow"], ("good", "bad")), max_length=12)
    assert backbone.tokenizer.decode(row.ids + row.target) == "<s>snow good</s>"


def test_rows_keep_what_was_asked(load, classes):
    examples = classes(answers=("good", "very bad", "fine"))
    rows = load("t5").prepare(examples, max_length=20)
    assert all(row.words == examples.answers and row.kind == "classes" for row in rows)
    assert [row.values.tolist() for row in rows] == examples.values.tolist()
    assert rows[0].answers is rows[4].answers
