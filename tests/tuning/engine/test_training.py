from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from taskspace.errors import DataError, SettingError
from taskspace.tuning.bank import Bank
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.schedule import height
from taskspace.tuning.training import Job, train

RECIPE = Recipe(steps=40, batch=4, rate=0.1, warmup=5, check=10)


def _jobs(toy, count=3):
    return [Job(toy.examples(9 + k, seed=k), toy.examples(6, seed=10 + k), seed=k) for k in range(count)]


def _values(bank):
    return {name: tensor.detach().clone() for name, tensor in {**bank.parameters, **bank.shared}.items()}


def test_rows_trained_together_end_where_they_end_alone(toy):
    part, jobs = toy.part(3), _jobs(toy)
    alone = [part.alone(row) for row in range(3)]
    bank = Bank(toy.backbone(), part)
    outcomes = train(bank, jobs, RECIPE)
    for row, single in enumerate(alone):
        (outcome,) = train(Bank(toy.backbone(), single), [jobs[row]], RECIPE)
        torch.testing.assert_close(part.parameters["tokens"][row], single.parameters["tokens"][0], rtol=1e-5, atol=1e-5)
        assert outcome.kept == outcomes[row].kept
        np.testing.assert_allclose(outcome.validation, outcomes[row].validation, atol=1e-5)


def test_training_lowers_the_loss(toy):
    bank = Bank(toy.backbone(), toy.part(2))
    jobs = [replace(job, validation=()) for job in _jobs(toy, 2)]
    before = bank.losses({row: bank.prepare(job.train[0], max_length=20) for row, job in enumerate(jobs)})
    outcomes = train(bank, jobs, RECIPE)
    after = bank.losses({row: bank.prepare(job.train[0], max_length=20) for row, job in enumerate(jobs)})
    assert all(after[row] < before[row] for row in range(2))
    assert all(outcome.kept == outcome.steps == 40 and not outcome.validation for outcome in outcomes)
    assert [step for step, _ in outcomes[0].training] == [10, 20, 30, 40]


def test_the_state_kept_is_the_best_on_validation(toy):
    bank, jobs = Bank(toy.backbone(), toy.part(3)), _jobs(toy)
    outcomes = train(bank, jobs, RECIPE)
    held = {row: bank.prepare(job.validation[0], max_length=20) for row, job in enumerate(jobs)}
    for row, loss in bank.losses(held).items():
        best = min(outcomes[row].validation, key=lambda seen: seen[1])
        assert (outcomes[row].kept, pytest.approx(loss, abs=1e-6)) == (best[0], best[1])


def test_a_row_stops_after_its_patience_and_the_others_go_on(toy):
    # Row 0 validates on its own classes turned round, so that learning can only make it worse.
    jobs = _jobs(toy, 2)
    turned = replace(jobs[0].train[0], values=np.roll(jobs[0].train[0].values, 1, axis=1))
    jobs[0] = replace(jobs[0], validation=turned)
    jobs[1] = replace(jobs[1], validation=jobs[1].train)
    part = toy.part(2)
    seen = train(Bank(toy.backbone(), part), jobs, replace(RECIPE, patience=2, check=5, warmup=0))
    assert seen[0].steps < 40
    assert len(seen[0].validation) == seen[0].steps / 5
    assert seen[0].kept == seen[0].steps - 10
    assert seen[1].steps == 40


class _Killed(Exception):
    pass


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("patience", [0, 1])
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(toy, tmp_path, shared, patience):
    recipe = replace(RECIPE, patience=patience)

    def bank(fatal=None):
        backbone = toy.backbone()
        if fatal is not None:
            run, calls = backbone.run, iter(range(fatal))

            def mortal(*arguments):
                if next(calls, None) is None:
                    raise _Killed
                return run(*arguments)

            backbone.run = mortal
        return Bank(backbone, toy.part(3, shared=shared))

    whole = bank()
    expected = train(whole, _jobs(toy), recipe)
    for fatal in (3, 12, 7):
        with pytest.raises(_Killed):
            train(bank(fatal), _jobs(toy), recipe, folder=tmp_path / "state")
    broken = bank()
    assert train(broken, _jobs(toy), recipe, folder=tmp_path / "state") == expected
    for name, tensor in _values(whole).items():
        assert torch.equal(tensor, _values(broken)[name])
    # And a run that has ended is not run again.
    again = bank(0)
    assert train(again, _jobs(toy), recipe, folder=tmp_path / "state") == expected
    assert torch.equal(_values(again)["tokens"], _values(whole)["tokens"])


def test_a_folder_with_another_run_s_state_is_refused_and_kept(toy, tmp_path, one_sentence):
    train(Bank(toy.backbone(), toy.part(3)), _jobs(toy), RECIPE, folder=tmp_path)
    kept = (tmp_path / "training.safetensors").read_bytes()
    others = {
        "recipe": (_jobs(toy), replace(RECIPE, rate=0.2)),
        "job": ([*_jobs(toy, 2), Job(toy.examples(5), seed=2)], RECIPE),
    }
    for what, (jobs, recipe) in others.items():
        with pytest.raises(SettingError, match=f"another {what}") as error:
            train(Bank(toy.backbone(), toy.part(3)), jobs, recipe, folder=tmp_path)
        assert one_sentence(error.value)
    assert (tmp_path / "training.safetensors").read_bytes() == kept


