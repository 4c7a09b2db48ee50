"""A convolutional network over word vectors (Kim 2014, arXiv 1408.5882) as a labeler: plain PyTorch, no pretraining.

TRAIN=reviews.jsonl taskspace embed --labeler python:examples/cnn.py:answer --name reviews-cnn
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from taskspace import Task
from taskspace.data import sample_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TASK = Task.from_file(os.environ["TRAIN"]) if "TRAIN" in os.environ else sample_tasks()[0]
WIDTHS = (3, 4, 5)


def split(text: str) -> list[str]:
    """The first 80 words and signs."""
    return re.findall(r"\w+|[^\w\s]", text.lower())[:80]


class Cnn(nn.Module):
    """Texts in, logits float32[n, classes] out."""

    def __init__(self, words: Sequence[str], classes: int) -> None:
        super().__init__()
        self.code = {word: place for place, word in enumerate(words, start=1)}  # 0: a blank, or a word never seen
        self.vectors = nn.Embedding(len(words) + 1, 64, padding_idx=0)
        self.vectors.weight.data.mul_(0.1)  # small at first, so that training decides
        self.filters = nn.ModuleList(nn.Conv1d(64, 64, width) for width in WIDTHS)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(64 * len(WIDTHS), classes))

    def forward(self, texts: Sequence[str]) -> torch.Tensor:
        # Five blanks end every text; more of them, where a batch holds a longer one, then change nothing.
        rows = [torch.tensor([self.code.get(word, 0) for word in split(text)] + [0] * max(WIDTHS)) for text in texts]
        vectors = self.vectors(pad_sequence(rows, batch_first=True)).transpose(1, 2)
        return self.head(torch.cat([one(vectors).relu().amax(dim=2) for one in self.filters], dim=1))


def train(task: Task, *, passes: int = 15, seed: int = 0) -> Callable[[Sequence[str]], torch.Tensor]:
    """Fit a network on the task's classes in batches of 50; it answers texts with probabilities float32[n, classes]."""
    torch.manual_seed(seed)
    model = Cnn(sorted({word for text in task.texts for word in split(text)}), len(task.label_names))
    codes = torch.from_numpy(task.labels.codes)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(max(150, passes * len(task) // 50)):
        rows = torch.randint(len(task), (50,))
        logits = model([task.texts[row] for row in rows])
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, codes[rows], ignore_index=-1).backward()  # -1: no label
        optimizer.step()
    model.eval()

    def probabilities(texts: Sequence[str]) -> torch.Tensor:
        with torch.inference_mode():
            return model(texts).softmax(dim=1)

    return probabilities


@cache
def trained() -> Callable[[Sequence[str]], torch.Tensor]:
    """The network, trained when the first texts come."""
    return train(TASK)


def answer(texts: list[str]) -> torch.Tensor:
    """What ``python:examples/cnn.py:answer`` names."""
    return trained()(texts)


answer.version = f"1 {TASK.fingerprint}"  # other rows make another model; raise the 1 when you change the network
