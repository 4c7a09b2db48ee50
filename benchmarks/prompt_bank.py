"""How much faster are many soft prompts tuned in one bank than one after another with peft?

K prompts, each for its own task of real texts and 4 examples a step, on one frozen backbone: the package's default
encoder with its weights, and a random T5 and a random Llama of about 8 million weights each (random weights change
nothing about their speed).  The rival tunes the same prompts with peft's PROMPT_TUNING in a plain loop: the same start,
rows, batches, AdamW, clipping and precision, padding to the longest row of a batch, dropout off, texts cut into
tokens beforehand, and logits only from where the first target begins.  Both take turns step by step, each on the
number of threads at which it was faster in a trial; medians over steps are told, with the lowest and highest.  That
both learn the same is checked: losses at the first step to 1e-5, those of the last steps to within their noise.

    python benchmarks/prompt_bank.py                      # seven minutes on 2 cores
    python benchmarks/prompt_bank.py --backbones minilm --device cuda

Results of backbones and devices that a run leaves out stay in the file.  Other work on the machine spoils such
measurements: each result tells how many cores others kept busy meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.utils import logging

from _common import DATA, RESULTS, single_text_tasks, write
from taskspace import Task
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.bank import Bank
from taskspace.tuning.examples import plain, verbalised
from taskspace.tuning.parts import Prompts
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.schedule import height, picks
from taskspace.tuning.training import Job, Training

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SIZES, SIZE, LENGTHS = (1, 2, 4, 8, 16, 32), 16, (8, 100)
LENGTH, MAX_LENGTH, ROWS = 16, 64, 64  # the first two are what `taskspace bench tpv` takes unless told otherwise
STEPS, SHORT = 24, 4  # of the tuning that is checked, and of the others
RECIPE = Recipe(steps=STEPS, batch=4, rate=0.05, warmup=4, max_length=MAX_LENGTH)
VOCABULARY, WIDTH, LAYERS, HEADS = 8000, 256, 4, 8
MARKS = ("<pad>", "</s>", "<unk>")
STAT = Path("/proc/stat")
SCALE = 20  # of cosines, where an encoder answers by likeness to the answers


def tasks_of(data: Path) -> list[Task]:
    """One for each prompt: all tasks of single texts in random order, then the first again with other rows."""
    names = single_text_tasks(data)
    order = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
    chosen = [(order[k % len(order)], k // len(order)) for k in range(max(SIZES))]
    return [Task.from_file(data / "tasks" / name, limit=ROWS, seed=seed) for name, seed in chosen]


def random_model(kind: str, folder: Path, examples: list) -> Path:
    """A T5 or a Llama with random weights and a tokenizer of the commonest words, as any checkpoint on disk."""
    import transformers

    if kind == "t5":
        sizes = {"d_model": WIDTH, "d_kv": WIDTH // HEADS, "d_ff": 4 * WIDTH, "num_layers": LAYERS}
        sizes |= {"num_decoder_layers": LAYERS // 2, "num_heads": HEADS, "decoder_start_token_id": 0}
        make, config = transformers.T5ForConditionalGeneration, transformers.T5Config
    else:
        sizes = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS}
        sizes |= {"num_attention_heads": HEADS, "num_key_value_heads": HEADS // 2, "initializer_range": 0.1}
        make, config = transformers.LlamaForCausalLM, transformers.LlamaConfig
    torch.manual_seed(0)
    make(config(vocab_size=VOCABULARY, pad_token_id=0, eos_token_id=1, **sizes)).save_pretrained(folder)
    tokenizer_of(examples).save_pretrained(folder)
    return folder


def tokenizer_of(examples: list):
    """Words and marks; those of answers are all known."""
    import tokenizers
    import transformers

    cut = tokenizers.pre_tokenizers.Whitespace()
    answers, texts = Counter(), Counter()
    for one in examples:
        answers.update(word for answer in one.answers for word, _ in cut.pre_tokenize_str(answer))
        texts.update(word for text in one.inputs.texts for word, _ in cut.pre_tokenize_str(text))
    words = [*MARKS, *answers, *(word for word, _ in texts.most_common())]
    vocabulary = {word: i for i, word in enumerate(list(dict.fromkeys(words))[:VOCABULARY])}
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    model.pre_tokenizer = cut
    model.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


@dataclass(frozen=True)
class Setting:
    """One backbone for both contenders, and what each prompt learns from."""

    kind: str
    folder: Path
    backbone: Any
    examples: list

    def bank(self, size: int, length: int) -> Training:
        part = Prompts.start(self.backbone, size, length, seed=range(size))
        return Training(Bank(self.backbone, part), [Job(one) for one in self.examples[:size]], RECIPE)

    def rivals(self, size: int, length: int) -> list[Rival]:
        start = Prompts.start(self.backbone, size, length, seed=range(size)).parameters["tokens"].detach()
        prepare = Bank(self.backbone, Prompts(self.backbone, start[:1].cpu().numpy())).prepare
        base = base_model(self.kind, self.folder, self.backbone.device)
        return [
            Rival(self, base, tokens, one, prepare(one, max_length=MAX_LENGTH))
            for tokens, one in zip(start, self.examples, strict=False)
        ]


def base_model(kind: str, folder: Path, device: str):
    import transformers

    loaders = {"minilm": "AutoModel", "t5": "AutoModelForSeq2SeqLM", "llama": "AutoModelForCausalLM"}
    return getattr(transformers, loaders[kind]).from_pretrained(folder).eval().to(device)


class Rival:
    """One prompt, tuned with peft as a user with an eye on speed would."""

    def __init__(self, setting: Setting, base, tokens, examples, rows: list) -> None:
        from peft import PromptTuningConfig, TaskType, get_peft_model

        self.rows, self.losses, self.device = rows, [], setting.backbone.device
        kinds = {"minilm": TaskType.FEATURE_EXTRACTION, "t5": TaskType.SEQ_2_SEQ_LM, "llama": TaskType.CAUSAL_LM}
        config = PromptTuningConfig(
            task_type=kinds[setting.kind], num_virtual_tokens=len(tokens), num_transformer_submodules=1
        )
        ways = {"minilm": self.by_likeness, "t5": self.written, "llama": self.continued}
        self.loss = ways[setting.kind]
        if setting.kind == "minilm":
            self.anchors = anchors_of(base, setting.backbone.tokenizer, examples.answers)
        self.length = len(tokens)
        self.model = get_peft_model(base, config).eval()
        (self.prompt,) = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.prompt.data.copy_(tokens)
        self.optimiser = torch.optim.AdamW([self.prompt], lr=RECIPE.rate, weight_decay=RECIPE.decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: height(step, RECIPE))

    def advance(self) -> None:
        places = picks(len(self.rows), RECIPE.batch, len(self.losses), seed=(RECIPE.seed, 0))
        loss = self.loss([self.rows[i] for i in places])
        loss.backward()
        torch.nn.utils.clip_grad_norm_([self.prompt], RECIPE.clip)
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.losses.append(loss.item())

    def padded(self, tokens: list, fill: int = 0):
        longest = max(map(len, tokens))
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in tokens], device=self.device)

    def by_likeness(self, rows: list):
        """Cross-entropy over scaled cosines of the mean state at the text's tokens and the answers'."""
        ids, mask = self.padded([row.ids for row in rows]), self.padded([[1] * len(row.ids) for row in rows])
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, self.length :]
        codes = torch.tensor([int(row.values.argmax()) for row in rows], device=self.device)
        return torch.nn.functional.cross_entropy(SCALE * mean_of(states, mask) @ self.anchors.T, codes)

    def written(self, rows: list):
        ids, mask = self.padded([row.ids for row in rows]), self.padded([[1] * len(row.ids) for row in rows])
        labels = self.padded([row.target for row in rows], -100)
        return self.model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss

    def continued(self, rows: list):
        """Cross-entropy on targets; logits only from where the first of them is told."""
        whole = [(*row.ids, *row.target) for row in rows]
        ids, mask = self.padded(whole), self.padded([[1] * len(row) for row in whole])
        labels = self.padded([(*[-100] * len(row.ids), *row.target) for row in rows], -100)
        wanted = ids.shape[1] - min(len(row.ids) for row in rows)
        # As an index, not as a number: a slice would be multiplied row by row, which takes longer.
        places = torch.arange(-wanted - 1, 0, device=self.device) + self.length + ids.shape[1]
        logits = self.model(input_ids=ids, attention_mask=mask, logits_to_keep=places, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, -wanted:].flatten())


@torch.no_grad()
def anchors_of(base, tokenizer, answers: tuple[str, ...]):
    batch = tokenizer(list(answers), padding=True, return_tensors="pt").to(base.device)
    return mean_of(base(**batch).last_hidden_state, batch["attention_mask"])


def mean_of(states, mask):
    """Of length 1."""
    weight = mask.unsqueeze(2).float()
    return torch.nn.functional.normalize((states * weight).sum(1) / weight.sum(1), dim=1)


@dataclass(frozen=True)
class Threads:
    """How many each contender runs on."""

    bank: int
    peft: int


def race(banks: dict[int, Training], rivals: list[Rival], steps: int, threads: Threads) -> dict:
    """Seconds per step: [steps] of each bank, and [steps, prompts] of peft.  The first step warms up."""
    taken: dict = {size: [] for size in banks}
    peft = []
    for _ in range(steps):
        torch.set_num_threads(threads.peft)
        peft.append([seconds(rival.advance) for rival in rivals])
        torch.set_num_threads(threads.bank)
        for size, bank in banks.items():
            taken[size].append(seconds(bank.advance))
    return {size: np.array(each[1:]) for size, each in taken.items()} | {"peft": np.array(peft[1:])}


def seconds(advance) -> float:
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    began = time.perf_counter()
    advance()
    wait()
    return time.perf_counter() - began


def best_threads(setting: Setting) -> Threads:
    """Each contender's own, by a short trial of a part of the work."""
    if setting.backbone.device != "cpu":
        return Threads(torch.get_num_threads(), torch.get_num_threads())
    cores = os.cpu_count() or 1
    numbers = sorted({1, (cores + 1) // 2, cores})
    tried = {n: race({8: setting.bank(8, LENGTH)}, setting.rivals(8, LENGTH), SHORT, Threads(n, n)) for n in numbers}
    bank = min(numbers, key=lambda n: float(np.median(tried[n][8])))
    return Threads(bank, min(numbers, key=lambda n: float(np.median(tried[n]["peft"].sum(axis=1)))))


def told(taken: dict, size: int) -> dict:
    """Examples per second, and how many times peft's."""
    ours, peft = taken[size], taken["peft"][:, :size].sum(axis=1)
    examples = RECIPE.batch * size
    times = peft / ours
    return {
        "bank_examples_per_second": round(examples / float(np.median(ours)), 1),
        "peft_examples_per_second": round(examples / float(np.median(peft)), 1),
        "times_peft": [round(float(x), 2) for x in (np.median(times), times.min(), times.max())],
    }


def agreement(bank: Training, rivals: list[Rival], last: int = 8) -> dict:
    """Losses of both, in nats per target token or text; raises where they differ by more than rounding explains."""
    ours = np.array([record.recent for record in bank.records])
    peft = np.array([rival.losses for rival in rivals])
    first, final = np.abs(ours - peft)[:, 0].max(), np.abs((ours - peft)[:, -last:].mean(axis=1))
    noise = peft[:, -last:].std(axis=1, ddof=1).mean() / last**0.5
    found = {
        "first_loss": round(float(peft[:, 0].mean()), 4),
        "largest_difference_at_first": float(f"{first:.1e}"),
        "final_loss": {
            "bank": round(float(ours[:, -last:].mean()), 4),
            "peft": round(float(peft[:, -last:].mean()), 4),
        },
        "final_difference": {"mean": float(f"{final.mean():.1e}"), "largest": float(f"{final.max():.1e}")},
        "noise_of_final_loss": round(float(noise), 4),
    }
    assert first < 1e-5, found
    assert final.mean() < noise, found
    return found


def tokens_per_step(bank: Training, length: int) -> dict:
    """What each contender reads in a step, prompts and padding and all, averaged over the first eight."""
    engine, counts = bank.bank, []
    for step in range(8):
        bank.step = step
        rows = [bank._batch(row) for row in range(len(engine))]
        passes = list(engine._passes([(row, one) for row, batch in enumerate(rows) for one in batch]))
        ours = [sum((length + max(x.length for _, x in one)) * len(one) for one in passes), len(passes)]
        peft = [sum((length + max(x.length for x in batch)) * len(batch) for batch in rows), len(rows)]
        counts.append([*ours, *peft, sum(length + x.length for batch in rows for x in batch)])
    bank.step = 0
    names = ("bank", "bank_passes", "peft", "peft_passes", "without_padding")
    return dict(zip(names, np.mean(counts, axis=0).round(1).tolist(), strict=True))


def where_time_goes(advance) -> dict:
    """Shares of the time on the processor."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as seen:
        advance()
    spent = {event.key: event.self_cpu_time_total for event in seen.key_averages()}

    total = sum(spent.values())

    def share(*names: str) -> float:
        return round(sum(value for key, value in spent.items() if any(name in key for name in names)) / total, 2)

    return {"matrix products": share("aten::mm", "aten::addmm", "aten::bmm"), "attention": share("scaled_dot_product")}


@contextmanager
def watching(into: dict):
    """How many cores other processes kept busy meanwhile, where the system tells."""
    began = clocks()
    yield
    wall, all_cores, own = (now - then for now, then in zip(clocks(), began, strict=True))
    into["minutes"] = round(wall / 60, 1)
    if STAT.exists():
        into["cores_busy_with_other_work"] = round(max(0.0, all_cores - own) / wall, 2)


def clocks() -> tuple[float, float, float]:
    """Seconds of the clock, of work by all cores together, and of work by this process."""
    user, nice, system = map(int, STAT.read_text().split()[1:4]) if STAT.exists() else (0, 0, 0)
    return time.perf_counter(), (user + nice + system) / os.sysconf("SC_CLK_TCK"), sum(os.times()[:2])


def measure(setting: Setting) -> dict:
    """All that is told of one backbone."""
    found: dict = {"weights": sum(weight.numel() for weight in setting.backbone.module.parameters())}
    with watching(found):
        threads = best_threads(setting)
        found["threads"] = {"bank": threads.bank, "peft": threads.peft}
        bank, rivals = setting.bank(SIZE, LENGTH), setting.rivals(SIZE, LENGTH)
        found["tokens_per_step"] = tokens_per_step(bank, LENGTH)
        taken = race({SIZE: bank}, rivals, STEPS, threads)
        found[f"{SIZE}_prompts"] = told(taken, SIZE)
        found["same_losses"] = agreement(bank, rivals)
        found["by_prompts"] = by_prompts(setting, threads)
        found["by_length"] = {str(n): by_length(setting, n, threads) for n in LENGTHS}
        if setting.backbone.device == "cpu":
            found["shares"] = {"bank": where_time_goes(bank.advance), "peft": where_time_goes(rivals[0].advance)}
            found["on_one_thread"] = by_length(setting, LENGTH, Threads(1, 1))
    return found


def by_prompts(setting: Setting, threads: Threads) -> dict:
    banks = {size: setting.bank(size, LENGTH) for size in SIZES}
    taken = race(banks, setting.rivals(max(SIZES), LENGTH), SHORT, threads)
    return {str(size): told(taken, size) for size in SIZES}


def by_length(setting: Setting, length: int, threads: Threads) -> dict:
    return told(race({SIZE: setting.bank(SIZE, length)}, setting.rivals(SIZE, length), SHORT, threads), SIZE)


def show(name: str, found: dict) -> None:
    print(f"\n{name}: {found['threads']}, others busy on {found.get('cores_busy_with_other_work')} cores")
    rows = {f"{size} prompts": row for size, row in found["by_prompts"].items()}
    rows[f"{SIZE} prompts, all {STEPS} steps"] = found[f"{SIZE}_prompts"]
    rows |= {f"{SIZE} prompts of {n} tokens": row for n, row in found["by_length"].items()}
    if "on_one_thread" in found:
        rows[f"{SIZE} prompts, one thread each"] = found["on_one_thread"]
    for what, row in rows.items():
        middle, low, high = row["times_peft"]
        print(
            f"{what:<28} bank {row['bank_examples_per_second']:>7}/s  peft {row['peft_examples_per_second']:>7}/s"
            f"  {middle:>5} times [{low}, {high}]"
        )
    print(found["same_losses"], found["tokens_per_step"], found.get("shares"), sep="\n")


def setting_of(kind: str, tasks: list[Task], device: str, folder: Path) -> Setting:
    examples = [plain(task) if kind == "minilm" else verbalised(task) for task in tasks]
    if kind == "minilm":
        backbone = load_backbone(MINILM, device=device, dtype="float32")
        return Setting(kind, backbone._located.folder, backbone, examples)
    random_model(kind, folder, examples)
    return Setting(kind, folder, load_backbone(folder, device=device, dtype="float32"), examples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--backbones", nargs="+", choices=("minilm", "t5", "llama"), default=["minilm", "t5", "llama"])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    logging.disable_progress_bar()
    tasks = tasks_of(args.data)
    kept = RESULTS / "prompt_bank.json"
    results = json.loads(kept.read_text())["backbones"] if kept.exists() else {}
    for kind in args.backbones:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(setting_of(kind, tasks, args.device, Path(folder)))
        name = f"{kind} on {args.device}"
        results[name] = found
        show(name, found)
        about = {
            "peft": version("peft"), "tasks": [task.name for task in tasks], "examples_per_step": RECIPE.batch,
            "rows_per_task": ROWS, "prompt_length": LENGTH, "max_length": MAX_LENGTH, "steps": STEPS,
        }  # fmt: skip
        write("prompt_bank", {**about, "backbones": results})


if __name__ == "__main__":
    main()
