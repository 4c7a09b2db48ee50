"""What does merging cost: four fine-tuned models of 468 MB and their base, ours beside mergekit and a plain copy.

For linear, TIES, DARE and TSV: wall and CPU seconds, peak memory and the bytes that went in and out, each run in a
process of its own.  mergekit has no TSV; a plain loop of torch SVDs, as its algorithm is printed, stands there.
The files are in the page cache before every run, or, in the rows called cold, in nobody's memory.

    python benchmarks/merge.py --work FOLDER                  # resumable; makes 2.4 GB of models there first
    python benchmarks/merge.py --work FOLDER --methods linear ties --repeats 1

What was measured lies in FOLDER, one line a run; the table goes to results/merge.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from _common import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODELS = 4
WIDTH, INNER, VOCABULARY, LAYERS = 1024, 2816, 128_256, 8
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": INNER,
    "num_hidden_layers": LAYERS, "num_attention_heads": 16, "num_key_value_heads": 16, "vocab_size": VOCABULARY,
    "tie_word_embeddings": True, "torch_dtype": "float16",
}  # fmt: skip
WEIGHT, DENSITY = 1 / MODELS, 0.2
METHODS: dict[str, tuple[str, dict[str, Any], str | None, dict[str, Any]]] = {
    "linear": ("mean", {}, "linear", {}),
    "ties": ("ties", {"density": DENSITY}, "ties", {"density": DENSITY}),
    "dare": ("dare", {"density": DENSITY}, "dare_linear", {"density": DENSITY}),
    "tsv": ("tsv", {}, None, {}),
}
"""Our name and options, mergekit's name and parameters."""
OPTIONS = {"lazy_unpickle": True, "out_shard_size": 100_000_000, "copy_tokenizer": False, "write_model_card": False,
           "quiet": True}  # fmt: skip
"""Of mergekit: what keeps its memory low.  A small shard is written, and its tensors let go, before the next."""
TICK = 0.01
COPY = "cp"


@dataclass(frozen=True)
class Bench:
    """Models and results lie in ``work``."""

    work: Path

    def model(self, name: str) -> Path:
        return self.work / f"{name}.safetensors"

    @property
    def names(self) -> list[str]:
        return ["base", *(f"m{i}" for i in range(MODELS))]

    @property
    def files(self) -> list[Path]:
        return [self.model(name) for name in self.names]

    def folder(self, name: str) -> Path:
        """The same file as a Hugging Face folder, which mergekit asks for."""
        folder = self.work / f"hf-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(CONFIG))
        if not (folder / "model.safetensors").exists():
            (folder / "model.safetensors").symlink_to(self.model(name).resolve())
        return folder

    def out(self, tool: str, method: str) -> Path:
        return self.work / (f"out-{tool}-{method}" + ("" if tool == "mergekit" else ".safetensors"))


def shapes() -> dict[str, tuple[int, ...]]:
    """An embedding of 262 MB in half precision, and eight layers."""
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, WIDTH),
        "model.norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        found |= {f"{at}self_attn.{part}_proj.weight": (WIDTH, WIDTH) for part in "qkvo"}
        found |= {f"{at}mlp.{part}_proj.weight": (INNER, WIDTH) for part in ("gate", "up")}
        found |= {f"{at}mlp.down_proj.weight": (WIDTH, INNER)}
        found |= {f"{at}{part}_layernorm.weight": (WIDTH,) for part in ("input", "post_attention")}
    return found


def make(bench: Bench, seed: int) -> None:
    """A random base of standard deviation 0.02, and differences to it of 0.002, in half precision."""
    bench.work.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(bench.names):
        if not bench.model(name).exists():
            print(f"making {name}")
            begun = bench.work / f"{name}.part"
            save_file({key: _drawn(key, shape, seed, place) for key, shape in shapes().items()}, begun)
            begun.rename(bench.model(name))


def _drawn(name: str, shape: tuple[int, ...], seed: int, place: int) -> np.ndarray:
    def normal(which: int, scale: float) -> np.ndarray:
        generator = np.random.default_rng([seed, which, *name.encode()])
        return (scale * generator.standard_normal(shape, dtype=np.float32)).astype(np.float16)

    return normal(0, 0.02) + normal(place, 0.002) if place else normal(0, 0.02)


# What is measured, each in a process of its own: imports first, then a function that does the work.


