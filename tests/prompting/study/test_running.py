"""A whole study on a microscopic encoder: unbroken, killed and gone on with, grown, and refused."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.labels import Numbers, Targets
from taskspace.prompting.study import Plan, read_prompts, read_runs, run_study
from taskspace.prompting.study import _state as state_module
from taskspace.prompting.study import _tuning as tuning_module
from taskspace.prompting.study.runs import NAME
from taskspace.prompting.transfer import METHODS
from taskspace.task import Task
from taskspace.tuning import _checkpoint
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.splits import Splits

torch = pytest.importorskip("torch")

NAMES = {"mood": ("good", "bad"), "sky": ("rain", "snow"), "trip": ("train", "road"), "menu": ("soup", "bread")}
RECIPE = Recipe(steps=4, batch=4, rate=0.05, warmup=1, check=2, max_length=16)
PLAN = Plan(
    ("mood", "sky"), {"menu": ("mood", "sky")}, inits=2, shots=(0, 4), length=3, grid=(0.0, 0.5, 1.0), recipe=RECIPE,
    few_shot=replace(RECIPE, steps=2, check=2), batches=((4, 2),),
)  # fmt: skip


def _task(name, part, rows):
    rng = random.Random(f"{name}{part}")
    filler = ["the", "a", "is", "was", "it", "we", "saw", "very", "red", "green", "blue", "black"]
    labels = [NAMES[name][row % 2] for row in range(rows)]
    texts = [f"{' '.join(rng.sample(filler, 5))} {label} {' '.join(rng.sample(filler, 3))}" for label in labels]
    return Task(texts, labels, name=name)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data():
    return {
        name: Splits(_task(name, "train", 12), _task(name, "validation", 6), _task(name, "test", 8)) for name in NAMES
    }


@pytest.fixture(scope="module")
def backbone(tiny_encoder):
    return load_backbone(tiny_encoder)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, data, backbone):
    folder = tmp_path_factory.mktemp("studies") / "unbroken"
    run_study(PLAN, data, backbone, folder)
    return folder


def _lines(folder):
    return (folder / NAME).read_text(encoding="utf-8").splitlines()


def test_every_run_that_the_plan_asks_for_is_there_once(unbroken):
    runs = read_runs(unbroken / NAME)
    assert len(_lines(unbroken)) == len(runs)
    assert all(0 <= run.score <= 1 and run.metric == "macro_f1" for run in runs)
    sources = [(run.task, run.init, run.method, run.split) for run in runs if run.part == "sources"]
    expected = [("tuned", "test"), ("start", "test"), ("tuned", "validation")]
    assert sorted(sources) == sorted((task, i, *each) for task in PLAN.sources for i in range(2) for each in expected)
    mixed = [(run.task, run.init, run.foreign) for run in runs if run.part == "mixed"]
    assert sorted(mixed) == [(task, i, 1 - i) for task in PLAN.sources for i in range(2)]
    pairs = [run for run in runs if run.part == "pairs"]
    assert len([run for run in pairs if run.split == "validation"]) == 2 * 2 * 3
    tested = [run for run in pairs if run.split == "test"]
    assert sorted((run.task, run.other, run.init) for run in tested) == [
        (task, other, i) for task, other in (("mood", "sky"), ("sky", "mood")) for i in range(2)
    ]
    for run in tested:
        assert run.scale == _best_scale(pairs, run.init)
    shots = {(run.method, run.other, run.split, run.init, run.shots) for run in runs if run.part == "shots"}
    plain = {(method, None, "test", i, k) for method in METHODS if method != "single" for i in range(2) for k in (0, 4)}
    single = {
        ("single", other, split, i, k)
        for other in PLAN.sources for split in ("test", "validation") for i in range(2) for k in (0, 4)
    }  # fmt: skip
    assert shots == plain | single


def _best_scale(pairs, init):
    """The smallest λ of the highest mean over both tasks' validation rows."""
    sums = {}
    for run in pairs:
        if run.split == "validation" and run.init == init:
            sums.setdefault(run.scale, []).append(run.score)
    return max(sorted(sums), key=lambda scale: sum(sums[scale]))


