"""TaskEmb on tuned models, against autograd example by example."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.bench.fute.originals import tuned_fishers, wearing
from taskspace.tuning.fine_tuning import FineTuned


@pytest.fixture
def tuned(models, encoder):
    from safetensors.numpy import load_file

    return FineTuned.of(encoder, load_file(models / "models" / "mood.safetensors"))


def test_a_surrogate_wears_other_weights_for_a_while(encoder, tuned):
    before = {key: value.clone() for key, value in encoder.module.state_dict().items()}
    with wearing(encoder, tuned.body) as worn:
        assert all(value.equal(tuned.body.state_dict()[key]) for key, value in worn.module.state_dict().items())
    assert all(value.equal(encoder.module.state_dict()[key]) for key, value in before.items())


def test_a_source_is_the_fisher_of_its_own_tuned_model(make_study, models, encoder, tuned):
    torch = pytest.importorskip("torch")
    from transformers import AutoTokenizer

    study = make_study("pairings")
    _, sources = tuned_fishers(study)
    found = sources["mood"]
    task = study.source_rows("mood")
    rows = np.sort(np.random.default_rng(0).permutation(len(task))[:8])
    tokenizer = AutoTokenizer.from_pretrained(encoder.located.folder)
    tuned.body.requires_grad_(requires_grad=True)
    layers = {n: m for n, m in tuned.body.named_modules() if isinstance(m, torch.nn.Linear)}
    squares = {name: torch.zeros(layer.weight.shape[0], dtype=torch.float64) for name, layer in layers.items()}
    for row in rows:
        tuned.body.zero_grad()
        states = tuned.body(**tokenizer(task.texts[row], return_tensors="pt")).last_hidden_state[0]
        log_p = tuned.head(states.mean(0)).log_softmax(0)[task.labels.codes[row]]
        log_p.backward()
        for name, layer in layers.items():
            if layer.weight.grad is not None:
                squares[name] += layer.weight.grad.double().square().sum(dim=1)
    cuts = np.cumsum([size for _, size in found.blocks])[:-1]
    parts = dict(zip([name for name, _ in found.blocks], np.split(found.vector, cuts), strict=True))
    wanted = {name: np.sqrt(squares[name].numpy()) for name in parts}
    size = np.sqrt(sum((part**2).sum() for part in wanted.values()))
    for name, part in parts.items():
        np.testing.assert_allclose(part, wanted[name] / size, rtol=2e-3, atol=1e-6)


def test_a_source_without_its_model_is_left_out_and_told(make_study, tmp_path):
    told = []
    study = make_study("pairings", tell=told.append, models=tmp_path)
    targets, sources = tuned_fishers(study)
    assert set(targets) == set(study.plan.targets)
    assert sources == {}
    assert sum("left out, since source" in line for line in told) == len(study.plan.sources)