def ours(bench: Bench, method: str) -> Callable[[], None]:
    from taskspace.merging import TaskVector, merge

    name, options, _, _ = METHODS[method]

    def run() -> None:
        base, *tuned = bench.files
        weights = [WEIGHT] * MODELS
        merge([TaskVector.diff(file, base) for file in tuned], name, weights, **options).apply(
            base, bench.out("taskspace", method)
        )

    return run


def theirs(bench: Bench, method: str) -> Callable[[], None]:
    """``mergekit-yaml`` without its command line; the files are in the models' own dtype, as its examples have it."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    _, _, name, parameters = METHODS[method]
    base, *tuned = (str(bench.folder(model)) for model in bench.names)
    said = {
        "merge_method": name, "dtype": "float16",
        **({} if name == "linear" else {"base_model": base}),
        "models": [{"model": model, "parameters": {"weight": WEIGHT, **parameters}} for model in tuned],
    }  # fmt: skip

    def run() -> None:
        out = bench.out("mergekit", method)
        run_merge(MergeConfiguration.model_validate(said), str(out), MergeOptions(**OPTIONS))
        for file in out.glob("*.safetensors"):
            _synced(file)

    return run


def literal(bench: Bench, method: str) -> Callable[[], None]:
    """TSV-Merge as printed (arXiv 2412.00081, algorithm 1), a tensor at a time."""
    import torch
    from safetensors.torch import save_file as save

    def merged(base: torch.Tensor, tuned: list[torch.Tensor]) -> torch.Tensor:
        deltas = [model.float() - base.float() for model in tuned]
        if base.ndim != 2:
            return (base.float() + sum(deltas) / MODELS).half()
        kept = min(base.shape) // MODELS
        parts = [torch.linalg.svd(delta, full_matrices=False) for delta in deltas]
        u = torch.cat([u[:, :kept] for u, _, _ in parts], dim=1)
        v = torch.cat([v[:kept] for _, _, v in parts])
        s = torch.cat([WEIGHT * s[:kept] for _, s, _ in parts])
        (pu, _, qu), (pv, _, qv) = (torch.linalg.svd(side, full_matrices=False) for side in (u, v))
        return (base.float() + (pu @ qu * s) @ (pv @ qv)).half()

    def run() -> None:
        with contextlib.ExitStack() as stack:
            base, *tuned = (stack.enter_context(safe_open(file, "pt")) for file in bench.files)
            result = {n: merged(base.get_tensor(n), [m.get_tensor(n) for m in tuned]) for n in shapes()}
            save(result, bench.out("plain", method))
        _synced(bench.out("plain", method))

    return run


def copied(bench: Bench, method: str) -> Callable[[], None]:
    """The floor: all five files are read and one is written, by ``cat`` and ``cp``."""

    def run() -> None:
        base, *tuned = bench.files
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a stream, not a file
            subprocess.run(["cat", *tuned], check=True, stdout=nowhere)
        subprocess.run(["cp", "--reflink=never", base, bench.out(COPY, method)], check=True)
        _synced(bench.out(COPY, method))

    return run


TOOLS: dict[str, Callable[[Bench, str], Callable[[], None]]] = {
    "taskspace": ours, "mergekit": theirs, "plain": literal, COPY: copied,
}  # fmt: skip


def pairs(methods: list[str]) -> Iterator[tuple[str, str, bool]]:
    """The copy, then each method by both, one after the other; then linear from the disk, where that is what counts."""
    yield COPY, "files", False
    for method in methods:
        yield "taskspace", method, False
        yield ("plain" if METHODS[method][2] is None else "mergekit"), method, False
    if "linear" in methods:
        yield COPY, "files", True
        yield "taskspace", "linear", True
        yield "mergekit", "linear", True


def _synced(file: Path) -> None:
    """All wait until the disk has it, since ours does."""
    handle = os.open(file, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def child(bench: Bench, tool: str, method: str) -> None:
    """Imports, a word on what they took, then the work and what it took."""
    run = TOOLS[tool](bench, method)
    print(json.dumps({"imported": _status("self")}), flush=True)
    before, began, busy = _bytes(), time.perf_counter(), _cpu()
    run()
    seconds, cpu, after = time.perf_counter() - began, _cpu() - busy, _bytes()
    io = {key: after[key] - before[key] for key in after}
    print(json.dumps({"seconds": seconds, "cpu": cpu, **io}), flush=True)


def _cpu() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _bytes() -> dict[str, int]:
    """What went through read and write calls; what is read by memory maps is not among it."""
    said = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return {"read": int(said["rchar"]), "written": int(said["wchar"])}


def _status(process: int | str) -> dict[str, int]:
    """Bytes in memory: all, and those that are no pages of files, which the system could drop."""
    said = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {"all": 1024 * int(said["VmRSS"].split()[0]), "own": 1024 * int(said["RssAnon"].split()[0])}


def measure(bench: Bench, tool: str, method: str, *, cold: bool) -> dict[str, Any]:
    """One run, with its memory looked at every hundredth of a second."""
    _remove(bench.out(tool, method))
    for file in bench.files:
        _forget(file) if cold else subprocess.run(["cat", file], check=True, stdout=subprocess.DEVNULL)
    words = [sys.executable, __file__, "--work", str(bench.work), "--child", tool, method]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = {"all": 0, "own": 0}
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError, KeyError, ProcessLookupError):  # it has just ended
            for key, seen in _status(process.pid).items():
                peak[key] = max(peak[key], seen)
        time.sleep(TICK)
    said, wrong = process.communicate()
    if process.returncode:
        raise SystemExit(f"{tool} {method} failed:\n{wrong[-2000:]}")
    imported, took = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    memory = {"peak": peak["all"], "peak_own": peak["own"], "beyond_import": peak["all"] - imported["imported"]["all"],
              "own_beyond_import": peak["own"] - imported["imported"]["own"]}  # fmt: skip
    return {"tool": tool, "method": method, "cold": cold, **took, **memory}


def _forget(file: Path) -> None:
    """Have the system drop what it holds of a file in memory."""
    handle = os.open(file, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def agreement(bench: Bench, method: str) -> float | None:
    """The length of the difference between ours and the other's over that of the other's change of the base, in the
    first rows of every tensor; DARE draws at random, so there is none."""
    rival = "plain" if METHODS[method][2] is None else "mergekit"
    mine, other = bench.out("taskspace", method), bench.out(rival, method)
    if method == "dare" or not mine.exists() or not other.exists():
        return None
    apart = change = 0.0
    with safe_open(mine, "np") as found, safe_open(bench.model("base"), "np") as base:
        for file in sorted(other.glob("*.safetensors")) if other.is_dir() else [other]:
            with safe_open(file, "np") as wanted:
                for name in list(wanted.keys()):
                    rows = [opened.get_slice(name)[:64].astype(np.float64) for opened in (found, wanted, base)]
                    apart += float(np.sum((rows[0] - rows[1]) ** 2))
                    change += float(np.sum((rows[1] - rows[2]) ** 2))
    return float(np.sqrt(apart / change))


def run_all(
    bench: Bench, methods: list[str], repeats: int, tools: list[str]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Every run that is not there yet; the plain loop takes long and runs once."""
    journal = bench.work / "merge_runs.jsonl"
    runs = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    done = {(run["tool"], run["method"], run["cold"], run["repeat"]) for run in runs}
    agreed: dict[str, float] = {run["method"]: run["apart"] for run in runs if "apart" in run}
    for repeat in range(repeats):
        for tool, method, cold in pairs(methods):
            if (tool, method, cold, repeat) in done or (tool == "plain" and repeat) or tool not in tools:
                continue
            load = os.getloadavg()[0]
            run = {"repeat": repeat, "load": round(load, 2), **measure(bench, tool, method, cold=cold)}
            what = f"{tool:<10} {_row(method, cold=cold):<12}"
            print(f"{what} {run['seconds']:7.1f} s, {run['cpu']:7.1f} s of CPU, {_mb(run['peak']):>6} MB", flush=True)
            if tool not in ("taskspace", COPY) and (apart := agreement(bench, method)) is not None:
                run["apart"] = agreed[method] = apart
            with journal.open("a") as file:
                file.write(json.dumps(run) + "\n")
            runs.append(run)
            if tool != "taskspace":
                _remove(bench.out(tool, method))
        for method in methods:
            _remove(bench.out("taskspace", method))
    return runs, agreed


