from __future__ import annotations

import numpy as np
import pytest
import torch

from taskspace.errors import SettingError
from taskspace.tuning.bank import Bank
from taskspace.tuning.rows import Examples


def test_gradients_and_losses_equal_those_of_separate_runs(toy):
    backbone, part = toy.backbone(), toy.part(3)
    bank = Bank(backbone, part, tokens=20)
    batch = {row: bank.prepare(toy.examples(n, seed=row), max_length=20) for row, n in ((0, 4), (2, 7))}
    losses = bank.learn(batch)
    for row, rows in batch.items():
        alone = Bank(backbone, part.alone(row))
        assert alone.learn({0: rows})[0] == pytest.approx(losses[row], abs=1e-6)
        torch.testing.assert_close(
            part.parameters["tokens"].grad[row], alone.tuned.part.parameters["tokens"].grad[0], rtol=0, atol=1e-6
        )
    assert not part.parameters["tokens"].grad[1].any()


def test_a_row_s_loss_is_the_mean_over_its_examples(toy):
    backbone, part = toy.backbone(), toy.part(2)
    bank = Bank(backbone, part)
    rows = bank.prepare(toy.examples(5), max_length=20)
    by_hand = [float(backbone.run(bank.tuned, [row], [1]).losses.detach()) for row in rows]
    assert bank.losses({1: rows})[1] == pytest.approx(np.mean(by_hand), abs=1e-6)
    assert bank.learn({1: rows})[1] == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_scores_come_back_in_the_order_of_the_texts_whatever_the_passes(toy):
    backbone, part, examples = toy.backbone(), toy.part(3), toy.examples(11)
    narrow, wide = Bank(backbone, part, tokens=8), Bank(backbone, part, tokens=10_000)
    scores = narrow.scores(examples, [2, 0], max_length=20)
    assert scores.shape == (2, 11, toy.classes)
    np.testing.assert_allclose(scores, wide.scores(examples, [2, 0], max_length=20), atol=1e-6)
    row = wide.prepare(examples, max_length=20)[4]
    np.testing.assert_allclose(scores[0, 4], backbone.scores(wide.tuned, [row], [2])[0], atol=1e-6)
    assert narrow.generate(examples, 1, max_length=20, max_tokens=3) == wide.generate(
        examples, 1, max_length=20, max_tokens=3
    )


def test_passes_hold_rows_of_like_length_within_the_bound(toy):
    backbone = toy.backbone()
    bank = Bank(backbone, toy.part(1), tokens=24)
    bank.learn({0: bank.prepare(toy.examples(40), max_length=20)})
    lengths = [length for each in backbone.passes for length in each]
    assert lengths == sorted(lengths)
    assert all(max(each) * len(each) <= 24 for each in backbone.passes)
    assert len(backbone.passes) > 3


def test_a_pass_has_no_more_padding_than_a_pass_costs(toy):
    backbone = toy.backbone()
    bank = Bank(backbone, toy.part(1), tokens=320)
    prepared = bank.prepare(toy.examples(60), max_length=20)
    bank.learn({0: prepared})
    padding = [max(each) * len(each) - sum(each) for each in backbone.passes]
    assert max(padding) <= 320 // 16
    # Beginning one any earlier would have been in vain: with the next row there is more padding than that.
    following = zip(backbone.passes, backbone.passes[1:], strict=False)
    assert all(later[0] * len(each) - sum(each) > 320 // 16 for each, later in following)
    backbone.passes.clear()
    alike = [row for row in prepared if row.length == prepared[0].length]
    bank.learn({0: alike * (320 // prepared[0].length // len(alike))})
    assert len(backbone.passes) == 1


def test_a_guide_adds_its_own_gradient_but_not_to_the_loss_told(toy):
    def towards_zero(seen, rows, owners):
        return part.parameters["tokens"][torch.tensor(owners)].square().sum(1)

    part = toy.part(2)
    rows = Bank(toy.backbone(), part).prepare(toy.examples(4), max_length=20)
    plain = Bank(toy.backbone(), part).learn({0: rows})
    without = part.parameters["tokens"].grad.clone()
    part.parameters["tokens"].grad = None
    assert Bank(toy.backbone(), part, guide=towards_zero).learn({0: rows}) == plain
    pulled = part.parameters["tokens"].grad[0] - without[0]
    torch.testing.assert_close(pulled, 2 * part.parameters["tokens"].detach()[0], rtol=1e-5, atol=1e-5)


def test_labels_that_need_a_head_are_refused_without_one(toy, one_sentence):
    bank = Bank(toy.backbone(), toy.part(1))
    examples = toy.examples(3)
    numbers = Examples(examples.inputs, "numbers", np.ones((3, 1)))
    wordless = Examples(examples.inputs, "classes", examples.values)
    for labels, what in ((numbers, "numbers"), (wordless, "classes without words")):
        with pytest.raises(SettingError, match=what) as error:
            bank.prepare(labels, max_length=20)
        assert one_sentence(error.value)


def test_rows_and_examples_that_are_not_there_are_refused(toy, one_sentence):
    bank, examples = Bank(toy.backbone(), toy.part(2)), toy.examples(3)
    for owners in ([], [2], [-1], [0.0]):
        with pytest.raises(SettingError, match="row") as error:
            bank.scores(examples, owners, max_length=20)
        assert one_sentence(error.value)
    with pytest.raises(SettingError, match="no examples") as error:
        bank.scores(toy.examples(0), [0], max_length=20)
    assert one_sentence(error.value)
