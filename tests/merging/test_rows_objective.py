"""Real heads from folders: the loss of rows of text, and coefficients that lower it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from taskspace import Pool, Task
from taskspace.errors import SettingError
from taskspace.merging import TaskVector
from taskspace.merging.checkpoint import Checkpoint, whole
from taskspace.merging.fitting import fit, rows_objective

ROWS = Task(
    ["good fine film", "bad awful film", "fine good day good", "awful"],
    ["positive", "negative", "positive", "negative"],
)


def weights_of(folder):
    held = Checkpoint(folder)
    return {name: torch.as_tensor(np.array(whole(held, name))) for name in held.layout}


@pytest.fixture(scope="module")
def writer(tmp_path_factory, tiny_decoder):
    """The folder of a microscopic T5 that reads bytes."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_decoder)
    torch.manual_seed(0)
    module = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=len(tokenizer),
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=1,
            num_heads=2,
            pad_token_id=0,
            eos_token_id=2,
            decoder_start_token_id=0,
        )  # fmt: skip
    )
    folder = tmp_path_factory.mktemp("models") / "t5"
    transformers.utils.logging.disable_progress_bar()
    module.save_pretrained(folder)
    transformers.utils.logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def answered(tiny_classifier):
    """float64[4, 2]: what transformers itself answers, a row at a time."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_classifier).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_classifier)
    with torch.no_grad():
        logits = [model(**tokenizer(text, return_tensors="pt")).logits[0] for text in ROWS.inputs.texts]
    return torch.stack(logits).double()


def test_the_loss_of_labelled_rows_is_their_cross_entropy(tiny_classifier, answered):
    """Class names meet the model's own, whatever order the rows have them in, and unlabelled rows do not count."""
    expected = float(-answered.log_softmax(-1)[range(4), [1, 0, 1, 0]].mean())
    more = Task([*ROWS.inputs.texts, "film"], ["positive", "negative", "positive", "negative", None])
    for rows in (ROWS, more):
        loss = rows_objective(tiny_classifier, rows, batch=2)(weights_of(tiny_classifier))
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_unlabelled_rows_is_their_entropy(tiny_classifier, answered):
    shares = answered.softmax(-1)
    expected = float(-(shares * shares.log()).sum(-1).mean())
    for rows in (Pool(ROWS.inputs.texts), Task(ROWS.inputs.texts)):
        loss = rows_objective(tiny_classifier, rows, batch=2)(weights_of(tiny_classifier))
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_a_model_that_writes_is_that_of_the_words(writer):
    model = transformers.T5ForConditionalGeneration.from_pretrained(writer).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(writer)
    totals, count = 0.0, 0
    for text, word in zip(ROWS.inputs.texts, ["positive", "negative", "positive", "negative"], strict=True):
        said = tokenizer(text_target=word, return_tensors="pt")["input_ids"]
        before = torch.cat([torch.zeros(1, 1, dtype=torch.int64), said[:, :-1]], dim=1)
        with torch.no_grad():
            logits = model(**tokenizer(text, return_tensors="pt"), decoder_input_ids=before).logits
        totals -= float(logits.log_softmax(-1)[0, range(said.shape[1]), said[0]].sum())
        count += said.shape[1]
    loss = rows_objective(writer, ROWS)(weights_of(writer))
    assert float(loss.detach()) == pytest.approx(totals / count, rel=1e-4)


@pytest.mark.parametrize("rows", [ROWS, Pool(ROWS.inputs.texts)], ids=["labels", "entropy"])
def test_coefficients_that_lower_the_loss_are_found(tiny_classifier, rows):
    base = {name: tensor.numpy() for name, tensor in weights_of(tiny_classifier).items()}
    body = {name: values for name, values in base.items() if name.startswith("bert.encoder")}
    vectors = [
        TaskVector.from_arrays(
            {
                name: 0.3 * np.random.default_rng([seed, place]).standard_normal(values.shape).astype(np.float32)
                for place, (name, values) in enumerate(body.items())
            },
            name=f"t{seed}",
        )
        for seed in range(3)
    ]
    loss = rows_objective(tiny_classifier, rows)
    fitted = fit(vectors, base, [loss], steps=25, rate=0.1)
    merged = fitted.vector.apply(base)
    reached = float(loss({name: torch.as_tensor(whole(merged, name)) for name in base}).detach())
    assert reached == pytest.approx(min(fitted.losses), rel=1e-3)
    assert reached < fitted.losses[0]


def test_a_body_without_a_head_is_put_below_it(tiny_classifier):
    """Differences of plain encoders name their tensors without the prefix that models with a head have."""
    loss = rows_objective(tiny_classifier, ROWS)
    held = weights_of(tiny_classifier)
    full = {name: 1.5 * tensor for name, tensor in held.items() if name.startswith("bert.")}
    bare = {name.removeprefix("bert."): tensor for name, tensor in full.items()}
    assert float(loss(bare).detach()) == float(loss(full).detach()) != float(loss(held).detach())


def test_what_cannot_be_asked_is_told(tiny_classifier, tiny_encoder, tiny_decoder, writer, tmp_path, one_sentence):
    named_otherwise = Task(["good", "bad"], ["spam", "ham"])
    numbers = Task(["good", "bad", "fine"], [0.5, 1.5, 2.25])
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    for wrong in (
        lambda: rows_objective(tiny_classifier, named_otherwise),
        lambda: rows_objective(tiny_classifier, numbers),
        lambda: rows_objective(tiny_encoder, ROWS),
        lambda: rows_objective(tiny_decoder, ROWS),
        lambda: rows_objective(writer, Pool(["good", "bad"])),
        lambda: rows_objective(Path("nowhere"), ROWS),
        lambda: rows_objective(tiny_classifier, ROWS, batch=0),
        lambda: rows_objective(tiny_classifier, ROWS)({"bert.nothing": torch.zeros(1)}),
    ):
        with pytest.raises(SettingError) as caught:
            wrong()
        assert one_sentence(caught.value)