def tsv_steps(bench: Bench) -> dict[str, dict[str, float]]:
    """CPU seconds of what TSV spends its time on, for one matrix of a layer: ours, and what it takes the place of."""
    name = "model.layers.0.mlp.up_proj.weight"
    with safe_open(bench.model("base"), "np") as base, safe_open(bench.model("m0"), "np") as tuned:
        delta = tuned.get_tensor(name).astype(np.float32) - base.get_tensor(name).astype(np.float32)
    double = delta.astype(np.float64)
    gram = double.T @ double
    steps = {
        "gram matrix, float64": lambda: double.T @ double,
        "its eigenvectors, float64": lambda: np.linalg.eigh(gram),
        "rows onto directions, float64": lambda: double @ gram,
        "instead: SVD, float32": lambda: np.linalg.svd(delta, full_matrices=False),
    }
    found: dict[str, float] = {}
    for step, work in steps.items():
        work()
        began = time.process_time()
        work()
        found[step] = round(time.process_time() - began, 2)
    return {f"{name} {list(delta.shape)}": found}


def _row(method: str, *, cold: bool) -> str:
    return f"{method} cold" if cold else method


def _mb(count: float) -> int:
    return round(count / 1e6)


def summary(runs: list[dict[str, Any]], tool: str, method: str) -> dict[str, float]:
    mine = [run for run in runs if (run["tool"], _row(run["method"], cold=run["cold"])) == (tool, method)]
    found: dict[str, float] = {"runs": len(mine)}
    for key in ("seconds", "cpu"):
        values = [run[key] for run in mine]
        found |= {key: round(float(np.median(values)), 2), f"{key}_least": round(min(values), 2),
                  f"{key}_most": round(max(values), 2)}  # fmt: skip
    for key in ("peak", "peak_own", "beyond_import", "own_beyond_import", "read", "written"):
        found[f"{key}_mb"] = _mb(float(np.median([run[key] for run in mine])))
    return found


