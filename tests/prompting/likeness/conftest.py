from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

PUBLISHED = Path(__file__).parents[3].parent / "shared" / "data" / "published"


@pytest.fixture(scope="session")
def published():
    """Backbone -> published prompts and measured transfers."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published prompts are not beside the repository")
    from safetensors.numpy import load_file

    from taskspace.prompting.likeness import read_transfers

    def read(backbone):
        prompts = load_file(PUBLISHED / f"prompts_{backbone}.safetensors")
        return prompts, read_transfers(PUBLISHED / "prompt_transfer.csv", model=backbone)

    return read


@pytest.fixture(scope="session")
def draw():
    """A target and n sources of float32[m, d], from a seed."""

    def make(seed, n=4, m=5, d=7):
        rng = np.random.default_rng(seed)
        prompts = rng.normal(size=(n + 1, m, d)).astype(np.float32)
        return prompts[0], list(prompts[1:])

    return make