def test_prompts_are_kept_and_the_state_of_their_tuning_is_not(unbroken):
    prompts = read_prompts(unbroken)
    assert [(each.task, each.init) for each in prompts] == [(task, i) for task in ("mood", "sky") for i in range(2)]
    assert all(np.abs(each.vector).max() > 1e-3 for each in prompts)
    assert not (unbroken / "state").exists()


def test_a_study_that_is_done_computes_nothing(unbroken, data, backbone):
    told, before = [], _lines(unbroken)
    run_study(PLAN, data, backbone, unbroken, tell=told.append)
    assert told == []
    assert _lines(unbroken) == before


class _Killed(BaseException):
    """As a signal would: nothing in between may catch it."""


def _mortal(monkeypatch, module, name, calls, after):
    """``module.name`` dies at its ``calls``-th call, before or ``after`` it has done its work."""
    real, count = getattr(module, name), iter(range(1, 10_000))

    def die(*arguments, **named):
        if next(count) < calls:
            return real(*arguments, **named)
        if after:
            real(*arguments, **named)
        raise _Killed

    monkeypatch.setattr(module, name, die)


@pytest.mark.parametrize(
    ("module", "name", "calls", "after"),
    [
        (_checkpoint, "save", 1, True),  # in the midst of tuning the sources
        (tuning_module, "save_prompt", 3, False),  # two of four prompts are written
        (state_module, "append", 4, False),  # sources and part of the sums
        (state_module, "append", 17, True),  # among the few-shot runs
        (state_module, "save_prompt", 2, False),  # one of two mixtures is written
    ],
)
def test_a_killed_study_goes_on_and_ends_as_an_unbroken_one(
    module, name, calls, after, unbroken, data, backbone, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        _mortal(patched, module, name, calls, after)
        with pytest.raises(_Killed):
            run_study(PLAN, data, backbone, tmp_path)
    run_study(PLAN, data, backbone, tmp_path)
    assert _lines(tmp_path) == _lines(unbroken)
    for one, other in zip(read_prompts(tmp_path), read_prompts(unbroken), strict=True):
        np.testing.assert_array_equal(one.tokens, other.tokens)


def test_a_half_written_line_is_run_again(unbroken, data, backbone, tmp_path):
    plan = replace(PLAN, parts=("sources",))
    run_study(plan, data, backbone, tmp_path)
    whole = _lines(tmp_path)
    (tmp_path / NAME).write_text("\n".join(whole)[:-9], encoding="utf-8")
    run_study(plan, data, backbone, tmp_path)
    assert _lines(tmp_path) == whole == _lines(unbroken)[: len(whole)]


def test_a_study_may_grow_by_tasks_and_inits(data, backbone, tmp_path):
    small = replace(PLAN, sources=("mood",), targets={}, inits=1, parts=("sources",))
    run_study(small, data, backbone, tmp_path)
    before, prompt = _lines(tmp_path), read_prompts(tmp_path)[0]
    run_study(replace(small, sources=("mood", "trip"), inits=2), data, backbone, tmp_path)
    assert _lines(tmp_path)[: len(before)] == before
    kept = {(each.task, each.init): each for each in read_prompts(tmp_path)}
    assert set(kept) == {(task, i) for task in ("mood", "trip") for i in range(2)}
    np.testing.assert_array_equal(kept["mood", 0].tokens, prompt.tokens)


def test_a_folder_of_another_study_is_refused_and_kept(unbroken, data, backbone, tmp_path, one_sentence):
    small = replace(PLAN, parts=("sources",))
    run_study(small, data, backbone, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    rows = data["sky"]
    others = data | {"sky": Splits(rows.train.take(range(10)), rows.validation, rows.test)}
    for plan, given, said in (
        (replace(small, length=4), data, "another setting of 'length'"),
        (replace(small, recipe=replace(RECIPE, rate=0.1)), data, "another setting of 'recipe'"),
        (replace(small, seed=1), data, "another setting of 'seed'"),
        (small, others, "other rows of 'sky'"),
        (replace(small, targets={"menu": ("sky", "mood")}), data, "other sources for 'menu'"),
        (replace(small, sources=("mood", "sky", "trip")), data, "other sources for 'attempt'"),
    ):
        with pytest.raises(SettingError, match=said) as error:
            run_study(plan, given, backbone, tmp_path)
        assert one_sentence(error.value)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(SettingError, match="does not say what the study is made of") as error:
        run_study(small, data, backbone, tmp_path)
    assert one_sentence(error.value)
    (tmp_path / "study.json").write_bytes(before[tmp_path / "study.json"])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_what_would_stop_a_study_later_is_refused_before_anything_is_tuned(data, backbone, tmp_path, one_sentence):
    def numbers(task):
        return Task(task.inputs.texts, Numbers(np.arange(len(task)) / 7), name="menu")

    def written(task):
        return Task(task.inputs.texts, Targets(tuple(task.inputs.texts)), name="menu")

    menu = data["menu"]
    of_numbers, of_texts = (
        {**data, "menu": Splits(*(make(part) for part in (menu.train, menu.validation, menu.test)))}
        for make in (numbers, written)
    )
    bare = {**data, "sky": Splits(data["sky"].train, None, data["sky"].test)}
    plain = replace(PLAN, methods=("random", "tpv"))
    long = replace(PLAN, few_shot=replace(PLAN.few_shot, max_length=300))
    for plan, given, error, said in (
        (replace(PLAN, shots=(0, 1)), data, SettingError, "1 shots are too few for the 2 classes of task 'menu'"),
        (replace(PLAN, shots=(4, 99)), data, SettingError, "fewer than 99 shots"),
        (PLAN, of_numbers, SettingError, "'ptuning2' tunes a head for classes"),
        (plain, of_numbers, SettingError, "numbers"),
        (plain, of_texts, SettingError, "writes no targets"),
        (long, data, SettingError, "'dept' reaches 256 tokens"),
        (PLAN, bare, DataError, "'sky' has no validation rows"),
        (replace(PLAN, sources=("mood", "sky", "sea")), data, DataError, "no data for task 'sea'"),
    ):
        with pytest.raises(error, match=said) as found:
            run_study(plan, given, backbone, tmp_path / "study")
        assert one_sentence(found.value)
        assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"targets": {"menu": ("mood", "sea")}}, "starts from 'sea', which is not a source"),
        ({"methods": ("random", "spott")}, "'spott' is not known"),
        ({"parts": ("sources", "sums")}, "part 'sums' is not known"),
        ({"sources": ("mood", "sky", "mood")}, "'mood' is named twice"),
        ({"shots": (0, -1)}, "shots=-1 is below 0"),
        ({"grid": ()}, "grid of λ is empty"),
        ({"inits": 0}, "inits=0"),
        ({"inits": 1}, "one init leaves none"),
    ],
)
def test_plans_that_cannot_be_are_refused(wrong, said, one_sentence):
    with pytest.raises(SettingError, match=said) as error:
        replace(PLAN, **wrong)
    assert one_sentence(error.value)


def test_few_shot_batches_grow_with_the_shots():
    plan = replace(PLAN, batches=((25, 2), (250, 8)), few_shot=replace(PLAN.few_shot, batch=16))
    assert [plan.batch(shots) for shots in (1, 25, 26, 250, 251)] == [2, 2, 8, 8, 16]


def test_the_file_of_the_study_says_what_it_is_made_of(unbroken, data, backbone):
    kept = json.loads((unbroken / "study.json").read_text(encoding="utf-8"))
    assert kept["settings"]["backbone"]["table"] == backbone.identity.table
    assert set(kept["data"]) == set(data)
    assert kept["starts"] == {"menu": ["mood", "sky"], "attempt": ["mood", "sky"], "mpt": ["mood", "sky"]}
