"""Which likeness of soft prompts finds the source that helps?  On published prompts and transfers.

The prompts and transfers of Su et al. 2022 (thunlp/Prompt-Transferability): 14 tasks on roberta-base, 17 on
t5-small, four of them generation.  Per target all other prompts are ordered by each measure of
`taskspace.prompting.likeness`, and the order is scored against the measured transfers: NDCG with linear gain, min-max
scaled per target over its candidates, whole list; source = target and the untrained `random` are left out.

With so few targets the best of many measures looks better than it is.  So a measure is chosen on one backbone and
confirmed on the other, both ways, by two rules; and chosen leave-one-target-out on each.  `luck` tells how often the
largest t of all gains would be reached by luck alone.  Intervals are bootstrapped over targets and know nothing of
the choice.  The backbones share 13 tasks, so the one is no fully independent check of the other.

What the measures are was settled after many more had been tried on both backbones, bandwidth and shares included; the
sweep over both shows how much hangs on them, and what is lost where less was measured.

    python benchmarks/published_prompts.py          # a minute
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from _common import DATA, write
from taskspace.prompting.likeness import (
    MEASURES,
    Measure,
    evaluate_transfers,
    interval,
    known_transfers,
    neighbours,
    read_transfers,
    with_neighbours,
)
from taskspace.prompting.likeness import by_target as scores_by_target
from taskspace.ranking import ndcg

BACKBONES = ("roberta-base", "t5-small")
GENERATION = {"multi_news", "nq_open", "samsum", "squad"}
NO_GENERATION = "t5-small, no generation"
CONTROLS = {"norm_difference", "source_norm", "prior"}
FAMILIES = {
    "sentiment": {"IMDB", "SST2", "movierationales", "tweetevalsentiment", "laptop", "restaurant"},
    "inference": {"MNLI", "snli", "QNLI"}, "paraphrase": {"MRPC", "QQP"},
    "ethics": {"ethicsdeontology", "ethicsjustice"}, "answers": {"squad", "nq_open"},
    "summaries": {"samsum", "multi_news"},
}  # fmt: skip
BANDWIDTHS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
SHARES = (0.25, 0.5, 0.75, 1.0)


def read(data: Path) -> dict[str, tuple[dict, list]]:
    """Backbone -> its prompts and transfers; t5-small once more with classification tasks only."""
    from safetensors.numpy import load_file

    table = data / "published" / "prompt_transfer.csv"
    sets = {
        b: (load_file(data / "published" / f"prompts_{b}.safetensors"), read_transfers(table, model=b))
        for b in BACKBONES
    }
    prompts, transfers = sets["t5-small"]
    kept = {name: tokens for name, tokens in prompts.items() if name not in GENERATION}
    sets[NO_GENERATION] = (kept, [row for row in transfers if row.target in kept and row.source in {*kept, "random"}])
    return sets


def hundredths(said, digits: int = 2) -> list[float]:
    """Mean and interval, times 100."""
    return [round(100 * x, digits) for x in (said.mean, said.low, said.high)]


def row(evaluation, pooled) -> dict:
    points = ("regret_1", "regret_3")
    return {
        "ndcg": hundredths(evaluation.mean()),
        "gain": hundredths(evaluation.gain_over(pooled)),
        **{name: round(100 * evaluation.mean(name).mean, 2) for name in points},
        "spearman": round(evaluation.mean("spearman").mean, 3),
        "per_target": {result.target: round(result.ndcg, 4) for result in evaluation},
    }


def chance_row(evaluation) -> dict:
    means = {key: evaluation.mean(f"{key}_chance").mean for key in ("ndcg", "regret_1", "regret_3")}
    return {key: round(100 * value, 2) for key, value in means.items()}


def choices(tables: dict, names: list[str]) -> list[dict]:
    """What each rule picks on one backbone, and what that is worth on the other."""
    rules = {"highest mean": 0, "highest lower end of the gain": 1}
    made = []
    for here, there in (BACKBONES, BACKBONES[::-1]):
        for rule, place in rules.items():
            best = max(names, key=lambda name: tables[here][name]["gain"][place])  # noqa: B023
            seen = {key: tables[b][best][part] for key, b, part in
                    (("ndcg_here", here, "ndcg"), ("gain_here", here, "gain"),
                     ("ndcg_there", there, "ndcg"), ("gain_there", there, "gain"))}  # fmt: skip
            made.append({"chosen_on": here, "confirmed_on": there, "rule": rule, "measure": best, **seen})
    return made


def per_target(table: dict, names: list[str]) -> np.ndarray:
    """float64[measures, targets]: NDCG."""
    return np.array([list(table[name]["per_target"].values()) for name in names])


def chosen_without_the_target(table: dict, names: list[str]) -> dict:
    """For each target the measure with the highest mean on the others: what choosing on one's own backbone brings."""
    values = per_target(table, names)
    others = values.sum(axis=1, keepdims=True) - values
    got = values[others.argmax(axis=0), np.arange(values.shape[1])]
    return {"ndcg": hundredths(interval(got)), "gain": hundredths(interval(got - per_target(table, ["pooled"])[0]))}


