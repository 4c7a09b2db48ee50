"""What does one more labeler cost once the pool's features exist?

Milliseconds and peak memory to embed a labeler whose 2,000 answers are at hand: ``response`` against
``fisher``, over the whole pool and over its default of 256 texts, and against the reference recipe
(fine-tune the whole surrogate on the pseudo-labels for one epoch at batch 128, then one more pass
whose mean gradient is squared).  Each is measured in a process of its own, in the same run, after a
first embedding that pays for loading; the peak before what is measured stands beside the peak after.

    python benchmarks/cost_per_task.py          # a few minutes on 2 cores
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from _common import DATA, bag_of_words, draw, recorded, unlabelled, write
from taskspace import Pool, Space, Task
from taskspace.surrogates import load_surrogate, masked_mean

REPEATS = {"response": 20, "fisher 256": 1, "fisher 2000": 1, "reference": 1}


def reference(surrogate, texts: list[str], answers: np.ndarray) -> np.ndarray:
    """The reference recipe: AdamW 2e-5 with 5 % warm-up and linear decay, clip 1, soft cross-entropy."""
    import copy

    import torch

    torch.manual_seed(0)
    model = copy.deepcopy(surrogate.module).requires_grad_(True).train()
    head = torch.nn.Linear(surrogate.hidden, answers.shape[1])
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-5, weight_decay=0.01)
    steps = -(-len(texts) // 128)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / max(0.05 * steps, 1), (steps - i) / steps)
    )

    def loss_of(rows: range):
        batch = surrogate.tokenizer(
            [texts[i] for i in rows], padding=True, truncation=True, max_length=128, return_tensors="pt"
        )
        states = masked_mean(model(**batch).last_hidden_state, batch["attention_mask"])
        return torch.nn.functional.cross_entropy(head(states), torch.tensor(answers[rows.start : rows.stop]))

    batches = [range(i, min(i + 128, len(texts))) for i in range(0, len(texts), 128)]
    for rows in batches:
        loss_of(rows).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    for rows in batches:
        (loss_of(rows) * len(rows) / len(texts)).backward()
    return torch.cat([p.grad.square().flatten() for p in model.parameters() if p.grad is not None]).numpy()


def child(what: str, file: Path) -> None:
    """Measure one way in this process; print JSON."""
    stored = np.load(file)
    texts, answers = [str(text) for text in stored["texts"]], stored["answers"]
    pool = Pool(texts)
    said = recorded("ag_news", dict(zip(texts, answers, strict=True)))
    surrogate = load_surrogate()
    surrogate.features(texts)
    if what == "reference":
        _ = surrogate.module

        def once() -> None:
            reference(surrogate, texts, answers.astype(np.float32))
    else:
        learner, _, rows = what.partition(" ")
        space = Space(pool, surrogate=surrogate, learner=learner, **({"rows": int(rows)} if rows else {}))
        space.embed(Task(texts[:20], ["a", "b"] * 10))

        def once() -> None:
            space.embed(said)

    seconds = []
    before = peak_mb()
    for _ in range(REPEATS[what]):
        began = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - began)
    print(
        json.dumps(
            {
                "ms": 1000 * float(np.median(seconds)),
                "repeats": len(seconds),
                "peak_mb": peak_mb(),
                "peak_mb_before": before,
            }
        )
    )


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--child", choices=list(REPEATS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.data)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.npz"
        pool = draw(unlabelled(args.data), 2000, seed=0)
        model = bag_of_words(Task.from_file(args.data / "tasks" / "ag_news"))
        np.savez(file, texts=np.array(pool.inputs.texts), answers=model.predict_proba(pool.inputs.texts))
        load_surrogate().features(pool.inputs.texts)  # so that no child pays for it
        table = measure(file)
    write("cost_per_task", {"pool": 2000, "table": table})


def measure(file: Path) -> dict[str, dict]:
    table = {}
    for what in REPEATS:
        command = [sys.executable, __file__, "--child", what, "--data", str(file)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        table[what] = json.loads(done.stdout.splitlines()[-1])
        ratio = table[what]["ms"] / table["response"]["ms"]
        table[what]["times_response"] = round(ratio, 1)
        table[what]["ms"] = round(table[what]["ms"], 1)
        print(f"{what:<12} {table[what]['ms']:>10.1f} ms  {ratio:>8.0f}x  peak {table[what]['peak_mb']} MB", flush=True)
    return table


if __name__ == "__main__":
    main()
