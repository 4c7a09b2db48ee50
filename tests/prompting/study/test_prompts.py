"""Tuned prompts on disk."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError
from taskspace.prompting.study import TunedPrompt, read_prompts, save_prompt
from taskspace.prompting.study.prompts import norms


def prompt(task="sst2", init=0, shape=(2, 3), value=1.0):
    start = np.zeros(shape, dtype=np.float32)
    start.flat[0] = 2.0
    return TunedPrompt(task, init, start + np.float32(value), start)


def test_prompts_come_back_in_the_order_of_tasks_and_inits(tmp_path):
    for task, init in (("b/c d", 10), ("b/c d", 2), ("a", 0), ("new", 0)):
        save_prompt(tmp_path, prompt(task, init, value=init + 0.5))
    found = read_prompts(tmp_path, ["b/c d", "a"])
    assert [(each.task, each.init) for each in found] == [("b/c d", 2), ("b/c d", 10), ("a", 0), ("new", 0)]
    np.testing.assert_array_equal(found[1].vector, np.full((2, 3), 10.5, dtype=np.float32))
    assert found[1].start[0, 0] == 2.0


def test_the_left_over_of_a_killed_writer_is_no_prompt(tmp_path):
    whole = save_prompt(tmp_path, prompt())
    (whole.parent / f".{whole.name}.17.part.safetensors").write_bytes(whole.read_bytes()[:50])
    assert len(read_prompts(tmp_path)) == 1


def test_a_spoilt_file_is_refused_by_name(tmp_path):
    path = save_prompt(tmp_path, prompt())
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(PromptError, match=r"sst2\.0\.safetensors is not a prompt of a study"):
        read_prompts(tmp_path)


def test_other_tensors_are_not_prompts(tmp_path):
    from safetensors.numpy import save_file

    (tmp_path / "prompts").mkdir()
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "prompts" / "x.0.safetensors")
    with pytest.raises(PromptError, match="is not a prompt of a study"):
        read_prompts(tmp_path)


def test_prompts_of_two_shapes_are_refused(tmp_path):
    save_prompt(tmp_path, prompt("a"))
    save_prompt(tmp_path, prompt("b", shape=(4, 3)))
    with pytest.raises(PromptError, match="'a' of 2 tokens by 3 and 'b' of 4 tokens by 3"):
        read_prompts(tmp_path)


def test_a_prompt_and_its_init_have_one_shape_and_finite_numbers():
    with pytest.raises(PromptError, match="give two arrays of one shape"):
        TunedPrompt("a", 0, np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32))
    with pytest.raises(PromptError, match="not finite"):
        TunedPrompt("a", 0, np.full((2, 3), np.nan, np.float32), np.zeros((2, 3), np.float32))


def test_norms_by_hand():
    """‖P0‖ = 2, ‖τ‖ = √6 · value; the ratio is averaged, not the ratio of averages."""
    (row,) = norms([prompt(value=1.0), prompt(init=1, value=2.0)])
    assert row["norm_init"] == 2.0
    assert row["norm_vector"] == pytest.approx(1.5 * np.sqrt(6))
    assert row["ratio"] == pytest.approx((2 / np.sqrt(6) + 1 / np.sqrt(6)) / 2)
