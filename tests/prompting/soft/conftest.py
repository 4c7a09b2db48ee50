from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from taskspace.tuning.identity import BackboneId

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data" / "published"


@pytest.fixture(scope="session")
def published():
    """The folder of published prompts, or a skipped test."""
    if not (SHARED / "originals").is_dir():
        pytest.skip("the published prompts are not there")
    return SHARED


@pytest.fixture(scope="session")
def backbone_of():
    """``backbone_of(width, name="org/tiny", table="t", kind="encoder")``."""

    def make(width=4, name="org/tiny", table="t" * 64, kind="encoder"):
        return BackboneId(name, "c0ffee", kind, width, 100, table)

    return make


@pytest.fixture(scope="session")
def make_prompt(backbone_of):
    """A prompt of random tokens that began from random tokens; ``init`` seeds those."""
    from taskspace.prompting.soft import SoftPrompt

    def make(task="mnli", seed=0, init=0, m=3, width=4, backbone="known", **more):
        start = np.random.default_rng(1000 + init).standard_normal((m, width)).astype(np.float32)
        step = np.random.default_rng(seed).standard_normal((m, width)).astype(np.float32)
        where = backbone_of(width) if backbone == "known" else backbone
        fields = {"backbone": where, "name": task, "init": start, "tasks": (task,), "provenance": {"seed": seed}}
        return SoftPrompt(start + step, **(fields | more))

    return make


@pytest.fixture(scope="session")
def tiny_seq2seq():
    """A microscopic T5 of 50 tokens, 16 wide."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1, initializer_factor=2.0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.T5ForConditionalGeneration(config).eval()


@pytest.fixture
def foreign_peft(tmp_path):
    """``foreign_peft(tokens, **config)``: an adapter folder as peft leaves it, by hand."""
    from safetensors.numpy import save_file

    def make(tokens, name="adapter", key="prompt_embeddings", **config):
        folder = tmp_path / name
        folder.mkdir()
        said = {"peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": len(tokens)} | config
        (folder / "adapter_config.json").write_text(json.dumps(said))
        save_file({key: np.ascontiguousarray(tokens, dtype=np.float32)}, folder / "adapter_model.safetensors")
        return folder

    return make
