"""Sums of adapters beside peft's ``add_weighted_adapter``: exact where theirs is, and apart where it is not."""

from __future__ import annotations

import warnings
from importlib.metadata import version

import numpy as np
import pytest

from taskspace.merging import TaskVector, merge

pytest.importorskip("peft")

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
WEIGHTS = (0.7, -1.3, 0.5)
FULL = 10
"""The rank of either weight: a larger one makes factors there that do not fit each other."""


def _model():
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.ModuleDict({"one": nn.Linear(20, 10), "two": nn.Linear(10, 14, bias=False)})


@pytest.fixture
def adapters(tmp_path):
    """``adapters(*configs)``: a folder for each, written by peft, with random factors."""

    def make(*configs):
        import torch
        from peft import LoraConfig, get_peft_model

        folders = []
        for seed, config in enumerate(configs):
            with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
                warnings.simplefilter("ignore")  # peft finds no configuration of a model as small as this
                adapted = get_peft_model(_model(), LoraConfig(target_modules=["one", "two"], **config))
                torch.manual_seed(seed + 1)
                for name, parameter in adapted.named_parameters():
                    if parameter.requires_grad:
                        step = 0.3 * torch.randn_like(parameter)
                        parameter.data = parameter.data + step if "magnitude" in name else step
                folders.append(tmp_path / f"adapter{seed}")
                adapted.save_pretrained(folders[-1])
        return folders

    return make


@pytest.fixture
def peft_merged():
    """``peft_merged(folders, weights, type, **options)``: what peft's combination adds to each weight."""

    def run(folders, weights, combination_type, **options):
        from peft import PeftModel

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are several adapters
            model = PeftModel.from_pretrained(_model(), folders[0], adapter_name="0")
            for i, folder in enumerate(folders[1:], start=1):
                model.load_adapter(folder, adapter_name=str(i))
            names = [str(i) for i in range(len(folders))]
            model.add_weighted_adapter(names, list(weights), "sum", combination_type=combination_type, **options)
            model.set_adapter("sum")
            return _added(model.merge_and_unload())

    return run


def _added(merged):
    base, found = (dict(model.named_parameters()) for model in (_model(), merged))
    return {name: (found[name] - base[name]).detach().numpy() for name in found if "weight" in name}


@pytest.fixture
def sum_of(arrays_of):
    """``sum_of(folders, weights)``: our exact sum, by weight."""

    def run(folders, weights=WEIGHTS):
        return arrays_of(merge([TaskVector.from_peft(f, name=f.name) for f in folders], "sum", weights))

    return run


def away(found, wanted):
    """The relative error over all weights."""
    error = sum(np.sum((found[name] - values) ** 2) for name, values in wanted.items())
    return float(np.sqrt(error / sum(np.sum(values**2) for values in wanted.values())))


UNEQUAL = [{"r": 2, "lora_alpha": 6}, {"r": 5, "lora_alpha": 4}, {"r": 3, "lora_alpha": 3}]


def test_cat_of_unequal_ranks_is_the_exact_sum(adapters, peft_merged, sum_of):
    folders = adapters(*UNEQUAL)
    assert away(sum_of(folders), peft_merged(folders, WEIGHTS, "cat")) < 1e-5


@pytest.mark.parametrize("rank", [1, 4, 8])
def test_svd_is_the_sum_cut_to_a_rank(adapters, peft_merged, arrays_of, tmp_path, rank):
    """By QR of the factors here, by an SVD of the whole difference there."""
    folders = adapters(*UNEQUAL)
    vector = merge([TaskVector.from_peft(f) for f in folders], "sum", WEIGHTS)
    written = vector.to_peft(tmp_path / "cut", rank=rank)
    theirs = peft_merged(folders, WEIGHTS, "svd", svd_rank=rank)
    assert away(arrays_of(TaskVector.from_peft(tmp_path / "cut")), theirs) < 1e-4
    exact = arrays_of(vector)
    for module, lost in written.lost.items():
        whole, cut = exact[f"{module}.weight"], theirs[f"{module}.weight"]
        assert lost == pytest.approx(np.sum((whole - cut) ** 2) / np.sum(whole**2), abs=1e-5)


@pytest.mark.parametrize(("combination", "rank"), [("cat", 5), ("svd", 3)])
def test_rank_stabilised_adapters_come_out_too_large_there(adapters, peft_merged, sum_of, combination, rank):
    """Where the first is an rsLoRA, what they write is scaled once more, by the root of its rank; ours is not.

    Seen in 0.21.2, as in those before it.
    """
    folders = adapters(*({"r": r, "lora_alpha": 4, "use_rslora": True} for r in (3, 2)))
    theirs = peft_merged(folders, WEIGHTS[:2], combination)
    exact = sum_of(folders, WEIGHTS[:2])
    found = np.vdot(theirs["one.weight"], exact["one.weight"]) / np.sum(exact["one.weight"] ** 2)
    factor = found / (1 if combination == "cat" else _energy_kept(exact["one.weight"], rank))
    if version("peft") != "0.21.2" and factor == pytest.approx(1, rel=1e-3):
        pytest.skip("this version of peft has it right")
    assert factor == pytest.approx(np.sqrt(rank), rel=1e-3)


def _energy_kept(matrix, rank):
    singular = np.linalg.svd(matrix, compute_uv=False) ** 2
    return singular[:rank].sum() / singular.sum()


