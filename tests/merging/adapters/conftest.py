"""Real adapters that peft writes, of microscopic models whose factors are all random."""

from __future__ import annotations

import warnings

import pytest

from taskspace.merging.checkpoint import whole


def _bert(seed, kind):
    transformers = pytest.importorskip("transformers")
    import torch

    config = transformers.BertConfig(
        vocab_size=23, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=12,
    )  # fmt: skip
    torch.manual_seed(seed)
    return getattr(transformers, kind)(config)


def _gpt(seed):
    transformers = pytest.importorskip("transformers")
    import torch

    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=23, n_embd=16, n_layer=2, n_head=2, n_positions=12, bos_token_id=0, eos_token_id=0,
        tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def _convolutions(seed):
    import torch
    from torch import nn

    torch.manual_seed(seed)
    return nn.ModuleDict({
        "two": nn.Conv2d(3, 8, (3, 2)), "one": nn.Conv1d(4, 6, 3), "point": nn.Conv2d(8, 5, 1),
        "linear": nn.Linear(4, 7), "three": nn.Conv3d(2, 4, 2), "groups": nn.Conv2d(4, 4, 3, groups=2),
    })  # fmt: skip


MODELS = {
    "bert": lambda seed: _bert(seed, "BertModel"),
    "classifier": lambda seed: _bert(seed, "BertForSequenceClassification"),
    "gpt": _gpt,
    "convolutions": _convolutions,
}


@pytest.fixture(scope="session")
def make_model():
    """``make_model(kind, seed=0)``: a random model, always the same one."""
    pytest.importorskip("torch")

    def make(kind, seed=0):
        import torch

        with torch.random.fork_rng(devices=[]):
            return MODELS[kind](seed).eval()

    return make


@pytest.fixture(scope="session")
def arrays_of():
    """``arrays_of(model)``: its state by name."""
    return lambda model: {name: values.detach().numpy().copy() for name, values in model.state_dict().items()}


@pytest.fixture(scope="session")
def make_adapter(make_model):
    """``make_adapter(folder, kind, seed=0, base_seed=0, **config)``: peft writes one, and merges it into its model."""
    peft = pytest.importorskip("peft")

    def make(folder, kind, *, seed=0, base_seed=0, **config):
        import torch

        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # peft tells of Conv1D, of embeddings, of what it deprecates
            adapted = peft.get_peft_model(make_model(kind, base_seed), peft.LoraConfig(**config))
            torch.manual_seed(seed + 100)
            for name, parameter in adapted.named_parameters():
                if parameter.requires_grad:
                    step = 0.3 * torch.randn_like(parameter)
                    parameter.data = parameter.data + step if "magnitude" in name or "lora_" not in name else step
            adapted.save_pretrained(folder)
            return adapted.merge_and_unload()

    return make


@pytest.fixture(scope="session")
def added():
    """``added(vector, base)``: base + vector by name, as arrays."""

    def add(vector, base):
        result = vector.apply(base)
        return {name: whole(result, name) for name in result.layout}

    return add
