from __future__ import annotations

import importlib.util
import random
import shutil
from pathlib import Path

import pytest


def _of_tuning():
    """The microscopic T5 is made in the conftest of what is tuned on it."""
    spec = importlib.util.spec_from_file_location("of_tuning", Path(__file__).parents[1] / "tuning" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


words, save_t5, tiny_t5 = (getattr(_of_tuning(), name) for name in ("words", "save_t5", "tiny_t5"))


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


@pytest.fixture(scope="session")
def save_gpt2(tiny_decoder):
    """``save_gpt2(folder)``: a random GPT-2, 2 layers, 16 wide, that reads bytes and has no token to pad with."""

    def save(folder, *, seed=0, **config):
        torch = pytest.importorskip("torch")
        transformers = pytest.importorskip("transformers")
        cut = transformers.AutoTokenizer.from_pretrained(tiny_decoder).backend_tokenizer
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=cut, bos_token="<s>", eos_token="</s>")
        sizes = {
            "vocab_size": len(tokenizer), "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256,
            "initializer_range": 0.3, "bos_token_id": 1, "eos_token_id": 2,
        }  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = transformers.GPT2LMHeadModel(transformers.GPT2Config(**(sizes | config)))
        transformers.utils.logging.disable_progress_bar()
        module.save_pretrained(folder)
        transformers.utils.logging.enable_progress_bar()
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory, save_gpt2):
    return save_gpt2(tmp_path_factory.mktemp("models") / "gpt2")