def test_a_rank_above_the_smaller_side(adapters, peft_merged, sum_of, arrays_of, tmp_path):
    folders = adapters(*UNEQUAL)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        peft_merged(folders, WEIGHTS, "svd", svd_rank=FULL + 4)
    merge([TaskVector.from_peft(f) for f in folders], "sum", WEIGHTS).to_peft(tmp_path / "cut", rank=FULL + 4)
    assert away(arrays_of(TaskVector.from_peft(tmp_path / "cut")), sum_of(folders)) < 1e-5


def test_a_plain_adapter_first_keeps_their_scaling_right(adapters, peft_merged, sum_of):
    folders = adapters({"r": 3, "lora_alpha": 4}, {"r": 2, "lora_alpha": 4, "use_rslora": True})
    assert away(peft_merged(folders, WEIGHTS[:2], "cat"), sum_of(folders, WEIGHTS[:2])) < 1e-5


@pytest.mark.parametrize("combination", ["linear", "ties"])
def test_sums_of_factors_are_not_factors_of_sums(adapters, peft_merged, sum_of, combination):
    """Their ``linear`` and ``ties`` add the As and the Bs: most of the sum is lost."""
    folders = adapters(*({"r": 4, "lora_alpha": 4} for _ in range(2)))
    options = {"density": 0.5} if combination == "ties" else {}
    assert away(peft_merged(folders, (1.0, -0.5), combination, **options), sum_of(folders, (1.0, -0.5))) > 0.5


def test_ties_svd_at_full_rank_is_our_ties_where_weights_are_equal(adapters, peft_merged, arrays_of):
    folders = adapters(*UNEQUAL)
    ours = arrays_of(merge([TaskVector.from_peft(f) for f in folders], "ties", density=0.3))
    assert away(peft_merged(folders, (1.0,) * 3, "ties_svd", svd_rank=FULL, density=0.3), ours) < 1e-4


def test_ties_svd_votes_by_number_and_divides_by_count(adapters, peft_merged, arrays_of):
    """With other weights theirs is another mean: the vote is not weighted, and the sum is divided by how many agree."""
    folders = adapters(*UNEQUAL)
    weights = (1.0, 0.5, 0.2)
    theirs = peft_merged(folders, weights, "ties_svd", svd_rank=FULL, density=0.3)
    trimmed = [arrays_of(merge([TaskVector.from_peft(f)], "magnitude", density=0.3)) for f in folders]
    for name, found in theirs.items():
        parts = np.stack([part[name] for part in trimmed])
        agrees = np.sign(parts) == np.where(parts.sum(axis=0) >= 0, 1, -1)
        total = np.sum(np.array(weights)[:, None, None] * parts * agrees, axis=0)
        np.testing.assert_allclose(found, total / np.maximum(agrees.sum(axis=0), 1), **CLOSE)
    ours = arrays_of(merge([TaskVector.from_peft(f) for f in folders], "ties", weights, density=0.3))
    assert away(theirs, ours) > 0.2


def test_dare_there_divides_by_the_density_as_ours_does(adapters, peft_merged, sum_of):
    folders = adapters(*UNEQUAL[:2])
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = peft_merged(folders, (1.0, 0.0), "dare_linear_svd", svd_rank=FULL, density=0.4)
    exact = sum_of(folders, (1.0, 0.0))
    for name, values in exact.items():
        ratio = theirs[name] / values
        near = np.minimum(np.abs(ratio), np.abs(ratio - 2.5)) < 0.01 + 1e-4 / np.abs(values)
        assert near.all()
        assert 0.25 < np.mean(ratio > 1) < 0.55


def test_magnitude_prune_svd_at_full_rank_is_our_magnitude(adapters, peft_merged, arrays_of):
    folders = adapters(*UNEQUAL)
    ours = arrays_of(merge([TaskVector.from_peft(f) for f in folders], "magnitude", WEIGHTS, density=0.4))
    theirs = peft_merged(folders, WEIGHTS, "magnitude_prune_svd", svd_rank=FULL, density=0.4)
    assert away(theirs, ours) < 1e-4


def test_dora_is_what_peft_merges_and_its_sum_is_theirs_one_by_one(adapters, arrays_of):
    """Sizes and directions go into one difference each, so a sum is the sum of what peft merges alone."""
    from peft import PeftModel

    folders = adapters(*({"r": 3, "lora_alpha": 5, "use_dora": True} for _ in range(2)))
    base = {name: values.detach().numpy() for name, values in _model().named_parameters()}
    alone = []
    for folder in folders:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            alone.append(_added(PeftModel.from_pretrained(_model(), folder).merge_and_unload()))
    vectors = [TaskVector.from_peft(folder, base=base) for folder in folders]
    for vector, wanted in zip(vectors, alone, strict=True):
        assert away(arrays_of(vector), wanted) < 1e-5
    total = arrays_of(merge(vectors, "sum", (0.7, 0.4)))
    assert away(total, {n: 0.7 * alone[0][n] + 0.4 * alone[1][n] for n in alone[0]}) < 1e-5


def test_cat_of_dora_there_forgets_the_sizes(adapters, peft_merged, arrays_of):
    """The new adapter's sizes are not those that were trained, so it is not the sum of the two."""
    folders = adapters(*({"r": 3, "lora_alpha": 5, "use_dora": True} for _ in range(2)))
    base = {name: values.detach().numpy() for name, values in _model().named_parameters()}
    exact = arrays_of(merge([TaskVector.from_peft(f, base=base) for f in folders], "sum", (0.7, 0.4)))
    assert away(peft_merged(folders, (0.7, 0.4), "cat"), exact) > 0.2
