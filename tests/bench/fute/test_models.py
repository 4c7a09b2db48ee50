"""Sources as models: what they answer, and that they are asked once."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace import Pool, Task
from taskspace.bench.fute.models import FAMILIES, bag_of_words, joined, keeping, softmax, tuned_model
from taskspace.errors import DataError
from taskspace.labelers import Labeler, ask
from taskspace.task import Inputs


def test_softmax_is_that_of_scipy(rng):
    special = pytest.importorskip("scipy.special")
    logits = 30 * rng.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(softmax(logits), special.softmax(logits.astype(np.float64), axis=1), rtol=1e-12)


def test_a_tuned_source_answers_as_its_body_and_head_do(models, encoder, tmp_path, tasks):
    torch = pytest.importorskip("torch")
    from safetensors.numpy import load_file
    from transformers import AutoModel, AutoTokenizer

    model = tuned_model(encoder, models, "mood", reads="texts", kept=tmp_path / "answers")
    assert isinstance(model, Labeler)
    inputs = tasks["mood"].inputs.take(range(5))
    state = load_file(models / "models" / "mood.safetensors")
    body = AutoModel.from_pretrained(encoder.located.folder).eval()
    body.load_state_dict({k: torch.tensor(v) for k, v in state.items() if not k.startswith("head.")}, strict=False)
    tokenizer = AutoTokenizer.from_pretrained(encoder.located.folder)
    for text, said in zip(inputs.texts, model.answer(inputs).values, strict=True):
        states = body(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        logits = torch.tensor(state["head.weight"]) @ states.mean(0) + torch.tensor(state["head.bias"])
        np.testing.assert_allclose(said, logits.softmax(0).detach().numpy(), atol=1e-5)


def test_answers_are_kept_by_model_and_texts(tmp_path):
    asked = []

    def predict(inputs):
        asked.append(inputs.texts)
        return np.ones((len(inputs), 2)) * len(asked)

    one, other = (keeping(tmp_path, key, predict) for key in ("one", "other"))
    first = one(Inputs.of(["a", "b"]))
    np.testing.assert_array_equal(one(Inputs.of(["a", "b"])), first)
    assert asked == [("a", "b")]
    assert one(Inputs.of(["b", "a"])).sum() != first.sum()
    assert other(Inputs.of(["a", "b"])).sum() != first.sum()


def test_a_source_without_a_model_says_how_to_make_one(encoder, tmp_path, one_sentence):
    with pytest.raises(DataError, match="'mood' has no tuned model") as caught:
        tuned_model(encoder, tmp_path, "mood", reads="texts", kept=tmp_path)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bag_of_words_learns_its_task(family, make_tasks):
    pytest.importorskip("sklearn")
    train, test = (make_tasks(rows=150, seed=seed)["topic"] for seed in (3, 4))
    model = bag_of_words(train, family, name="words")
    inputs, answers = ask(model, Pool(test.inputs.texts))
    assert answers.values.shape == (len(inputs), 3)
    assert (answers.values.argmax(axis=1) == test.labels.codes).mean() > 0.8


def test_classes_that_are_never_met_get_nothing():
    pytest.importorskip("sklearn")
    task = Task(["good day", "good time", "bad day", "bad time"], [0, 0, 1, 1])
    whole = Task([*task.texts, "odd one"], ["good", "good", "bad", "bad", "odd"])
    part = bag_of_words(whole.take([0, 1, 2, 3]), "bayes", name="part").answer(Inputs.of(["good"])).values
    assert part.shape == (1, 3)
    assert part[0, whole.label_names.index("odd")] == 0
    alone = bag_of_words(whole, "svm", name="all").answer(Inputs.of(["odd one"])).values  # no margin from one row
    assert alone[0, whole.label_names.index("odd")] == 0
    assert alone.sum() == pytest.approx(1)


def test_pairs_are_read_as_one_text():
    pytest.importorskip("sklearn")
    pairs = Task(["red", "sky", "red", "sky"], ["a", "b", "a", "b"], ["one", "two", "one", "two"])
    assert bag_of_words(pairs, "bayes", name="p").reads == "pairs"
    assert joined(pairs.inputs)[:2] == ["red one", "sky two"]
