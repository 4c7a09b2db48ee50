"""A microscopic T5 and a microscopic masked language model that know the words of the small tasks."""

from __future__ import annotations

import json

import pytest

LABELS = (
    "positive negative neutral entailment contradiction not_entailment duplicate not_duplicate yes no same other"
    " sky table paint sentence premise hypothesis question text label what of question1 question2 sentence1 sentence2"
    " sentence not unacceptable acceptable mood topic trip echo degree"
)
MARKS = [*"0123456789.,:;?!'-_"]


@pytest.fixture(scope="session")
def words(tiny_encoder):
    """Every word, digit and mark that the models here know, special tokens left out."""
    known = json.loads((tiny_encoder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return list(dict.fromkeys([*(word for word in known if not word.startswith("[")), *LABELS.split(), *MARKS]))


@pytest.fixture(scope="session")
def save_t5(words):
    """``save_t5(folder, seed=0, **config)``: a random T5, 2 + 2 layers, 16 wide, and its words."""

    def save(folder, *, seed=0, **config):
        transformers = pytest.importorskip("transformers")
        tokenizers = pytest.importorskip("tokenizers")
        vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *words])}
        cut = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
        cut.normalizer = tokenizers.normalizers.Lowercase()
        split = tokenizers.pre_tokenizers
        cut.pre_tokenizer = split.Sequence([split.Whitespace(), split.Digits(individual_digits=True)])
        cut.post_processor = tokenizers.processors.TemplateProcessing(
            single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
        )
        sizes = {
            "vocab_size": len(vocabulary), "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2,
            "relative_attention_num_buckets": 8, "relative_attention_max_distance": 32, "pad_token_id": 0,
            "eos_token_id": 1, "decoder_start_token_id": 0, "dropout_rate": 0.1,
        }  # fmt: skip
        module = _seeded(seed, transformers.T5ForConditionalGeneration, transformers.T5Config(**(sizes | config)))
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=cut, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
        )
        return _saved(folder, module, tokenizer)

    return save


@pytest.fixture(scope="session")
def save_mlm(words):
    """``save_mlm(folder, seed=0, **config)``: a random BertForMaskedLM, 2 layers, 16 wide, and its words."""

    def save(folder, *, seed=0, **config):
        transformers = pytest.importorskip("transformers")
        vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
        sizes = {
            "vocab_size": len(vocabulary), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32, "max_position_embeddings": 128, "initializer_range": 0.2,
        }  # fmt: skip
        module = _seeded(seed, transformers.BertForMaskedLM, transformers.BertConfig(**(sizes | config)))
        return _saved(folder, module, transformers.BertTokenizerFast(vocab=vocabulary))

    return save


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory, save_t5):
    """The folder of a microscopic T5; not to be written to."""
    return save_t5(tmp_path_factory.mktemp("models") / "t5")


@pytest.fixture(scope="session")
def tiny_mlm(tmp_path_factory, save_mlm):
    """The folder of a microscopic BERT that fills in masked words; not to be written to."""
    return save_mlm(tmp_path_factory.mktemp("models") / "mlm")


def _seeded(seed, kind, config):
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config)


def _saved(folder, module, tokenizer):
    from transformers.utils import logging

    logging.disable_progress_bar()
    module.save_pretrained(folder)
    logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder
