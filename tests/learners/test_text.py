from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.labels import Answers
from taskspace.learners import gather
from taskspace.learners.text import Text
from taskspace.task import Inputs


def embed(ground, inputs, known=None):
    known = np.ones(len(inputs), dtype=bool) if known is None else np.array(known)
    return Text().bind(ground)(gather(inputs, Answers(np.zeros((len(inputs), 0)), known)))


def test_the_mean_by_hand(ground, encoder):
    inputs = Inputs.of(["red rain", "snow", "snow", "soup is good"], [None, None, None, "bread"])
    last = {
        text: encoder.features([text])[0, 16:].astype(float) for text in ("red rain", "snow", "soup is good", "bread")
    }
    expected = (last["red rain"] + 2 * last["snow"] + (last["soup is good"] + last["bread"]) / 2) / 4
    learned = embed(ground, inputs)
    assert list(learned.blocks) == ["text"]
    assert learned.blocks["text"].dtype == np.float32
    np.testing.assert_allclose(learned.blocks["text"], expected, atol=1e-6)
    assert learned.report == {"rows": 3}


def test_only_what_was_answered(ground):
    inputs = Inputs.of(["red rain", "snow", "soup"])
    some = embed(ground, inputs, [True, False, True])
    assert some.blocks["text"].tobytes() == embed(ground, inputs.take([2, 0])).blocks["text"].tobytes()


def test_nothing_answered(ground, one_sentence):
    with pytest.raises(DataError, match="no answered texts") as caught:
        embed(ground, Inputs.of(["red rain"]), [False])
    assert one_sentence(caught.value)


def test_it_asks_for_nothing():
    assert dict(Text().settings) == {}
    assert Text().needs_labels is False
    assert Text().name == "text"