def luck(table: dict, names: list[str], draws: int = 10_000) -> dict:
    """How often the largest t of all gains over pooled would be reached if each gain were as likely a loss.

    Signs are flipped for a whole target at once, so that what measures have in common stays (Westfall and Young 1993).
    """
    gains = per_target(table, names) - per_target(table, ["pooled"])
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(draws, gains.shape[1]))
    seen, flipped = t_values(gains), t_values(gains[:, None] * signs).max(axis=0)
    best = int(seen.argmax())
    return {
        "measure": names[best],
        "t": round(float(seen[best]), 2),
        "p": round(float((flipped >= seen[best]).mean()), 3),
    }


def t_values(gains: np.ndarray) -> np.ndarray:
    """Mean over standard error, over the last axis."""
    return gains.mean(axis=-1) / gains.std(axis=-1, ddof=1) * gains.shape[-1] ** 0.5


def both(tables: dict, name: str) -> list[float]:
    """Gain over pooled, mean of the two backbones, tasks drawn once for both."""
    gains = {b: per_target(tables[b], [name])[0] - per_target(tables[b], ["pooled"])[0] for b in BACKBONES}
    by_task = [dict(zip(tables[b][name]["per_target"], gains[b], strict=True)) for b in BACKBONES]
    tasks = sorted(set().union(*by_task))
    values = np.array([[gain.get(task, np.nan) for task in tasks] for gain in by_task])
    drawn = np.random.default_rng(0).integers(len(tasks), size=(10_000, len(tasks)))
    means = np.nanmean(values[:, drawn], axis=2).mean(axis=0)
    return [round(100 * float(x), 2) for x in (np.nanmean(values, axis=1).mean(), *np.percentile(means, [2.5, 97.5]))]


def with_less_known(prompts: dict, transfers: list, measure: Measure, *, family: bool, own: bool) -> float:
    """Mean NDCG when less was measured: not the columns of the target's family (own cells stay), or no own cells."""
    scores, got = scores_by_target(transfers), []
    kin = {name: members for members in FAMILIES.values() for name in members}
    for target in scores:
        names = [name for name in prompts if name != target]
        known = known_transfers(scores, target, names)
        for p, name in enumerate(names):
            cell = known[p, p] if own else np.nan
            if not family and name in kin.get(target, ()):
                known[p] = np.nan
            known[p, p] = cell
        given = measure(prompts[target], [prompts[name] for name in names], known=known)
        got.append(ndcg([scores[target][name] for name in names], given))
    return float(np.mean(got))


