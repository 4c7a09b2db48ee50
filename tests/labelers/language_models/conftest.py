"""Microscopic language models of many kinds, a slow reference, and their folders on disk."""

from __future__ import annotations

from functools import cache

import pytest

VOCABULARY = 48
ENDS, PADS, BEGINS = 1, 0, 2


def _config(kind, **more):
    transformers = pytest.importorskip("transformers")
    special = {"vocab_size": VOCABULARY, "pad_token_id": PADS, "bos_token_id": BEGINS, "eos_token_id": ENDS}
    gpt = special | {"n_layer": 2, "n_head": 2, "initializer_range": 0.3}
    usual = special | {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 64, "initializer_range": 0.3,
    }  # fmt: skip
    t5 = special | {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "initializer_factor": 1.5}
    bart = special | {
        "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64,
        "init_std": 0.3, "decoder_start_token_id": BEGINS, "forced_eos_token_id": None,
    }  # fmt: skip
    made = {
        "gpt2": lambda: transformers.GPT2Config(**(gpt | {"n_embd": 16, "n_positions": 64} | more)),
        "llama": lambda: transformers.LlamaConfig(**(usual | more)),
        "mistral": lambda: transformers.MistralConfig(**(usual | {"sliding_window": 5} | more)),
        "gemma2": lambda: transformers.Gemma2Config(
            **(usual | {"head_dim": 8, "sliding_window": 60, "final_logit_softcapping": 4.0} | more)
        ),
        "bloom": lambda: transformers.BloomConfig(**(gpt | {"hidden_size": 16} | more)),
        "mamba": lambda: transformers.MambaConfig(
            **(special | {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4, "initializer_range": 0.3} | more)
        ),
        "t5": lambda: transformers.T5Config(**(t5 | {"decoder_start_token_id": PADS} | more)),
        "bart": lambda: transformers.BartConfig(**(bart | more)),
    }
    return made[kind]()


def _build(kind, *, seed=0, **more):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = _config(kind, **more)
    loader = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return loader.from_config(config).eval()


def _words():
    return ["<pad>", "</s>", "<s>", "<unk>", *(f"w{number}" for number in range(4, VOCABULARY))]


def _save(folder, kind, *, seed=0, tokenizer=True, **more):
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    bars = transformers.utils.logging
    bars.disable_progress_bar()
    _build(kind, seed=seed, **more).save_pretrained(folder)
    bars.enable_progress_bar()
    if tokenizer:
        words = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({word: number for number, word in enumerate(_words())}, unk_token="<unk>")
        )
        words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
        special = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
        transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def save_language_model():
    """``save_language_model(folder, kind, seed=0, tokenizer=True, **config)``: random weights, words w4 to w47."""
    return _save


@pytest.fixture(scope="session")
def language_model(tmp_path_factory):
    """``language_model(kind, **config)``: the same, loaded, one for all tests; not to be changed."""
    from taskspace.labelers.language_models._loading import load

    @cache
    def make(kind, **more):
        return load(_save(tmp_path_factory.mktemp("language-models") / kind, kind, **more), device="cpu")

    return make


def _one_by_one(module, context, answer):
    """(log-probability of the answer, of the context): one forward pass, neither padding nor cache nor batch."""
    import torch

    said, start = [*context, *answer], len(context)
    with torch.no_grad():
        if module.config.is_encoder_decoder:
            said, start = [module.config.decoder_start_token_id, *answer], 1
            ids = torch.tensor([said[:-1]])
            logits = module(input_ids=torch.tensor([context]), decoder_input_ids=ids, use_cache=False).logits
        else:
            logits = module(torch.tensor([said[:-1]]), use_cache=False).logits
    log_p = torch.log_softmax(logits[0].double(), dim=-1)
    each = [log_p[place, token].item() for place, token in enumerate(said[1:])]
    return sum(each[start - 1 :]), None if module.config.is_encoder_decoder else sum(each[: start - 1])


@pytest.fixture(scope="session")
def one_by_one():
    """``one_by_one(module, context, answer)``: the slow reference, which remembers what it was asked."""
    known = {}

    def ask(module, context, answer):
        key = (id(module), tuple(context), tuple(answer))
        if key not in known:
            known[key] = (_one_by_one(module, context, answer), module)  # the module is kept, so its id stays its own
        return known[key][0]

    return ask
