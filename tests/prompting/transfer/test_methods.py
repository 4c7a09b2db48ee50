"""Every method by its name: what its bank starts from, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.soft import SoftPrompt
from taskspace.prompting.transfer import METHODS, MultitaskPrompt, Sources, multitask_prompt, start, transfer_bank
from taskspace.prompting.transfer.starts import STARTS
from taskspace.tuning.bank import Bank
from taskspace.tuning.evaluation import worded
from taskspace.tuning.parts import Prompts
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.training import Job, train

torch = pytest.importorskip("torch")

RECIPE = Recipe(steps=4, batch=4, rate=0.05, warmup=1, check=4, max_length=32)


@pytest.fixture(scope="module", params=["tiny_encoder", "tiny_t5", "tiny_decoder"])
def backbone(request):
    from taskspace.tuning.backbones import load_backbone

    return load_backbone(request.getfixturevalue(request.param))


@pytest.fixture
def sources(prompts_on):
    """Two rows' sources: the same prompts, another init each; ``single`` needs one prompt alone."""

    def make(backbone, method="random"):
        init, *prompts = prompts_on(backbone, 3)
        other = SoftPrompt(init.tokens[::-1], backbone.identity, "turned")
        rng = np.random.default_rng(0)
        stage = MultitaskPrompt(
            init.tokens, *(1 + 0.1 * rng.standard_normal((3, n)).astype(np.float32) for n in init.tokens.shape)
        )
        given = tuple(prompts[:1] if method == "single" else prompts)
        return [Sources(each, given, prompts[2], stage) for each in (init, other)]

    return make


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_a_bank_that_learns(method, backbone, sources, small_tasks):
    bank = transfer_bank(method, backbone, sources(backbone, method), outputs=[2, 2], seed=1)
    assert len(bank) == 2
    examples = [worded(backbone, small_tasks[name]) for name in ("mood", "trip")]
    before = {name: tensor.detach().clone() for name, tensor in bank.parameters.items()}
    train(bank, [Job(each, seed=row) for row, each in enumerate(examples)], RECIPE)
    for name, tensor in bank.parameters.items():
        moved = (tensor.detach() - before[name]).abs().flatten(1).amax(1)
        assert bool((moved > 0).all()), name
    scores = bank.scores(examples[0], [0, 1], max_length=32)
    assert scores.shape == (2, len(examples[0]), 2)
    assert np.isfinite(scores).all()
    assert not np.allclose(scores[0], scores[1], atol=1e-6)


@pytest.mark.parametrize("method", STARTS)
def test_plain_starts_are_rows_of_prompts(method, backbone, sources):
    given = sources(backbone, method)
    bank = transfer_bank(method, backbone, given, scale=0.5)
    for row, each in enumerate(given):
        np.testing.assert_array_equal(bank.state(row)["tokens"], start(method, each, scale=0.5).tokens)


def test_carriers_start_from_the_init(backbone, sources):
    given = sources(backbone)
    length, width = given[0].init.tokens.shape
    attempt = transfer_bank("attempt", backbone, given)
    dept = transfer_bank("dept", backbone, given)
    mpt = transfer_bank("mpt", backbone, given)
    ptuning = transfer_bank("ptuning2", backbone, given, outputs=[2, 3])
    for row, each in enumerate(given):
        np.testing.assert_array_equal(attempt.state(row)["tokens"], each.init.tokens)
        short = dept.state(row)["tokens"]
        np.testing.assert_array_equal(short, each.init.tokens[: len(short)])
        stage = each.multitask
        np.testing.assert_array_equal(mpt.state(row)["prompt"], stage.prompt)
        np.testing.assert_allclose(mpt.state(row)["u"], stage.u.mean(0))
        np.testing.assert_allclose(mpt.state(row)["v"], stage.v.mean(0))
    np.testing.assert_array_equal(attempt.tuned.part.sources.numpy(), [p.tokens for p in given[0].prompts])
    assert 1 <= len(short) < length
    assert ptuning.tuned.part.parameters["keys_values"].shape[:2] == (2, length)
    assert ptuning.tuned.head.outputs == (2, 3)


