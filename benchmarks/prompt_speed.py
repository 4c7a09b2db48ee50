"""How much faster is a prompted decoder read in batches that share the prompt's keys and values?

The same model, texts and answers, and the same numbers to 1e-4, five ways: one forward pass per text and
answer; one per text, whose cache then serves its answers (the stronger rival); and the package's own way,
batched, without and with the shared prefix, and once more with the likelihood of the filled prompts
besides.  The ways take turns, and the median of each is compared.  The model is random, which changes
nothing about its speed.

    python benchmarks/prompt_speed.py            # about five minutes on 2 cores
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from _common import DATA, unlabelled, write
from taskspace.labelers.language_models._loading import load
from taskspace.labelers.language_models._query import Query
from taskspace.labelers.language_models._scoring import score

VOCABULARY, HIDDEN, LAYERS, TEXTS, INSTRUCTION, TURNS = 8000, 256, 4, 200, 100, 3
BEGIN, OTHER, FIRST_WORD = 2, 3, 10


def model_in(folder: str):
    """A Llama-type decoder of about 8 million weights, from disk as any other."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=4 * HIDDEN, num_hidden_layers=LAYERS,
        num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=2048, initializer_range=0.1,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return load(folder, device="cpu")


def queries_of(texts: list[str]) -> list[Query]:
    """Words as tokens: 100 of instruction before each text, 4 after it; two answers of one token, two longer."""
    counts = Counter(word for text in texts for word in text.lower().split())
    number = {word: FIRST_WORD + i for i, (word, _) in enumerate(counts.most_common(VOCABULARY - FIRST_WORD - 200))}
    rng = np.random.default_rng(0)
    instruction = rng.integers(VOCABULARY - 200, VOCABULARY, INSTRUCTION - 1).tolist()
    question = tuple(rng.integers(VOCABULARY - 200, VOCABULARY, 4).tolist())
    answers = ((11,), (12,), (13, 14), (13, 15, 16))
    words = [tuple(number.get(word, OTHER) for word in text.lower().split()) for text in texts]
    return [Query((BEGIN, *instruction, *row, *question), answers) for row in words]


def pair_by_pair(model, queries) -> np.ndarray:
    """One forward pass per text and answer; logits are made for the answer alone."""
    import torch

    def one(context, answer):
        ids = torch.tensor([[*context, *answer[:-1]]])
        logits = model.module(ids, use_cache=False, logits_to_keep=len(answer)).logits[0]
        return torch.log_softmax(logits, dim=-1)[range(len(answer)), list(answer)].sum().item()

    with torch.inference_mode():
        return np.array([[one(query.context, answer) for answer in query.continuations] for query in queries])


def text_by_text(model, queries) -> np.ndarray:
    """One forward pass per text; its cache serves each answer that has more than one token."""
    import torch

    def one(query):
        out = model.module(torch.tensor([query.context]), use_cache=True, logits_to_keep=1)
        first = torch.log_softmax(out.logits[0, -1], dim=-1)
        return [first[answer[0]].item() + rest(out.past_key_values, answer) for answer in query.continuations]

    def rest(cache, answer):
        if len(answer) == 1:
            return 0.0
        ids = torch.tensor([answer[:-1]])
        logits = model.module(ids, past_key_values=copy.deepcopy(cache), use_cache=True).logits[0]
        return torch.log_softmax(logits, dim=-1)[range(len(answer) - 1), list(answer[1:])].sum().item()

    with torch.inference_mode():
        return np.array([one(query) for query in queries])


def batched(model, queries, **options) -> np.ndarray:
    found = {row: one for batch in score(model, queries, **options) for row, one in batch.items()}
    return np.stack([found[row].continuations for row in range(len(queries))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--texts", type=int, default=TEXTS)
    args = parser.parse_args()
    pool = unlabelled(args.data)
    chosen = np.random.default_rng(0).permutation(len(pool))[: args.texts]
    queries = queries_of([pool.inputs.texts[row] for row in chosen])
    with tempfile.TemporaryDirectory() as folder:
        model = model_in(folder)
        _ = model.module
    ways = {
        "one pass per text and answer": pair_by_pair,
        "one pass per text, cached answers": text_by_text,
        "batched, no shared prefix": lambda *two: batched(*two, prefix_cache=False, with_context=False),
        "batched, shared prefix": lambda *two: batched(*two, with_context=False),
        "batched, shared prefix, and the prompts' likelihood": batched,
    }
    write("prompt_speed", measure(model, queries, ways))


def measure(model, queries, ways) -> dict:
    import torch

    seconds, values = {name: [] for name in ways}, {}
    for turn in range(TURNS + 1):
        for name, way in ways.items():
            part = queries if turn else queries[:8]  # the first turn warms up
            began = time.perf_counter()
            values[name] = way(model, part)
            if turn:
                seconds[name].append(time.perf_counter() - began)
    slow, stronger = list(ways)[:2]
    median = {name: float(np.median(taken)) for name, taken in seconds.items()}
    table = {
        name: {
            "texts per second": round(len(queries) / median[name], 1),
            "times the pairs": round(median[slow] / median[name], 2),
            "times the texts": round(median[stronger] / median[name], 2),
            "max difference": float(np.abs(values[name] - values[slow]).max()),
        }
        for name in ways
    }
    for name, row in table.items():
        print(
            f"{name:<52} {row['texts per second']:>7} texts/s {row['times the pairs']:>6}x {row['times the texts']:>6}x"
        )
    lengths = [len(query.context) for query in queries]
    about = {"texts": len(queries), "tokens per prompt": {"mean": float(np.mean(lengths)), "most": max(lengths)}}
    about |= {"shared tokens": INSTRUCTION, "answers": [len(answer) for answer in queries[0].continuations]}
    weights = sum(weight.numel() for weight in model.module.parameters())
    return {**about, "weights": weights, "threads": torch.get_num_threads(), "turns": TURNS, "table": table}


if __name__ == "__main__":
    main()
