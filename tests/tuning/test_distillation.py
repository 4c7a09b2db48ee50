from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from taskspace.task import Inputs
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.backbones._backbone import Pass, Tuned
from taskspace.tuning.bank import Bank
from taskspace.tuning.distillation import Distillation
from taskspace.tuning.parts import Prompts
from taskspace.tuning.rows import Examples, Row

ROWS = [
    Row((5, 6, 7), (), "targets", np.zeros(0), target=(3, 1)),
    Row((5,), (), "targets", np.zeros(0), target=(4, 2, 1)),
]
PLACES = torch.tensor([[True, True, False], [True, True, True]])


def _pass(seed, logits=None):
    """Logits [2, 3, 4] at the targets and hidden states [2, 3, 5], as if of a language model."""
    drawn = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 4, generator=drawn) if logits is None else logits
    return Pass(torch.zeros(2), logits, PLACES, torch.randn(2, 3, 5, generator=drawn))


def _guided(teacher, student, rows=ROWS, weight=0.9):
    backbone = SimpleNamespace(run=lambda tuned, rows, owners: teacher)
    return Distillation(backbone, None, weight)(student, rows, [0] * len(rows))


def _softmax(logits):
    likely = np.exp(logits - logits.max(-1, keepdims=True))
    return likely / likely.sum(-1, keepdims=True)


def test_it_is_the_divergence_at_target_places_plus_the_squared_distance_of_the_texts_states():
    teacher, student = _pass(0), _pass(1)
    expected = []
    for row, each in enumerate(ROWS):
        divergence = 0.0
        for place in range(len(each.target)):
            wanted, given = (_softmax(said.logits[row, place].double().numpy()) for said in (teacher, student))
            divergence += sum(p * np.log(p / q) for p, q in zip(wanted, given, strict=True))
        own = slice(len(each.ids))
        gap = (teacher.hidden[row, own] - student.hidden[row, own]).double().numpy()
        expected.append(0.9 * (divergence + len(each.target) * np.mean(gap**2)))
    np.testing.assert_allclose(_guided(teacher, student).numpy(), expected, rtol=1e-5)


def test_the_weight_multiplies_all_of_it():
    teacher, student = _pass(0), _pass(1)
    torch.testing.assert_close(_guided(teacher, student, weight=0.3), _guided(teacher, student, weight=0.6) / 2)


def test_classes_that_a_row_does_not_have_count_nothing_and_leave_the_gradient_finite():
    rows = [Row((5, 6, 7), (), "classes", np.eye(3)[0]), Row((5,), (), "classes", np.eye(2)[1])]
    padded = torch.tensor([[[0.3, -1.0, 2.0]], [[1.0, 0.5, -torch.inf]]])
    leaf = torch.tensor([[[1.0, 0.0, -0.5]], [[-1.0, 2.0, 9.0]]], requires_grad=True)
    student_logits = leaf.masked_fill(padded == -torch.inf, -torch.inf)
    hidden, places = torch.zeros(2, 3, 5), torch.ones(2, 1, dtype=torch.bool)
    teacher, student = (Pass(torch.zeros(2), logits, places, hidden) for logits in (padded, student_logits))
    found = _guided(teacher, student, rows, weight=1.0)
    wanted, given = _softmax(np.array([1.0, 0.5])), _softmax(np.array([-1.0, 2.0]))
    assert found[1].item() == pytest.approx((wanted * np.log(wanted / given)).sum(), rel=1e-5)
    found.sum().backward()
    # The gradient of KL(p || softmax(z)) is softmax(z) - p, and nothing for a class that is not there.
    np.testing.assert_allclose(leaf.grad[1, 0].numpy(), [*(given - wanted), 0.0], atol=1e-6)
    own = _softmax(np.array([1.0, 0.0, -0.5])) - _softmax(np.array([0.3, -1.0, 2.0]))
    np.testing.assert_allclose(leaf.grad[0, 0].numpy(), own, atol=1e-6)


def test_a_student_that_is_its_teacher_feels_nothing():
    said = _pass(0)
    leaf = said.logits.clone().requires_grad_()
    hidden = said.hidden.clone().requires_grad_()
    found = _guided(said, Pass(torch.zeros(2), leaf, PLACES, hidden))
    found.sum().backward()
    torch.testing.assert_close(found.detach(), torch.zeros(2), rtol=0, atol=1e-6)
    torch.testing.assert_close(leaf.grad, torch.zeros_like(leaf), rtol=0, atol=1e-6)
    assert not hidden.grad.any()


@pytest.mark.parametrize("folder", ["tiny_encoder", "tiny_t5", "tiny_decoder"])
def test_on_a_backbone_a_bank_is_pulled_towards_its_teachers(folder, request):
    backbone = load_backbone(request.getfixturevalue(folder))
    texts, answers = ["the soup is good", "it was dull", "snow"], ("good", "bad", "red train")
    examples = Examples(Inputs.of(texts), "classes", np.eye(3), answers, ("good", "bad", "red train"))
    teacher = Prompts.start(backbone, 2, 3, seed=[1, 2])
    same = Prompts(backbone, teacher.parameters["tokens"].detach().numpy())
    other = Prompts.start(backbone, 2, 3, seed=[3, 4])
    for student, moved in ((same, False), (other, True)):
        plain = Bank(backbone, student)
        rows = plain.prepare(examples, max_length=32)
        plain.learn({0: rows[:2], 1: rows[2:]})
        alone, student.parameters["tokens"].grad = student.parameters["tokens"].grad, None
        Bank(backbone, student, guide=Distillation(backbone, Tuned(teacher))).learn({0: rows[:2], 1: rows[2:]})
        pulled = (student.parameters["tokens"].grad - alone).abs().amax((1, 2))
        assert bool((pulled > 1e-4).all()) is moved
        assert bool((pulled < 1e-6).all()) is not moved
    assert teacher.parameters["tokens"].grad is None