def test_what_a_bank_cannot_be_made_of_is_refused(tiny_backbone, sources, prompts_on, one_sentence):
    given = sources(tiny_backbone)
    longer = SoftPrompt(np.ones((9, tiny_backbone.width), np.float32), name="longer")
    bare = [Sources(each.init) for each in given]
    unequal = [given[0], Sources(given[1].init, given[1].prompts[:2])]
    foreign = SoftPrompt(np.ones((3, 5), np.float32), name="foreign")
    for method, rows, error, said in (
        ("tpvv", given, SettingError, "did you mean 'tpv'"),
        ("random", [], SettingError, "nothing to start from"),
        ("attempt", bare, PromptError, "'attempt' got 0 source prompts; give at least 2"),
        ("attempt", unequal, PromptError, "different sources"),
        ("mpt", bare, PromptError, "no multitask prompt"),
        ("random", [given[0], Sources(longer)], PromptError, "takes prompts of one length"),
        ("dept", [given[0], Sources(longer)], PromptError, "takes prompts of one length"),
        ("attempt", [Sources(given[0].init, (*given[0].prompts, longer))], PromptError, "of one length"),
        ("ptuning2", [Sources(foreign)], PromptError, "'foreign' is 5 wide"),
    ):
        with pytest.raises(error, match=said) as found:
            transfer_bank(method, tiny_backbone, rows, outputs=[2] * len(rows))
        assert one_sentence(found.value)


def test_the_first_stage_of_mpt_learns_from_tasks_and_teachers(backbone, prompts_on, small_tasks):
    init, *teachers = prompts_on(backbone, 2)
    jobs = [Job(worded(backbone, small_tasks[name]), seed=row, batch=4) for row, name in enumerate(("mood", "trip"))]
    recipe = Recipe(steps=12, batch=4, rate=0.02, warmup=1, check=12, max_length=32)
    found = multitask_prompt(backbone, teachers, jobs, recipe)
    assert found.prompt.shape == init.tokens.shape
    assert (found.u.shape, found.v.shape) == ((2, init.length), (2, init.width))
    assert found.tasks == ("task0", "task1")
    assert np.abs(found.prompt - init.tokens).max() > 1e-3
    assert np.abs(found.u[0] - found.u[1]).max() > 1e-3
    # Each task is served better by its own factored prompt than by the bare start.
    tables = [found.prompt * found.u[t][:, None] * found.v[t] for t in range(2)]
    made = Bank(backbone, Prompts(backbone, np.stack(tables)))
    bare = Bank(backbone, Prompts(backbone, np.stack([init.tokens] * 2)))
    rows = {t: made.prepare(job.train[0], max_length=32) for t, job in enumerate(jobs)}
    after, before = made.losses(rows), bare.losses(rows)
    assert sum(after.values()) < sum(before.values())


def test_a_heavier_teacher_is_followed_more_closely(tiny_backbone, prompts_on, small_tasks):
    init, *teachers = prompts_on(tiny_backbone, 2)
    examples = [worded(tiny_backbone, small_tasks[name]) for name in ("mood", "trip")]
    jobs = [Job(each, seed=row) for row, each in enumerate(examples)]
    recipe = Recipe(steps=30, batch=8, rate=0.03, warmup=1, check=30, clip=0.0, max_length=32)
    gaps = []
    for weight in (0.0, 50.0):
        found = multitask_prompt(tiny_backbone, teachers, jobs, recipe, weight=weight)
        tables = np.stack([found.prompt * found.u[t][:, None] * found.v[t] for t in range(2)])
        taught = Bank(tiny_backbone, Prompts(tiny_backbone, np.stack([each.tokens for each in teachers])))
        made = Bank(tiny_backbone, Prompts(tiny_backbone, tables))
        pairs = [(bank.scores(examples[t], [t], max_length=32)[0]) for t in range(2) for bank in (taught, made)]
        gaps.append(sum(np.mean((pairs[i] - pairs[i + 1]) ** 2) for i in (0, 2)))
    assert gaps[1] < gaps[0]


def test_teachers_that_do_not_fit_are_refused(tiny_backbone, prompts_on, small_tasks, one_sentence):
    init, *teachers = prompts_on(tiny_backbone, 2)
    jobs = [Job(worded(tiny_backbone, small_tasks["mood"]))] * 2
    longer = SoftPrompt(np.ones((9, tiny_backbone.width), np.float32), name="longer")
    for given, start_from, said in (
        (teachers[:1], init, "1 teachers for 2 tasks"),
        ([teachers[0], longer], init, "of one length"),
        (teachers, longer, "of one length"),
    ):
        with pytest.raises(PromptError, match=said) as error:
            multitask_prompt(tiny_backbone, given, jobs, RECIPE, init=start_from)
        assert one_sentence(error.value)