def sweep(sets: dict) -> dict:
    """Points over pooled: neighbours by bandwidth, and by share beside pooled when less is known."""
    rule = MEASURES["pooled"].rule
    table: dict[str, dict] = {"bandwidth": {}, "share": {}}
    for backbone in BACKBONES:
        prompts, transfers = sets[backbone]
        pooled = evaluate_transfers(prompts, transfers)
        for width in BANDWIDTHS:
            found = evaluate_transfers(prompts, transfers, Measure(neighbours(rule, width), "", needs=("transfers",)))
            table["bandwidth"].setdefault(str(width), {})[backbone] = hundredths(found.gain_over(pooled))
        for share in SHARES:
            measure = Measure(with_neighbours(rule, share), "", needs=("transfers",))
            known = {"all known": (True, True), "own cells unknown": (True, False), "family unknown": (False, True)}
            table["share"].setdefault(str(share), {})[backbone] = {
                what: round(
                    100 * (with_less_known(prompts, transfers, measure, family=f, own=o) - pooled.mean().mean), 2
                )
                for what, (f, o) in known.items()
            }
    return table


def show(tables: dict, chances: dict) -> None:
    head = "".join(f"{backbone:<46}" for backbone in tables)
    print(f"{'':<26}{head}\n{'':<26}" + f"{'NDCG':<21}{'over pooled':<22}rho" * len(tables))
    print(f"{'chance':<26}" + "".join(f"{chance['ndcg']:5.1f}{'':<41}" for chance in chances.values()))
    for name in MEASURES:
        cells = [table[name] for table in tables.values()]
        print(
            f"{name:<26}"
            + "".join(f"{spread(c['ndcg'])}  {spread(c['gain'], '+')}  {c['spearman']:5.2f}  " for c in cells)
        )


def spread(said: list[float], sign: str = "") -> str:
    mean, low, high = (f"{x:{sign}.1f}" for x in said)
    return f"{mean:>5} [{low:>5}, {high:>5}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    sets = read(parser.parse_args().data)
    found = {b: {name: evaluate_transfers(*pair, name) for name in MEASURES} for b, pair in sets.items()}
    tables = {b: {name: row(e, table["pooled"]) for name, e in table.items()} for b, table in found.items()}
    chances = {b: chance_row(table["pooled"]) for b, table in found.items()}
    show(tables, chances)
    alone = [
        n for n, m in MEASURES.items() if n not in {*CONTROLS, "pooled"} and not {"prior", "transfers"} & {*m.needs}
    ]
    informed = [n for n in MEASURES if n not in {*CONTROLS, "pooled"}]
    families = {"prompts alone": alone, "with transfers": informed}
    chosen = {family: choices(tables, names) for family, names in families.items()}
    for family, made in chosen.items():
        for c in made:
            print(f"{family}: {c['measure']} by {c['rule']} on {c['chosen_on']} ({spread(c['gain_here'], '+')}), "
                  f"on {c['confirmed_on']} {spread(c['ndcg_there'])}, {spread(c['gain_there'], '+')}")  # fmt: skip
    held = {f: {b: chosen_without_the_target(tables[b], names) for b in BACKBONES} for f, names in families.items()}
    lucky = {f: {b: luck(tables[b], names) for b in BACKBONES} for f, names in families.items()}
    together = {name: both(tables, name) for name in informed}
    swept = sweep(sets)
    for title, value in (("chosen leave-one-target-out", held), ("luck", lucky), ("sweep", swept)):
        print(title, value)
    for name, said in sorted(together.items(), key=lambda pair: -pair[1][0]):
        print(f"both backbones {name:<26}{spread(said, '+')}")
    largest = {b: {n: round(float(np.abs(t).max()), 3) for n, t in sets[b][0].items()} for b in BACKBONES}
    write("published_prompts", {
        "targets": {b: len(table["pooled"]) for b, table in found.items()}, "chance": chances, "measures": tables,
        "chosen": chosen, "chosen_leave_one_target_out": held, "luck": lucky, "both_backbones": together,
        "neighbours": swept, "largest_entry": largest,
    })  # fmt: skip


if __name__ == "__main__":
    main()
