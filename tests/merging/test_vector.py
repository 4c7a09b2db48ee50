from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from taskspace.errors import SettingError, WeightsError
from taskspace.merging import TaskVector
from taskspace.merging.checkpoint import Checkpoint, whole

NUMBERS = st.floats(-4, 4, allow_nan=False, width=32)
ARRAYS = st.lists(NUMBERS, min_size=6, max_size=6).map(lambda values: np.array(values, np.float32).reshape(2, 3))


def vector(values, name="t"):
    return TaskVector.from_arrays({"w": values}, name=name)


def values_of(v):
    return whole(TaskVector(v.carrier).apply({"w": np.zeros((2, 3), np.float32)}), "w")


@given(ARRAYS, ARRAYS, ARRAYS, NUMBERS)
@settings(max_examples=60, deadline=None)
def test_laws_of_a_vector_space(a, b, c, factor):
    x, y, z = (vector(values) for values in (a, b, c))
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(values_of(x + y), values_of(y + x), **close)
    np.testing.assert_allclose(values_of((x + y) + z), values_of(x + (y + z)), **close)
    np.testing.assert_allclose(values_of(factor * (x + y)), values_of(factor * x + factor * y), **close)
    np.testing.assert_allclose(values_of(x - y), values_of(x + -y), **close)
    np.testing.assert_array_equal(values_of(x - x), np.zeros((2, 3)))
    negative = -x
    np.testing.assert_array_equal(values_of(-negative), a)
    assert x @ y == pytest.approx(float(np.vdot(a.astype(float), b.astype(float))), abs=1e-6)
    assert (factor * x) @ y == pytest.approx(factor * (x @ y), rel=1e-4, abs=1e-4)
    assert x.norm == pytest.approx(math.sqrt(float(np.sum(a.astype(float) ** 2))), rel=1e-6)
    assert -1 <= x.cosine(y) <= 1


def test_the_signed_weights_of_its_tasks_are_told(vectors):
    a, b, c = vectors
    mixed = 0.7 * a + b - 0.5 * c - b
    assert mixed.weights == pytest.approx({"t1": 0.7, "t3": -0.5})
    assert repr(mixed).startswith("TaskVector(0.7*t1 - 0.5*t3,")
    assert sum(vectors).weights == {"t1": 1.0, "t2": 1.0, "t3": 1.0}


def test_what_cancels_is_not_read(vectors, monkeypatch):
    a, b, _ = vectors
    assert len((a + b - b).carrier.terms) == 1


def test_a_tuned_model_comes_back(base, vectors):
    tuned = vectors[0].apply(base)
    again = TaskVector.diff(tuned, base)
    assert again.cosine(vectors[0]) == pytest.approx(1, abs=1e-6)
    assert (again - vectors[0]).norm < 1e-5


def test_bfloat16_is_rounded_to_even_as_torch_does(tmp_path):
    import torch
    from safetensors.torch import load_file
    from safetensors.torch import save_file as save_torch

    generator = torch.Generator().manual_seed(0)
    held = torch.randn(1000, generator=generator).to(torch.bfloat16)
    added = torch.randn(1000, generator=generator)
    save_torch({"w": held}, tmp_path / "base.safetensors")
    TaskVector.from_arrays({"w": added.numpy()}).apply(tmp_path / "base.safetensors", tmp_path / "out.safetensors")
    found = load_file(tmp_path / "out.safetensors")["w"]
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, (held.float() + added).to(torch.bfloat16))


def test_numbers_too_large_for_float16_are_refused(one_sentence):
    held = {"w": np.full(3, 60000, np.float16)}
    with pytest.raises(WeightsError, match="too large for F16") as caught:
        TaskVector.from_arrays({"w": np.full(3, 60000, np.float32)}).apply(held)
    assert one_sentence(caught.value)
    wide = TaskVector.from_arrays({"w": np.full(3, 60000, np.float32)}).apply(held, dtype="F32")
    np.testing.assert_array_equal(whole(wide, "w"), 120000)


