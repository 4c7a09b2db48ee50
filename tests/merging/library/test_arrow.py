"""Prototypes beside a dense SVD, and the routed model beside peft's own and beside a plain loop."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from taskspace.errors import MissingExtra, SettingError, WeightsError
from taskspace.merging import TaskVector
from taskspace.merging.library import arrow

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

TARGETS = ["q_proj", "v_proj"]
TOKENS = [[5, 9, 3, 17, 4, 8], [2, 2, 7, 1, 11, 30]]


def llama():
    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=16, initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.LlamaForCausalLM(config).eval()


def save_adapter(folder, seed, *, rank=3, targets=TARGETS, gap=True, **config):
    """With ``gap`` the first singular value stands out, so that power iteration comes to its end."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # transformers tells peft of a name that will go
        settings = peft.LoraConfig(r=rank, lora_alpha=5, target_modules=targets, **config)
        adapted = peft.get_peft_model(llama(), settings)
        torch.manual_seed(seed)
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.data = 0.5 * torch.randn_like(parameter)
            if "lora_A" in name and gap:
                parameter.data[0] *= 20
        adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("experts")
    return [save_adapter(root / f"e{seed}", seed) for seed in range(4)]


@pytest.fixture(scope="module")
def vectors(folders):
    return [TaskVector.from_peft(folder) for folder in folders]


# transformers tells peft of a name that will go in its version 6
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def logits(model):
    with torch.inference_mode():
        return model(input_ids=torch.tensor(TOKENS)).logits.double().numpy()


def test_prototypes_are_first_right_singular_vectors(vectors):
    router = arrow(vectors)
    assert len(router.prototypes) == 4
    for name in vectors[0].layout:
        found = router.prototypes[name.removesuffix(".weight")]
        for vector, prototype in zip(vectors, found, strict=True):
            pair = vector.carrier.pairs[name]
            first = np.linalg.svd(pair.up.astype(float) @ pair.down.astype(float))[2][0]
            assert abs(first @ prototype) == pytest.approx(1, abs=1e-6)
            assert np.linalg.norm(prototype) == pytest.approx(1, abs=1e-6)


def test_weights_by_hand(vectors):
    router = arrow(vectors, top_k=2, temperature=0.5)
    module_name = next(iter(router.prototypes))
    states = np.random.default_rng(0).standard_normal((7, 16))
    for row, state in zip(router.weights(module_name, states), states, strict=True):
        heard = np.abs(router.prototypes[module_name] @ state)
        best = np.argsort(-heard)[:2]
        wanted = np.exp(heard[best] / 0.5) / np.exp(heard[best] / 0.5).sum()
        np.testing.assert_allclose(row[best], wanted, rtol=1e-5)
        assert np.count_nonzero(row) == 2


@pytest.mark.parametrize(("top_k", "temperature"), [(1, 1.0), (2, 0.3), (4, 2.0)])
def test_the_routed_model_is_pefts_own(folders, vectors, top_k, temperature):
    """Where power iteration comes to its end: peft reads the folders, and its prototypes are ours up to sign."""
    from peft.tuners.lora import ArrowConfig, create_arrow_model

    settings = ArrowConfig(top_k=top_k, router_temperature=temperature, rng_seed=0)
    theirs = create_arrow_model(llama(), [str(folder) for folder in folders], settings).eval()
    ours = arrow(vectors, top_k=top_k, temperature=temperature).route(llama()).eval()
    np.testing.assert_allclose(logits(ours), logits(theirs), atol=1e-4)
    assert np.abs(logits(ours) - logits(llama())).max() > 0.1


def test_each_module_adds_the_weighted_answers_of_its_adapters(vectors):
    router = arrow(vectors, top_k=2)
    routed = router.route(llama()).eval()
    at = "model.layers.0.self_attn.q_proj"
    layer = routed.get_submodule(f"base_model.model.{at}")
    states = torch.tensor(np.random.default_rng(0).standard_normal((1, 5, 16)), dtype=torch.float32)
    with torch.inference_mode():
        added = (layer(states) - layer.base_layer(states))[0].numpy()
    steps = [vector.carrier.pairs[f"{at}.weight"] for vector in vectors]
    answers = np.stack([states[0].numpy() @ (pair.up @ pair.down).T for pair in steps], axis=1)
    wanted = np.einsum("te,teo->to", router.weights(at, states[0].numpy()), answers)
    np.testing.assert_allclose(added, wanted, atol=1e-4)


def test_where_power_iteration_stops_short_ours_are_exact(tmp_path):
    """Of factors without a gap peft's 15 steps are some way off."""
    folder = save_adapter(tmp_path / "e", 1, rank=8, gap=False)
    vector = TaskVector.from_peft(folder)
    routed = arrow([vector], top_k=1).route(llama())
    cosines = []
    for layer in routed.modules():
        if hasattr(layer, "lora_arrow"):
            inner = layer.lora_arrow["arrow_router"]
            theirs = inner.top_right_singular_vec_from_BA(layer.lora_A["task_0"].weight, layer.lora_B["task_0"].weight)
            delta = (layer.lora_B["task_0"].weight @ layer.lora_A["task_0"].weight).detach().double().numpy()
            exact = np.linalg.svd(delta)[2][0]
            assert abs(inner.prototypes[0].double().numpy() @ exact) == pytest.approx(1, abs=1e-6)
            cosines.append(abs(theirs.detach().double().numpy() @ exact))
    assert min(cosines) < 0.999


def test_sums_are_routed_to_when_cut_to_one_rank(vectors):
    both = [vectors[0] + vectors[1], vectors[2]]
    with pytest.raises(WeightsError, match="ranks 3 to 6, and peft routes among equal ones; give rank=3"):
        arrow(both, top_k=1).route(llama())
    routed = arrow(both, top_k=1).route(llama(), rank=3).eval()
    assert np.isfinite(logits(routed)).all()


def test_what_cannot_be_is_told(vectors, tmp_path, monkeypatch):
    with pytest.raises(SettingError, match="no vector was given to route to"):
        arrow([])
    for top_k in (0, 5):
        with pytest.raises(SettingError, match=f"top_k is {top_k}; give a number from 1 to 4"):
            arrow(vectors, top_k=top_k)
    with pytest.raises(SettingError, match="the temperature is 0"):
        arrow(vectors, temperature=0)
    less = TaskVector.from_peft(save_adapter(tmp_path / "less", 9, targets=["q_proj"]))
    with pytest.raises(WeightsError, match=r"v_proj' is changed by only one of .*; route adapters of one target"):
        arrow([vectors[0], less], top_k=1)
    words = TaskVector.from_peft(save_adapter(tmp_path / "words", 9, targets=["embed_tokens"]))
    dense = TaskVector.from_arrays({"w": np.ones((3, 3), "f4")})
    for odd in (words, dense):
        with pytest.raises(WeightsError, match="is not changed by factors of a linear layer alone"):
            arrow([odd], top_k=1)
    monkeypatch.setitem(sys.modules, "peft.tuners.lora", None)
    monkeypatch.setattr("taskspace._extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"needs peft, which is not installed; pip install 'taskspace\[peft\]'"):
        arrow(vectors).route(llama())
