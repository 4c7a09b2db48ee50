from __future__ import annotations

import random
import shutil

import pytest


@pytest.fixture(scope="session")
def texts(make_text):
    """Sixty texts, from no word at all to more than are read, some of them twice."""
    rng = random.Random(0)
    themes = ["colour", "weather", "food", "travel"]
    made = [make_text(rng, *rng.choices(themes, k=rng.randint(1, 14)), filler=8) for _ in range(50)]
    made += ["", "red", "unheard of", " ".join(["rain"] * 300), "Red, RED! (red)", *made[:5]]
    return made


@pytest.fixture
def copied(tiny_encoder, tmp_path):
    """A copy of the tiny encoder that may be changed."""
    return shutil.copytree(tiny_encoder, tmp_path / "copied")