def test_another_base_is_refused(base, vectors, one_sentence):
    other = {name: values + 1 for name, values in base.items()}
    elsewhere = TaskVector.diff({n: v + 2 for n, v in base.items()}, other)
    for wrong in (lambda: vectors[0] + elsewhere, lambda: vectors[0].apply(other), lambda: vectors[0] @ elsewhere):
        with pytest.raises(WeightsError) as caught:
            wrong()
        assert one_sentence(caught.value)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.pop("b.bias"), "which .* has not"),
        (lambda t: t.update(extra=np.ones(2, np.float32)), "'extra'"),
        (lambda t: t.update({"a.weight": np.ones((9, 5), np.float32)}), "vocabulary"),
        (lambda t: t.update({"b.bias": np.ones((2, 3), np.float32)}), "architecture"),
        (lambda t: t.update({"b.bias": np.ones(6, np.int64)}), "I64"),
        (lambda t: t.update(position=np.arange(3) + 1), "cannot be added"),
    ],
)
def test_another_model_is_refused(base, change, match, one_sentence):
    base = {**base, "position": np.arange(3)}
    tuned = dict(base)
    change(tuned)
    with pytest.raises(WeightsError, match=match) as caught:
        TaskVector.diff(tuned, base)
    assert one_sentence(caught.value)


def test_what_is_ignored_stays_the_bases(base):
    tuned = {**{n: v + 1 for n, v in base.items()}, "head.weight": np.ones(2, np.float32)}
    difference = TaskVector.diff(tuned, base, ignore=["head.*", "b.*"])
    assert set(difference.layout) == {"a.weight", "scale"}
    added = difference.apply(base)
    np.testing.assert_array_equal(whole(added, "b.bias"), base["b.bias"])
    np.testing.assert_allclose(whole(added, "a.weight"), base["a.weight"] + 1, atol=1e-6)


def test_without_a_base_nothing_can_be_left_to_it(base, one_sentence):
    with pytest.raises(SettingError, match=r"'b\.\*' is to be left to the base, and none was given") as caught:
        TaskVector.diff(base, None, ignore=["b.*"])
    assert one_sentence(caught.value)
    assert set(TaskVector.diff(base, None, ignore=[]).layout) == set(base)


def test_nan_is_told_with_its_tensor(base, tmp_path, one_sentence):
    broken = {**base, "b.bias": np.array([1, np.nan, 0, 0, 0, 0], np.float32)}
    with pytest.raises(WeightsError, match="'b.bias'") as caught:
        TaskVector.diff(broken, base).apply(base, tmp_path / "out.safetensors")
    assert one_sentence(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_whole_are_told(tmp_path, base, one_sentence):
    good = tmp_path / "good.safetensors"
    save_file(base, good)
    content = good.read_bytes()
    cases = {
        "short.safetensors": content[:-5],
        "header.safetensors": content[:20],
        "text.safetensors": b"hello, this is no such file" * 3,
        "empty.safetensors": b"",
        "odd.safetensors": (2).to_bytes(8, "little") + b"[]",
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(WeightsError) as caught:
            Checkpoint(tmp_path / name)
        assert one_sentence(caught.value), caught.value
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "model.safetensors.index.json").write_text('{"weight_map": {"w": "../good.safetensors"}}')
    for path in ("absent", "pickled", "nothing", "outside"):
        with pytest.raises(WeightsError) as caught:
            Checkpoint(tmp_path / path)
        assert one_sentence(caught.value), caught.value


def test_a_prompt_vector_is_a_task_vector():
    from taskspace.prompting.soft import PromptVector

    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = TaskVector.from_prompt(PromptVector(table, weights={"sst2": 1.0}))
    assert found.weights == {"sst2": 1.0}
    assert found.norm == pytest.approx(np.linalg.norm(table))


def test_numbers_that_are_none_are_refused(vectors, one_sentence):
    for wrong in (lambda: float("nan") * vectors[0], lambda: vectors[0] / 0):
        with pytest.raises(WeightsError) as caught:
            wrong()
        assert one_sentence(caught.value)


def test_a_pattern_that_matches_nothing_is_told(base, one_sentence):
    tuned = {**{n: v + 1 for n, v in base.items()}, "head.weight": np.ones(2, np.float32)}
    for pattern, hint in (("haed.*", "did you mean 'head.*'"), ("b.bais", "did you mean 'b.bias'")):
        with pytest.raises(SettingError, match=f"no tensor matches '{pattern}'; {hint}".replace("*", r"\*")) as caught:
            TaskVector.diff(tuned, base, ignore=["head.*", pattern])
        assert one_sentence(caught.value)
