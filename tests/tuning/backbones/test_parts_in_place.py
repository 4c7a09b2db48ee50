"""Every kind of part on every family: what it does in a batch is what it does alone, and twice is what it does once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.tuning.backbones import BARE, Tuned

torch = pytest.importorskip("torch")

OWNERS = [0, 2, 1, 2, 0]
FAMILIES = ["bert", "sentence", "t5", "bart", "llama", "gpt2", "gemma"]
WRITERS = ["t5", "bart", "llama", "gpt2", "gemma"]
PARTS = ["prompts", "prefixes", "lora", "bitfit", "decomposed", "factored", "mixture"]
WITHOUT = {("t5", "bitfit"), ("llama", "bitfit"), ("gemma", "bitfit")}
"""They have no biases."""

PAIRS = [(family, name) for family in FAMILIES for name in PARTS if (family, name) not in WITHOUT]


@pytest.fixture
def made():
    """``made(name, backbone)``: three rows of a part, moved away from where it starts."""
    parts = pytest.importorskip("taskspace.tuning.parts")

    def make(name, backbone):
        sources = np.random.default_rng(1).standard_normal((2, 4, backbone.width)).astype(np.float32)
        part = {
            "prompts": lambda: parts.Prompts.start(backbone, 3, 4, seed=0),
            "prefixes": lambda: parts.Prefixes.start(backbone, 3, 4, seed=0),
            "lora": lambda: parts.LoRA.start(backbone, 3, 2, seed=0),
            "bitfit": lambda: parts.BitFit.start(backbone, 3),
            "decomposed": lambda: parts.Decomposed.start(backbone, 3, 4, rank=2, max_length=40, seed=0),
            "factored": lambda: parts.Factored.start(backbone, 3, 4, seed=0),
            "mixture": lambda: parts.Mixture.start(backbone, sources, 3, hidden=3, temperature=4.0, seed=0),
        }[name]()
        drawn = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for tensor in [*part.parameters.values(), *part.shared.values()]:
                tensor += 0.3 * torch.randn(tensor.shape, generator=drawn)
        return part

    return make


@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_a_row_is_the_same_in_a_batch_and_run_twice(load, classes, made, family, name):
    backbone, twice = load(family), load(family, checkpointing=True)
    rows = backbone.prepare(classes(), max_length=30)
    part = made(name, backbone)
    seen = backbone.run(Tuned(part), rows, OWNERS)
    seen.losses.sum().backward()
    scores = backbone.scores(Tuned(part), rows, OWNERS)
    for i, row in enumerate(rows):
        alone = backbone.run(Tuned(part), [row], [OWNERS[i]])
        torch.testing.assert_close(seen.losses[i], alone.losses[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(scores[i], backbone.scores(Tuned(part), [row], [OWNERS[i]])[0], rtol=1e-4, atol=1e-5)
        if backbone.kind != "encoder":
            torch.testing.assert_close(-scores[i, row.values.argmax()], seen.losses[i].detach(), rtol=1e-4, atol=1e-4)
    assert (seen.losses - backbone.run(BARE, rows, [0] * 5).losses).abs().max() > 1e-4

    again = made(name, twice)
    twice.run(Tuned(again), rows, OWNERS).losses.sum().backward()
    for key, tensor in {**part.parameters, **part.shared}.items():
        other = {**again.parameters, **again.shared}[key]
        torch.testing.assert_close(other.grad, tensor.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("family", "name"), [pair for pair in PAIRS if pair[0] in WRITERS])
def test_what_is_written_is_the_likeliest_in_a_full_pass(load, targets, made, family, name, monkeypatch):
    """Keys and values are kept for the one and not for the other."""
    backbone = load(family)
    tuned = Tuned(made(name, backbone))
    rows = backbone.prepare(targets(), max_length=30)
    monkeypatch.setattr(backbone._wording, "text", list)
    written = backbone.generate(tuned, rows, OWNERS, max_tokens=5)
    wanted = [replace(row, target=(*ids, 0)) for row, ids in zip(rows, written, strict=True)]
    seen = backbone.run(tuned, wanted, OWNERS)
    for ids, logits in zip(written, seen.logits, strict=True):
        likeliest = logits.argmax(dim=1).tolist()
        assert likeliest[: len(ids)] == ids
        assert len(ids) == 5 or likeliest[len(ids)] in backbone._ends