def test_other_settings_of_part_guide_or_backbone_are_another_run(toy, tmp_path, one_sentence):
    def bank(settings=None, guide=None, dtype=torch.float32):
        part, backbone = toy.part(3), toy.backbone()
        part.settings = settings or {"scale": 2.0, "rates": {}}
        backbone.module = torch.nn.Linear(1, 1).to(dtype)
        return Bank(backbone, part, guide=guide)

    class Guide:
        settings = {"weight": 0.5}

        def __call__(self, seen, rows, owners):
            return 0 * seen.losses

    train(bank(), _jobs(toy), RECIPE, folder=tmp_path)
    train(bank(), _jobs(toy), RECIPE, folder=tmp_path)
    others = {
        "setting": bank({"scale": 3.0, "rates": {}}),
        "guide": bank(guide=Guide()),
        "precision": bank(dtype=torch.bfloat16),
    }
    for what, other in others.items():
        with pytest.raises(SettingError, match=f"another {what}") as error:
            train(other, _jobs(toy), RECIPE, folder=tmp_path)
        assert one_sentence(error.value)


def test_a_full_disk_is_told_as_such_and_a_file_is_no_folder(toy, tmp_path, monkeypatch, one_sentence):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingError, match="is no folder") as error:
        train(Bank(toy.backbone(), toy.part(3)), _jobs(toy), RECIPE, folder=tmp_path / "file")
    assert one_sentence(error.value)
    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        train(Bank(toy.backbone(), toy.part(3)), _jobs(toy), RECIPE, folder=tmp_path / "folder")


def test_a_loss_that_is_not_finite_is_told(toy, one_sentence):
    part = toy.part(2)
    bank = Bank(toy.backbone(), part)
    with torch.no_grad():
        part.parameters["tokens"][1] = float("nan")
    with pytest.raises(SettingError, match="loss of row 1 is not finite at step 10") as error:
        train(bank, _jobs(toy, 2), RECIPE)
    assert one_sentence(error.value)
    with pytest.raises(SettingError, match="scores of row 1 are no numbers"):
        bank.scores(toy.examples(3), [0, 1], max_length=20)
    assert np.isfinite(bank.scores(toy.examples(3), [0], max_length=20)).all()


@pytest.mark.parametrize("wrong", [{"batch": -1}, {"batch": 0}, {"batch": 1.5}, {"seed": -1}, {"seed": None}])
def test_jobs_with_settings_that_cannot_be_are_refused(toy, wrong, one_sentence):
    with pytest.raises(SettingError, match=next(iter(wrong))) as error:
        Job(toy.examples(3), **wrong)
    assert one_sentence(error.value)


def test_rows_that_share_tensors_all_go_on_to_the_end(toy):
    jobs = _jobs(toy, 2)
    turned = replace(jobs[0].train[0], values=np.roll(jobs[0].train[0].values, 1, axis=1))
    jobs[0] = replace(jobs[0], validation=turned)
    bank = Bank(toy.backbone(), toy.part(2, shared=True))
    seen = train(bank, jobs, replace(RECIPE, patience=1, check=5, warmup=0))
    assert [(outcome.steps, outcome.kept) for outcome in seen] == [(40, 40)] * 2
    losses = bank.losses({0: bank.prepare(turned, max_length=20)})
    assert losses[0] == pytest.approx(seen[0].validation[-1][1], abs=1e-6)


@pytest.mark.parametrize("metadata", [None, {}, {"taskspace": "{}"}, {"taskspace": "[]"}])
def test_other_safetensors_are_no_state(toy, tmp_path, metadata, one_sentence):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "training.safetensors", metadata=metadata)
    with pytest.raises(SettingError, match="no state of a training") as error:
        train(Bank(toy.backbone(), toy.part(3)), _jobs(toy), RECIPE, folder=tmp_path)
    assert one_sentence(error.value)


def test_a_state_that_is_no_state_is_refused(toy, tmp_path, one_sentence):
    (tmp_path / "training.safetensors").write_bytes(b"something else")
    with pytest.raises(SettingError, match="no state of a training") as error:
        train(Bank(toy.backbone(), toy.part(3)), _jobs(toy), RECIPE, folder=tmp_path)
    assert one_sentence(error.value)


def test_shared_tensors_are_trained_by_all_rows(toy):
    bank = Bank(toy.backbone(), toy.part(3, shared=True))
    train(bank, _jobs(toy), RECIPE)
    assert abs(float(bank.shared["level"].detach()) - 1.0) > 0.01


def test_jobs_that_do_not_fit_are_refused(toy, one_sentence):
    bank = Bank(toy.backbone(), toy.part(2))
    with pytest.raises(SettingError, match="3 jobs for a bank of 2 rows") as error:
        train(bank, _jobs(toy, 3), RECIPE)
    assert one_sentence(error.value)
    with pytest.raises(DataError, match="no examples to learn from") as nothing:
        train(bank, [Job(toy.examples(3)), Job(toy.examples(0))], RECIPE)
    assert one_sentence(nothing.value)


def test_settings_that_cannot_be_are_refused(one_sentence):
    for wrong in (
        {"steps": 0}, {"batch": 1.5}, {"rate": float("nan")}, {"schedule": "steep"}, {"clip": -1.0}, {"seed": -1},
        {"rate": None}, {"decay": "0"}, {"warmup": 20, "steps": 20}, {"warmup": -1},
    ):  # fmt: skip
        with pytest.raises(SettingError, match=next(iter(wrong))) as error:
            Recipe(**wrong)
        assert one_sentence(error.value)
    recipe = Recipe(steps=np.int64(20), rate=np.float32(0.5))
    assert json.dumps(recipe.to_dict())
    assert recipe == Recipe(steps=20, rate=0.5)
    assert max(height(step, recipe) for step in range(20)) == 1.0
