"""Costs against 6 N T by hand and against torch's own count of parameters."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.report import report_of
from taskspace.report._cost import parameters_in, parameters_of
from taskspace.task import Task


def test_tuning_takes_six_flops_for_each_parameter_and_token(uncalibrated):
    cost = report_of(uncalibrated, "target", parameters=1000, epochs=2).cost
    # The rows are not there: 100 tokens a row at most, by the space's own limit; 400 rows, two epochs.
    assert cost.tokens_per_row == 100
    assert cost.one == 6 * 1000 * 400 * 100 * 2
    assert cost.per_parameter == 6 * 400 * 100 * 2
    assert cost.look is None  # the model that read the rows is another one, whose files are nowhere
    # "friend" is a data set of 100 rows, on which the model is tuned before; "cousin" is a model of 500 parameters.
    assert cost.first == 6 * 1000 * (400 + 100) * 100 * 2
    assert cost.every == 6 * 100 * 2 * (1000 * (500 + 700 + 800) + 500 * 400)


def test_every_candidate_counts_whatever_is_shown(uncalibrated):
    shown, all_of_them = (report_of(uncalibrated, "target", parameters=1000, k=k) for k in (1, 8))
    assert shown.cost == all_of_them.cost
    assert shown.cost.candidates == 4
    assert shown.candidates[0].cost == shown.cost.first


def test_without_the_size_of_the_model_only_a_rate_is_told(uncalibrated):
    cost = report_of(uncalibrated, "target").cost
    assert (cost.parameters, cost.one, cost.first, cost.every, cost.look) == (None,) * 5
    assert cost.per_parameter == 6 * 400 * 100 * 3
    assert "128" not in " ".join(cost.assumptions)


def test_assumptions_are_told(uncalibrated):
    told = " ".join(report_of(uncalibrated, "target", epochs=4, rate=1e12).cost.assumptions)
    for word in ("Kaplan", "4 epochs", "100 tokens a row at most", "data set", "1e+12 FLOPs a second"):
        assert word in told


def test_another_model_may_be_tuned(uncalibrated):
    cost = report_of(uncalibrated, "target", base="big/model", parameters=7_000_000_000).cost
    assert (cost.base, cost.parameters) == ("big/model", 7_000_000_000)
    assert report_of(uncalibrated, "target", base="big/model").cost.one is None


def test_parameters_are_counted_in_the_files(tiny_encoder, opened, tasks):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    module = transformers.AutoModel.from_pretrained(tiny_encoder)
    counted = sum(p.numel() for p in module.parameters())
    assert parameters_in(str(tiny_encoder), None) == counted
    cost = report_of(opened, tasks["mood"], epochs=1).cost
    assert cost.parameters == counted
    assert cost.tokens_per_row == pytest.approx(np.mean([len(text.split()) + 2 for text in tasks["mood"].inputs.texts]))
    assert cost.one == pytest.approx(6 * counted * 40 * cost.tokens_per_row)
    assert cost.look == pytest.approx(2 * counted * 40 * cost.tokens_per_row)
    assert torch.is_grad_enabled()


def test_integers_are_no_parameters(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    tensors = {"w": np.zeros((3, 4), np.float32), "h": np.zeros(5, np.float16), "position_ids": np.zeros(9, np.int64)}
    safetensors.save_file(tensors, tmp_path / "part-1.safetensors")
    assert parameters_in(str(tmp_path), None) == 3 * 4 + 5
    safetensors.save_file({"more": np.zeros(7, np.float32)}, tmp_path / "part-2.safetensors")
    assert parameters_in(str(tmp_path), None) == 3 * 4 + 5 + 7
    safetensors.save_file(tensors | {"more": np.zeros(7, np.float32)}, tmp_path / "model.safetensors")
    assert parameters_in(str(tmp_path), None) == 3 * 4 + 5 + 7  # the same weights in one file


def test_what_is_not_at_hand_is_not_known(tmp_path):
    assert parameters_in("nobody/nothing-like-it", None) is None
    assert parameters_in(str(tmp_path), None) is None
    (tmp_path / "model.safetensors").write_bytes(b"\xff\xff\xff\xff\xff\xff\xff\x7fnot json")
    assert parameters_in(str(tmp_path), None) is None


def test_a_candidate_tells_its_own_size(uncalibrated, embed, tiny_classifier):
    assert parameters_of({"parameters": 12}) == 12
    assert parameters_of({"source": "callable", "model": str(tiny_classifier)}) is None
    size = parameters_of({"source": "hub", "model": str(tiny_classifier), "revision": "local"})
    assert size == parameters_in(str(tiny_classifier), None)
    uncalibrated.add(embed("big", np.eye(12)[0] + 0.01, kind="model", parameters=5000))
    first = report_of(uncalibrated, "target", parameters=1000, epochs=1).candidates[0]
    assert (first.hit.name, first.parameters) == ("big", 5000)
    assert first.cost == 6 * 5000 * 400 * 100


def test_a_target_of_no_known_rows_has_no_costs(atlas, embed):
    atlas.add(embed("a", np.eye(12)[0], input_rows=None), embed("b", np.eye(12)[1]))
    cost = report_of(atlas, "a", parameters=1000).cost
    assert (cost.rows, cost.one, cost.first, cost.per_parameter) == (None,) * 4


def test_a_candidate_of_an_unknown_size_leaves_the_whole_unknown(atlas, embed):
    atlas.add(
        embed("a", np.eye(12)[0]), embed("b", np.eye(12)[1]), embed("m", np.eye(12)[2], kind="model", parameters=9)
    )
    cost = report_of(atlas, "a").cost
    assert cost.every is None  # "b" needs the base model, whose size nobody said
    assert report_of(atlas, "a", kind="model").cost.every == 6 * 9 * 400 * 100 * 3


def test_tokens_of_a_given_task_are_counted(opened):
    task = Task(["red sun", "the blue rain is very wet", "fog"], ["a", "b", "a"], name="new")
    cost = report_of(opened, task).cost
    assert cost.tokens_per_row == pytest.approx((4 + 8 + 3) / 3)
    assert "as counted" in " ".join(cost.assumptions)
