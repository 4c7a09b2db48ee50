"""Several processes: the same numbers, and what becomes of a process that dies."""

from __future__ import annotations

import multiprocessing
import shutil
import threading
import time

import pytest

from taskspace.bench.transfer import Records, measure_together, measure_transfers
from taskspace.errors import SettingError
from taskspace.surrogates import load_surrogate


def kill_one(killed):
    """End the first process that turns up, long before it can have finished its share."""
    while not killed:
        for process in multiprocessing.active_children():
            process.kill()
            killed.append(process)
            break
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_worker_is_told_and_the_next_call_does_the_rest(whole, plan, data, encoder, tmp_path):
    killed, told = [], []
    hunter = threading.Thread(target=kill_one, args=(killed,))
    hunter.start()
    befell = measure_together(plan, data, encoder, tmp_path, workers=2, tell=told.append)
    hunter.join()
    [why] = befell
    assert why in told
    assert why.endswith("was ended by signal 9 (SIGKILL)")
    half = {run.cell: run.score for run in Records(tmp_path / "runs.db").runs()}
    assert 0 < len(half) < len(whole.scores)
    assert half.items() <= whole.scores.items()
    assert len((tmp_path / "transfers.csv").read_text().splitlines()) == 1 + len(half)
    measure_transfers(plan, data, encoder, tmp_path, tell=told.append)
    assert {run.cell: run.score for run in Records(tmp_path / "runs.db").runs()} == whole.scores
    assert f"14 runs, {len(half)} of them done" in " ".join(told)
    assert multiprocessing.active_children() == []


def test_a_worker_that_gives_up_says_why(plan, data, tiny_encoder, tmp_path):
    """The model is there when the plan is checked, and gone when it is loaded."""
    surrogate = load_surrogate(shutil.copytree(tiny_encoder, tmp_path / "model"), cache=False)
    assert surrogate.fingerprint  # read now
    (tmp_path / "model" / "model.safetensors").unlink()
    [why] = measure_together(plan, data, surrogate, tmp_path / "out", workers=1)
    assert why.startswith("worker 1 of 1 gave up: ")
    assert "holds no" in why


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 1, "threads": 0}])
def test_nobody_to_work(plan, data, encoder, tmp_path, one_sentence, wrong):
    with pytest.raises(SettingError, match="cannot work") as error:
        measure_together(plan, data, encoder, tmp_path, **wrong)
    assert one_sentence(error.value)


def test_nothing_left_starts_nobody(whole, plan, data, encoder, monkeypatch):
    monkeypatch.setattr(multiprocessing.get_context("spawn").Process, "start", lambda self: pytest.fail("started"))
    told = []
    assert measure_together(plan, data, encoder, whole.folder, workers=3, tell=told.append) == []
    assert told == []
