"""A microscopic encoder, small tasks, a clean environment, and a way to run code in another process.

Nothing that computes is imported up here, so that ``pytest_configure`` can say with how many threads.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import hypothesis
import pytest

THEMES = {
    "colour": ["red", "green", "blue", "black", "white"],
    "weather": ["rain", "snow", "sun", "wind", "fog"],
    "food": ["soup", "bread", "cheese", "apple", "rice"],
    "travel": ["train", "road", "ticket", "station", "bridge"],
    "praise": ["good", "fine", "great", "lovely", "bright"],
    "blame": ["bad", "dull", "awful", "poor", "grey"],
    "filler": ["the", "a", "is", "was", "it", "we", "saw", "very"],
}
WORDS = [word for theme in THEMES.values() for word in theme]


def pytest_configure(config):
    """What packages read when they are first imported: no network, nobody's own cache, and one thread.

    Models as small as these only wait for each other on several.
    """
    config.stash[_HUB] = tempfile.TemporaryDirectory(prefix="taskspace-hub-")
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": config.stash[_HUB].name, "OMP_NUM_THREADS": "1"}
    hypothesis.settings.register_profile("taskspace", deadline=None, max_examples=50)
    hypothesis.settings.load_profile("taskspace")


def pytest_unconfigure(config):
    config.stash[_HUB].cleanup()


_HUB = pytest.StashKey[tempfile.TemporaryDirectory]()


@pytest.fixture(autouse=True)
def clean_environment(tmp_path, monkeypatch):
    """Caches of each test in a folder of its own (not made yet), and nothing of the user's settings."""
    for name in [n for n in os.environ if n == "TASKSPACE_ATLAS" or n.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TASKSPACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def session_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def shared_home(session_home, clean_environment, monkeypatch):
    """For speed: caches shared with all other tests that ask for this."""
    monkeypatch.setenv("TASKSPACE_HOME", str(session_home))
    return session_home


def _save_encoder(folder, *, seed=0, **config):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    sizes = {
        "vocab_size": len(vocabulary), "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 128, "initializer_range": 0.1,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = BertModel(BertConfig(**(sizes | config)))
    folder.mkdir(parents=True, exist_ok=True)
    bars = transformers.utils.logging
    bars.disable_progress_bar()
    module.save_pretrained(folder)
    bars.enable_progress_bar()
    BertTokenizerFast(vocab={word: number for number, word in enumerate(vocabulary)}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def save_encoder():
    """``save_encoder(folder, seed=0, **config)``: a random BERT, 3 layers, 16 wide, with a tokenizer of ``WORDS``."""
    return _save_encoder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """The folder of a microscopic BERT; not to be written to."""
    return _save_encoder(tmp_path_factory.mktemp("models") / "tiny")


def _save_decoder(folder, *, seed=0):
    """Bytes are its tokens, so that it reads any text."""
    torch = pytest.importorskip("torch")
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    letters = ["<pad>", "<s>", "</s>", *sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())]
    words = tokenizers.Tokenizer(tokenizers.models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    words.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = tokenizers.decoders.ByteLevel()
    config = transformers.LlamaConfig(
        vocab_size=len(letters), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=1024, initializer_range=0.3, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = transformers.LlamaForCausalLM(config)
    return _saved(folder, module, transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    ))  # fmt: skip


def _save_classifier(folder, labels=("negative", "positive"), *, seed=0):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=128, initializer_range=0.5, id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = transformers.BertForSequenceClassification(config)
    return _saved(folder, module, transformers.BertTokenizerFast(vocab=vocabulary))


def _saved(folder, module, tokenizer):
    from transformers.utils import logging

    logging.disable_progress_bar()
    module.save_pretrained(folder)
    logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory):
    """The folder of a microscopic Llama that reads bytes; not to be written to."""
    return _save_decoder(tmp_path_factory.mktemp("models") / "decoder")


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory):
    """The folder of a microscopic BERT with a head for negative and positive; not to be written to."""
    return _save_classifier(tmp_path_factory.mktemp("models") / "classifier")


@pytest.fixture(scope="session")
def encoder(tiny_encoder):
    """The microscopic BERT at its default layers 1 and 3, caching in memory."""
    from taskspace.surrogates import load_surrogate

    return load_surrogate(tiny_encoder, cache=False)


def _text(rng, *themes, words=2, filler=4):
    chosen = [rng.choice(THEMES[theme]) for theme in themes for _ in range(words)]
    chosen += rng.choices(THEMES["filler"], k=rng.randint(1, filler))
    rng.shuffle(chosen)
    return " ".join(chosen)


@pytest.fixture(scope="session")
def make_text():
    """``make_text(rng, *themes)``: two words of each theme among some filler."""
    return _text


def _by_theme(name, classes, other, rows, seed):
    from taskspace.task import Task

    rng = random.Random(f"{name}{seed}")
    labels = [rng.choice(list(classes)) for _ in range(rows)]
    return Task([_text(rng, classes[label], rng.choice(other)) for label in labels], labels, name=name)


def _echo(rows, seed):
    from taskspace.task import Task

    rng = random.Random(f"echo{seed}")
    first = [_text(rng, rng.choice(["colour", "weather", "food", "travel"])) for _ in range(rows)]
    labels = [rng.choice(["same", "other"]) for _ in range(rows)]
    second = [
        " ".join(rng.sample(text.split(), 2)) if label == "same" else _text(rng, "blame")
        for text, label in zip(first, labels, strict=True)
    ]
    return Task(first, labels, second, name="echo")


def _degree(rows, seed):
    from taskspace.task import Task

    rng = random.Random(f"degree{seed}")
    warm = [rng.randint(0, 4) for _ in range(rows)]
    texts = [" ".join(rng.choices(THEMES["praise"], k=w) + rng.choices(THEMES["blame"], k=4 - w)) for w in warm]
    return Task(texts, [w / 4 + 0.01 for w in warm], name="degree")


@pytest.fixture(scope="session")
def make_tasks():
    """``make_tasks(rows, seed)``: four data sets of classes (one of them of pairs) and one of numbers, by name."""

    def make(rows=40, seed=0):
        subjects = ["colour", "weather", "food", "travel"]
        tasks = [
            _by_theme("mood", {"good": "praise", "bad": "blame"}, subjects, rows, seed),
            _by_theme("topic", {"sky": "weather", "table": "food", "paint": "colour"}, ["praise", "blame"], rows, seed),
            _by_theme("trip", {"yes": "travel", "no": "weather"}, ["colour", "food"], rows, seed),
            _echo(rows, seed),
            _degree(rows, seed),
        ]
        return {task.name: task for task in tasks}

    return make


@pytest.fixture(scope="session")
def tasks(make_tasks):
    return make_tasks()


@pytest.fixture(scope="session")
def mixed_pool(make_tasks):
    """Single texts and pairs, none of them drawn from ``tasks``."""
    from taskspace.task import Pool

    return Pool.from_tasks(make_tasks(rows=30, seed=1).values(), size=110, seed=0)


@pytest.fixture(scope="session")
def one_sentence():
    """Whether a message is one sentence on one line."""
    return lambda error: "\n" not in str(error) and not re.search(r"[.!?] [A-Z]", str(error)) and "; " in str(error)


@pytest.fixture
def elsewhere(tmp_path):
    """Start a script in a fresh process with another hash seed; ``.output()`` waits for what it prints."""
    started = []

    def start(script, *arguments, wait=True):
        file = tmp_path / f"elsewhere{len(started)}.py"
        file.write_text(script, encoding="utf-8")
        environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
        process = subprocess.Popen(
            [sys.executable, str(file), *map(str, arguments)], env=environment, cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return finished(process) if wait else process

    def finished(process):
        printed, problems = process.communicate(timeout=300)
        assert process.returncode == 0, problems
        return printed.strip()

    start.finished = finished
    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def rng():
    import numpy as np

    return np.random.default_rng(0)
