"""A recurrent network (LSTM) over word vectors as a labeler: plain PyTorch, no pretraining.

TRAIN=reviews.jsonl taskspace embed --labeler python:examples/lstm.py:answer --name reviews-lstm
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


def split(text: str) -> list[str]:
    """The first 80 words and signs."""
    return re.findall(r"\w+|[^\w\s]", text.lower())[:80]


class Lstm(nn.Module):
    """Texts in, logits float32[n, classes] out."""

    def __init__(self, words: Sequence[str], classes: int) -> None:
        super().__init__()
        self.code = {word: place for place, word in enumerate(words, start=1)}  # 0 is a blank; others are passed over
        self.vectors = nn.Embedding(len(words) + 1, 64, padding_idx=0)
        self.vectors.weight.data.mul_(0.1)  # small at first, so that training decides
        self.reader = nn.LSTM(64, 64, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, classes))

    def forward(self, texts: Sequence[str]) -> torch.Tensor:
        rows = [[self.code[word] for word in split(text) if word in self.code] for text in texts]
        codes = pad_sequence([torch.tensor(row or [0]) for row in rows], batch_first=True)
        states, _ = self.reader(self.vectors(codes))
        read = codes > 0  # what fills a row up to the longest is no word …
        read[:, 0] = True  # … save for a text of unknown words, read as one blank
        return self.head(states.masked_fill(~read[:, :, None], -torch.inf).amax(dim=1))


def train(task: Task, *, passes: int = 15, seed: int = 0) -> Callable[[Sequence[str]], torch.Tensor]:
    """Fit a network on the task's classes in batches of 50; it answers texts with probabilities float32[n, classes]."""
    torch.manual_seed(seed)
    model = Lstm(sorted({word for text in task.texts for word in split(text)}), len(task.label_names))
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
    """What ``python:examples/lstm.py:answer`` names."""
    return trained()(texts)


answer.version = f"1 {TASK.fingerprint}"  # other rows make another model; raise the 1 when you change the network