def ratios(table: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Ours over the other's, and over the copy; below 1 is better."""
    found: dict[str, dict[str, float]] = {}
    for method, tools in table.items():
        if "taskspace" not in tools:
            continue
        floor = table["files cold" if method.endswith("cold") else "files"][COPY]
        mine, other = tools["taskspace"], tools.get("mergekit") or tools.get("plain")
        found[method] = {"seconds_over_copy": round(mine["seconds"] / floor["seconds"], 2)}
        if other:
            keys = ("seconds", "cpu", "peak_mb", "peak_own_mb", "beyond_import_mb", "own_beyond_import_mb")
            found[method] |= {key: round(mine[key] / other[key], 3) for key in keys}
    return found


def show(table: dict[str, dict[str, dict[str, float]]], said: dict[str, dict[str, float]]) -> None:
    print(
        f"\n{'method':<12} {'tool':<10} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'own MB':>8} {'beyond import':>14}"
    )
    for method, tools in table.items():
        for tool, row in tools.items():
            print(
                f"{method:<12} {tool:<10} {row['seconds']:>8.1f} {row['cpu']:>8.1f} {row['peak_mb']:>8}"
                f" {row['peak_own_mb']:>8} {row['beyond_import_mb']:>14}"
            )
    for method, row in said.items():
        print(f"{method}: ours over the other's: {json.dumps(row)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where models and runs lie; 4 GB")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    bench = Bench(args.work)
    if args.child:
        child(bench, *args.child)
        return
    make(bench, args.seed)
    runs, agreed = run_all(bench, args.methods, args.repeats, args.tools)
    table: dict[str, dict[str, dict[str, float]]] = {}
    for tool, method in dict.fromkeys((run["tool"], _row(run["method"], cold=run["cold"])) for run in runs):
        table.setdefault(method, {})[tool] = summary(runs, tool, method)
    said = ratios(table)
    show(table, said)
    sys.argv = ["FOLDER" if word == str(args.work) else word for word in sys.argv]  # where it lay tells nobody anything
    write("merge", {
        "models": MODELS, "bytes_of_a_model": bench.model("base").stat().st_size, "density": DENSITY,
        "page_cache": "warm: all five files are read before every run; cold: dropped from it before",
        "disk": "every tool waits for fsync",
        "mergekit_options": OPTIONS, "peak": "sampled every 10 ms; peak_own leaves out pages of mapped files",
        "apart": {"what": "length of the difference over that of the change of the base", **agreed},
        **({"tsv_steps_cpu_seconds": tsv_steps(bench)} if "tsv" in args.methods else {}),
        "ours_over_others": said, "table": table, "runs": runs,
    })  # fmt: skip


if __name__ == "__main__":
    main()
