"""Microscopic models of every kind, a stand-in for the backbone around them, and a part of every kind on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

WIDTH, VOCABULARY = 16, 60
MODELS = ("bert", "roberta", "t5", "gpt2", "llama")
KINDS = {"bert": "encoder", "roberta": "encoder", "t5": "encoder-decoder", "gpt2": "decoder", "llama": "decoder"}
# A T5 and a Llama have no biases.
PAIRS = [
    (model, part)
    for model in MODELS
    for part in ("prompt", "prefix", "projection", "lora", "bitfit", "decomposed", "factored", "mixture")
    if part != "bitfit" or model not in ("t5", "llama")
]


@dataclass(frozen=True, eq=False)
class StandIn:
    """What a part may know of a backbone, and one plain pass of the model behind it."""

    model: str
    module: Any
    width: int = WIDTH
    device: str = "cpu"

    @property
    def kind(self):
        return KINDS[self.model]

    @property
    def embeddings(self):
        return self.module.get_input_embeddings().weight

    def hidden(self, part, embeds, mask, owners):
        """The last layer [n, L, d] at the texts' own tokens; of a T5 the encoder's, then the decoder's."""
        import torch

        front, own = part.enter(embeds, mask, owners)
        both = torch.cat([front, own], 1)
        seen = torch.cat([mask.new_ones(front.shape[:2]), mask], 1)
        with part.inside(self, owners):
            return self.run(both, seen)[:, front.shape[1] :]

    def run(self, embeds, mask, first=0, **asked):
        import torch

        if self.model == "t5":
            words = torch.arange(4).expand(len(embeds), 4) + 7
            out = self.module(inputs_embeds=embeds, attention_mask=mask, decoder_input_ids=words, **asked)
            return torch.cat([out.encoder_last_hidden_state, out.last_hidden_state], 1)
        places = torch.arange(embeds.shape[1]) + first + (2 if self.model == "roberta" else 0)
        places = places.expand(len(embeds), -1)
        return self.module(inputs_embeds=embeds, attention_mask=mask, position_ids=places, **asked).last_hidden_state


def _module(model, **asked):
    transformers = pytest.importorskip("transformers")
    import torch

    shape = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 24, "max_position_embeddings": 40, "initializer_range": 0.3} | asked  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if model == "bert":
            module = transformers.BertModel(transformers.BertConfig(**shape))
        elif model == "roberta":
            module = transformers.RobertaModel(transformers.RobertaConfig(**shape), add_pooling_layer=False)
        elif model == "t5":
            module = transformers.T5Model(transformers.T5Config(
                vocab_size=VOCABULARY, d_model=WIDTH, d_kv=6, d_ff=24, num_layers=2, num_heads=3,
                decoder_start_token_id=0, **asked,
            ))  # fmt: skip
        elif model == "gpt2":
            module = transformers.GPT2Model(transformers.GPT2Config(
                vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=2, n_head=4, n_positions=40, initializer_range=0.3,
                bos_token_id=1, eos_token_id=2, **asked,
            ))  # fmt: skip
        else:
            module = transformers.LlamaModel(transformers.LlamaConfig(**shape, num_key_value_heads=2))
        for name, weights in module.named_parameters():
            # Biases start from zero, and LayerNorms are the identity: nothing would be seen of a mistake there.
            if weights.dim() == 1:
                torch.nn.init.normal_(weights, 1.0 if "norm" in name.lower() or ".ln" in name else 0.0, 0.3)
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def standins():
    """All models, by name; not to be changed."""
    return {model: StandIn(model, _module(model)) for model in MODELS}


@pytest.fixture(scope="session")
def precise():
    """All models in float64, where a difference is no rounding; not to be changed."""
    return {model: StandIn(model, _module(model).double()) for model in MODELS}


@pytest.fixture(scope="session")
def make_module():
    """``make_module(model, **config)``: another copy, to be changed at will."""
    return _module


@pytest.fixture(scope="session")
def make_standin():
    """``make_standin(model, module)``: a stand-in around a module of one's own."""
    return StandIn


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request):
    """Each model with each kind of part that it can carry: two names."""
    return request.param


@pytest.fixture(params=MODELS)
def standin(request, standins):
    """Each of the models."""
    return standins[request.param]


def _part(kind, backbone, rows=3, *, seed=0):
    from taskspace.tuning import parts

    if kind == "projection":
        return parts.Prefixes.start(backbone, rows, 3, projection=5, seed=seed)
    if kind == "mixture":
        sources = np.random.default_rng(9).standard_normal((2, 3, WIDTH)).astype(np.float32)
        return parts.Mixture.start(backbone, sources, rows, hidden=6, temperature=4.0, seed=seed)
    lengths = {"lora": {"rank": 2}, "bitfit": {}, "decomposed": {"length": 3, "rank": 2, "max_length": 12}}
    return parts.PARTS[kind].start(backbone, rows, **lengths.get(kind, {"length": 3}), seed=seed)


@pytest.fixture(scope="session")
def start():
    """``start(kind, backbone, rows=3, seed=0)``: a part of that kind as it starts."""
    return _part


@pytest.fixture(scope="session")
def scattered():
    """``scattered(kind, backbone, rows=3)``: a part whose rows all differ and none of which is neutral."""

    def make(kind, backbone, rows=3):
        part = _part(kind, backbone, rows)
        rng = np.random.default_rng(5)
        for row in range(rows):
            state = {name: 0.5 * rng.standard_normal(array.shape) for name, array in part.state(row).items()}
            part.load(row, state)
        return part

    return make


@pytest.fixture(scope="session")
def alone():
    """``alone(kind, backbone, part, row)``: a part of one row, that row of the other part."""

    def make(kind, backbone, part, row):
        single = _part(kind, backbone, 1)
        single.load(0, part.state(row))
        return single

    return make


@pytest.fixture
def batch(standins):
    """Five texts of up to six tokens, right-padded: embeddings, mask, and owners of three rows out of order."""
    import torch

    generator = torch.Generator().manual_seed(1)
    embeds = torch.randn(5, 6, WIDTH, generator=generator)
    mask = (torch.arange(6) < torch.tensor([6, 3, 5, 2, 4])[:, None]).long()
    return embeds, mask, torch.tensor([2, 0, 1, 2, 0])
