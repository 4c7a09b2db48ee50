"""Coefficients of linear models, where the best ones are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from taskspace.errors import SettingError
from taskspace.merging import TaskVector
from taskspace.merging.checkpoint import whole
from taskspace.merging.fitting import PIECES, fit, objective


class Classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Linear(4, 4, bias=False)
        self.head = torch.nn.Linear(4, 2)

    def forward(self, x):
        return SimpleNamespace(logits=self.head(self.body(x)))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Classifier()


@pytest.fixture
def base(model):
    return {"body.weight": model.body.weight.detach().numpy().copy()}


@pytest.fixture
def tasks(base):
    generator = np.random.default_rng(0)
    return [
        TaskVector.from_arrays({"body.weight": generator.standard_normal((4, 4)).astype(np.float32)}, name=f"t{i}")
        for i in range(2)
    ]


def squares(target):
    """A loss whose minimum is where the body is ``target``."""
    return lambda weights: ((weights["body.weight"] - torch.as_tensor(target)) ** 2).sum()


def test_the_coefficients_of_a_known_sum_are_found(base, tasks):
    target = whole((0.6 * tasks[0] - 0.3 * tasks[1]).apply(base), "body.weight")
    for settings in ({"rate": 0.1, "steps": 100}, {"optimiser": "nelder-mead", "steps": 60}):
        found = fit(tasks, base, [squares(target)], **settings)
        assert found.vector.weights == pytest.approx({"t0": 0.6, "t1": -0.3}, abs=0.01)


def test_a_coefficient_for_each_tensor(tasks):
    def vector(seed, name):
        generator = np.random.default_rng(seed)
        shapes = {"a": (3, 3), "b": (5,)}
        return TaskVector.from_arrays(
            {n: generator.standard_normal(s).astype(np.float32) for n, s in shapes.items()}, name=name
        )

    one, two = vector(1, "one"), vector(2, "two")
    base = {"a": np.zeros((3, 3), np.float32), "b": np.zeros(5, np.float32)}
    goal = {"a": torch.as_tensor(whole(one.apply(base), "a")), "b": torch.as_tensor(0.5 * whole(two.apply(base), "b"))}

    def loss(weights):
        return sum(((weights[name] - wanted) ** 2).sum() for name, wanted in goal.items())

    found = fit([one, two], base, [loss], pieces="tensor", rate=0.1, steps=150)
    np.testing.assert_allclose(found.numbers.reshape(2, 2), [[1, 0], [0, 0.5]], atol=0.02)
    merged = found.vector.apply(base)
    np.testing.assert_allclose(whole(merged, "b"), goal["b"], atol=0.05)


def all_in(pieces):
    return {"kept_share": 1.0} if pieces == "direction" else {}


@pytest.mark.parametrize("pieces", PIECES)
def test_vectors_that_change_other_tensors_each(pieces):
    """As adapters of unequal target modules do; where a vector names no tensor it is zero."""
    square = np.arange(9, dtype=np.float32).reshape(3, 3) + np.eye(3, dtype=np.float32)
    one = TaskVector.from_arrays({"a": square}, name="one")
    two = TaskVector.from_arrays({"a": square.T.copy(), "b": -square}, name="two")
    base = {"a": np.zeros((3, 3), np.float32), "b": np.zeros((3, 3), np.float32)}
    goal = {"a": torch.as_tensor(square), "b": torch.zeros(3, 3)}

    def loss(weights):
        return sum(((weights[name] - goal[name]) ** 2).sum() for name in goal)

    fitted = fit([one, two], base, [loss], pieces=pieces, steps=60, **all_in(pieces))
    merged = fitted.vector.apply(base)
    reached = float(loss({name: torch.as_tensor(whole(merged, name)) for name in goal}))
    assert reached == pytest.approx(min(fitted.losses), rel=1e-3)
    assert min(fitted.losses) < fitted.losses[0]


def test_shares_add_up_to_the_size(base, tasks):
    target = whole((0.9 * tasks[0] + 0.3 * tasks[1]).apply(base), "body.weight")
    found = fit(tasks, base, [squares(target)], pieces="share", rate=0.2, steps=150)
    assert found.vector.weights == pytest.approx({"t0": 0.9, "t1": 0.3}, abs=0.02)


def test_directions_that_help_are_kept_and_others_dropped(base):
    left, right = (np.linalg.qr(np.random.default_rng(s).standard_normal((4, 4)))[0] for s in (1, 2))
    good, bad = np.outer(left[:, 0], right[:, 0]), np.outer(left[:, 1], right[:, 1])
    vector = TaskVector.from_arrays({"body.weight": (2 * bad + good).astype(np.float32)})
    found = fit([vector], base, [squares(base["body.weight"] + good)], pieces="direction", steps=40, kept_share=0.25)
    np.testing.assert_allclose(whole(found.vector.apply(base), "body.weight"), base["body.weight"] + good, atol=1e-5)


def test_directions_change_sides_in_a_few_steps(base):
    vector = TaskVector.from_arrays({"body.weight": np.eye(4, dtype=np.float32)})
    found = fit([vector], base, [squares(base["body.weight"])], pieces="direction", steps=5, kept_share=1.0)
    assert found.losses[0] == pytest.approx(4)
    assert min(found.losses) == 0


def worth_nothing(weights):
    return 0.0 * weights["body.weight"].sum()


@pytest.mark.parametrize(
    ("pieces", "settings", "mean"),
    [
        ("task", {"begin": -0.8}, 0.8),
        ("tensor", {"begin": 0.3}, 0.3),
        ("share", {}, 0.5),  # two shares of size 1
        ("direction", {"kept_share": 0.75}, 0.75),  # six of eight are in
        ("direction", {"kept_share": 0.25, "scale": -2.0}, 0.5),
    ],
)
def test_the_penalty_is_of_what_the_pieces_are_multiplied_by(base, tasks, pieces, settings, mean):
    found = fit(tasks, base, [worth_nothing], pieces=pieces, penalty=0.1, steps=1, **settings)
    assert found.losses[0] == pytest.approx(0.1 * mean)


def test_a_penalty_makes_shares_smaller(base, tasks):
    found = fit(tasks, base, [worth_nothing], pieces="share", penalty=1.0, steps=40)
    assert sum(map(abs, found.vector.weights.values())) < 0.1


@pytest.mark.parametrize("optimiser", ["adam", "nelder-mead"])
def test_learning_begins_where_it_is_told(base, tasks, optimiser):
    target = whole((0.3 * tasks[0] + 0.3 * tasks[1]).apply(base), "body.weight")
    found = fit(tasks, base, [squares(target)], begin=0.3, steps=3, optimiser=optimiser)
    assert found.losses[0] == pytest.approx(0, abs=1e-9)
    assert found.vector.weights == pytest.approx({"t0": 0.3, "t1": 0.3})


def test_labels_and_entropy_of_a_model(model, base, tasks):
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.func.functional_call(
        model, {"body.weight": torch.as_tensor(whole(tasks[0].apply(base), "body.weight"))}, (x,)
    ).logits.argmax(-1)
    by_labels = objective(model, [{"x": x, "labels": labels}])
    logits = model(x).logits
    held = {"body.weight": torch.as_tensor(base["body.weight"])}
    assert float(by_labels(held).detach()) == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits, labels).detach()), rel=1e-5
    )
    by_entropy = objective(model, [{"x": x}], "entropy")
    p = logits.softmax(-1)
    assert float(by_entropy(held).detach()) == pytest.approx(float(-(p * p.log()).sum(-1).mean().detach()), rel=1e-5)
    found = fit(tasks, base, [by_labels], steps=100)
    assert found.losses[-1] < found.losses[0]
    assert fit(tasks, base, [by_entropy], steps=50).losses[-1] < float(by_entropy(held).detach())


@pytest.mark.parametrize("pieces", PIECES)
def test_the_vector_is_what_was_learned(base, tasks, pieces):
    """The merged model has the loss that the learner saw for its numbers."""
    target = np.ones((4, 4), np.float32)
    found = fit(tasks, base, [squares(target)], pieces=pieces, steps=30)
    merged = whole(found.vector.apply(base), "body.weight")
    assert float(np.sum((merged - target) ** 2)) == pytest.approx(min(found.losses), rel=1e-4)


def test_what_cannot_be_fitted_is_told(model, base, tasks, one_sentence):
    no_matrix = TaskVector.from_arrays({"b": np.ones(3, np.float32)})
    for wrong in (
        lambda: fit(tasks, base, [squares(0)], pieces="tensors"),
        lambda: fit(tasks, base, [squares(0)], optimiser="sgd"),
        lambda: fit(tasks, base, []),
        lambda: fit(tasks, base, [squares(0)], kept_share=0.5),
        lambda: fit(tasks, base, [squares(0)], pieces="tensor", scale=2.0),
        lambda: fit(tasks, base, [squares(0)], pieces="share", begin=0.3),
        lambda: fit(tasks, base, [squares(0)], pieces="direction", begin=0.3),
        lambda: fit(tasks, base, [squares(0)], pieces="direction", kept_share=1.5),
        lambda: fit(tasks, base, [squares(0)], pieces="direction", scale=float("nan")),
        lambda: fit(tasks, base, [squares(0)], optimiser="nelder-mead", rate=0.1),
        lambda: fit(tasks, base, [squares(0)], optimiser="nelder-mead", begin=1.2),
        lambda: fit(tasks, base, [squares(0)], rate=0.0),
        lambda: fit([no_matrix], {"b": np.zeros(3)}, [squares(0)], pieces="direction"),
        lambda: objective(model, []),
        lambda: objective(model, [{"x": torch.zeros(1, 4)}]),
        lambda: objective(model, [{"x": torch.zeros(1, 4)}], "guess"),
    ):
        with pytest.raises(SettingError) as caught:
            wrong()
        assert one_sentence(caught.value)
