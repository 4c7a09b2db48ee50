from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.soft import SoftPrompt
from taskspace.prompting.soft.combine import ties
from taskspace.prompting.transfer import METHODS, Sources, retrieved, start
from taskspace.prompting.transfer.starts import STARTS


@pytest.fixture
def sources(tiny_backbone, prompts_on):
    init, *prompts = prompts_on(tiny_backbone, 3)
    return Sources(init, tuple(prompts), mixture=prompts[2])


def test_vectors_are_added_averaged_and_merged_on_the_init(sources):
    init = sources.init.tokens.astype(np.float64)
    vectors = np.stack([prompt.tokens.astype(np.float64) - prompt.init for prompt in sources.prompts])
    for scale in (1.0, 0.4):
        np.testing.assert_allclose(start("tpv", sources, scale=scale).tokens, init + scale * vectors.sum(0), atol=1e-6)
        np.testing.assert_allclose(
            start("average", sources, scale=scale).tokens, init + scale * vectors.mean(0), atol=1e-6
        )
        merged = ties([prompt.vector for prompt in sources.prompts]).values
        np.testing.assert_allclose(start("ties", sources, scale=scale).tokens, init + scale * merged, atol=1e-6)


def test_other_starts_are_prompts_as_they_are(sources):
    assert start("random", sources) is sources.init
    assert start("spot", sources) is sources.mixture
    assert start("single", Sources(sources.init, sources.prompts[1:2])) is sources.prompts[1]


def test_what_a_method_lacks_is_said(sources, one_sentence):
    bare = Sources(sources.init)
    rootless = Sources(sources.init, (SoftPrompt(sources.init.tokens, name="lost"),))
    for method, given, said in (
        ("single", bare, "got 0 source prompts"),
        ("single", sources, "several source prompts"),
        ("spot", bare, "no prompt tuned on the sources' mixture"),
        ("tpv", bare, "'tpv' got 0"),
        ("average", bare, "'average' got 0"),
        ("ties", bare, "'ties' got 0"),
        ("tpv", rootless, "'lost' has no init"),
    ):
        with pytest.raises(PromptError, match=said) as error:
            start(method, given)
        assert one_sentence(error.value)


def test_methods_that_are_none_or_no_plain_prompts_are_refused(sources, one_sentence):
    for method, said in (("tvp", "did you mean 'tpv'"), ("mpt", "does not start from a plain prompt")):
        with pytest.raises(SettingError, match=said) as error:
            start(method, sources)
        assert str(error.value).count("\n") == 0
        assert one_sentence(error.value)
    assert set(STARTS) < set(METHODS)


def _named(tokens, name):
    return SoftPrompt(np.array(tokens, np.float32), name=name, tasks=(name,))


def test_retrieval_takes_what_points_the_same_way():
    target = _named([[1.0, 0.0], [1.0, 0.0]], "new")
    near, far, away = (_named(rows, name) for rows, name in (
        ([[2.0, 0.2], [2.0, 0.2]], "near"), ([[1.0, 1.0], [1.0, 1.0]], "far"), ([[-1.0, 0.0], [-1.0, 0.0]], "away"),
    ))  # fmt: skip
    assert retrieved(target, [away, far, near]) is near
    # cosines with (1, 0): 2 / sqrt(4.04) and 1 / sqrt(2); what points away counts nothing.
    weights = np.array([2 / 4.04**0.5, 0.5**0.5])
    expected = (weights[0] * near.tokens + weights[1] * far.tokens) / weights.sum()
    for k in (2, 3):
        found = retrieved(target, [away, far, near], k)
        np.testing.assert_allclose(found.tokens, expected, atol=1e-6)
    assert found.tasks == ("near", "far", "away")


def test_retrieval_tells_prompts_of_one_name_apart():
    target = _named([[1.0, 0.0]], "new")
    first, second = _named([[1.0, 3.0]], "mnli"), _named([[1.0, 0.1]], "mnli")
    assert retrieved(target, [first, second]) is second
    assert retrieved(target, [second, first]) is second


def test_retrieval_of_more_than_there_are_is_refused(one_sentence):
    target, other = _named([[1.0, 0.0]], "new"), _named([[1.0, 3.0]], "mnli")
    for prompts, k, said in (([other], 2, "k=2 of 1"), ([other], 0, "k=0"), ([other, target], 2, "fewer than k=2")):
        with pytest.raises(PromptError, match=said) as error:
            retrieved(target, prompts, k)
        assert one_sentence(error.value)
