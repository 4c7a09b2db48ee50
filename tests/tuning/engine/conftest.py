"""A backbone of one matrix, so that the engine can be tested without a model; and a part of one vector per row."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from taskspace.task import Inputs
from taskspace.tuning.backbones._backbone import Pass
from taskspace.tuning.identity import BackboneId
from taskspace.tuning.rows import Examples, Row

WIDTH, CLASSES, WORDS = 6, 3, 20


class ToyBackbone:
    """Scores classes by ``(mean embedding of the text + P) W``; a word is its number."""

    kind, width, device, tokenizer = "encoder", WIDTH, "cpu", None
    identity = BackboneId("toy", "local", "encoder", WIDTH, WORDS)

    def __init__(self):
        generator = torch.Generator().manual_seed(3)
        self.embeddings = torch.randn(WORDS, WIDTH, generator=generator)
        self.weight = torch.randn(WIDTH, CLASSES, generator=generator)
        self.module = torch.nn.Identity()
        self.passes = []

    def prepare(self, examples, *, max_length):
        ids = [tuple(int(word) for word in text.split())[:max_length] for text in examples.inputs.texts]
        return [Row(i, (), examples.kind, values) for i, values in zip(ids, examples.values, strict=True)]

    def require_room(self, tuned, rows, written):
        """Any text is short enough."""

    def run(self, tuned, rows, owners):
        self.passes.append([row.length for row in rows])
        texts = torch.stack([self.embeddings[list(row.ids)].mean(0) for row in rows])
        owners = torch.tensor(owners)
        logits = (texts + tuned.part.parameters["tokens"][owners]) @ self.weight
        if "level" in tuned.part.shared:
            logits = logits * tuned.part.shared["level"]
        if tuned.head is not None:
            logits = logits + tuned.head.parameters["bias"][owners]
        values = torch.tensor(np.stack([row.values for row in rows]), dtype=torch.float32)
        losses = -(values * torch.log_softmax(logits, 1)).sum(1)
        return Pass(losses, logits[:, None], torch.ones(len(rows), 1, dtype=torch.bool), texts[:, None])

    def scores(self, tuned, rows, owners):
        return torch.log_softmax(self.run(tuned, rows, owners).logits[:, 0], 1).detach()

    def generate(self, tuned, rows, owners, *, max_tokens):
        best = self.scores(tuned, rows, owners).argmax(1).tolist()
        return [f"{choice} of {row.ids}" for choice, row in zip(best, rows, strict=True)]


class ToyPart:
    """One vector per row, added to the text's mean embedding."""

    rates = {}
    settings = {}

    def __init__(self, rows, *, shared=False, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.rows = rows
        self.parameters = {"tokens": torch.randn(rows, WIDTH, generator=generator).requires_grad_()}
        self.shared = {"level": torch.ones(1, requires_grad=True)} if shared else {}

    def enter(self, embeds, mask, owners):
        return embeds[:, :0], embeds

    def inside(self, backbone, owners):
        return contextlib.nullcontext()

    def alone(self, row):
        """A part of this row only."""
        part = ToyPart(1)
        part.parameters["tokens"].data.copy_(self.parameters["tokens"].data[row : row + 1])
        return part


def toy_examples(n, seed=0, *, classes=CLASSES):
    """Texts of 1 to 9 words with a class each."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(map(str, rng.integers(0, WORDS, rng.integers(1, 10)))) for _ in range(n)]
    return Examples(
        Inputs.of(texts), "classes", np.eye(classes)[rng.integers(0, classes, n)], ("a", "b", "c")[:classes]
    )


@pytest.fixture(scope="session")
def toy():
    """``toy.backbone()``, ``toy.part(rows, shared=, seed=)`` and ``toy.examples(n, seed)``."""
    return SimpleNamespace(backbone=ToyBackbone, part=ToyPart, examples=toy_examples, classes=CLASSES)
