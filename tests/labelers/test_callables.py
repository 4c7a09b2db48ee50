from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers import ask, from_callable
from taskspace.task import Pool

POOL = Pool([f"text {i}" for i in range(10)])


def last_digit(text):
    return int(text[-1])


def is_odd(texts):
    return [last_digit(t) % 2 for t in texts]


def answers_of(function, pool=POOL, **settings):
    return ask(from_callable(function, name="f", **settings), pool)[1]


def test_a_batch_may_lack_a_class():
    """Ten texts in three classes, of which each batch of two sees at most two."""
    names = ["b", "b", "b", "a", "c", "c", "a", "a", "c", "c"]
    answers = answers_of(lambda texts: [names[last_digit(t)] for t in texts], batch_size=2)
    expected = [["a", "b", "c"].index(name) for name in names]
    assert answers.values.argmax(axis=1).tolist() == expected
    assert answers.values.shape == (10, 3)


def test_whole_numbers_in_one_batch_and_fractions_in_another_are_numbers():
    answers = answers_of(lambda texts: [last_digit(t) / 4 for t in texts], batch_size=1)
    assert answers.kind == "numbers"
    np.testing.assert_array_equal(answers.values[:, 0], np.arange(10) / 4)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 1000])
def test_the_batch_size_changes_nothing_and_no_text_is_lost(batch_size):
    seen = []

    def soft(texts):
        seen.append(len(texts))
        p = np.array([last_digit(t) / 10 for t in texts])
        return np.stack([p, 1 - p], axis=1)

    answers = answers_of(soft, batch_size=batch_size)
    np.testing.assert_allclose(answers.values[:, 0], np.arange(10) / 10)
    assert sum(seen) == 10
    assert max(seen) <= batch_size


@pytest.mark.parametrize(
    "function",
    [
        lambda texts: (name for name in ["no" if last_digit(t) % 2 else "yes" for t in texts]),
        lambda texts: torch.tensor([last_digit(t) % 2 for t in texts]),
        lambda texts: torch.nn.functional.one_hot(torch.tensor([last_digit(t) % 2 for t in texts]), 2).float(),
        lambda texts: [{"label": "no" if last_digit(t) % 2 else "yes", "score": 1.0} for t in texts],
        lambda texts: [{"odd": float(last_digit(t) % 2), "even": 1.0 - last_digit(t) % 2} for t in texts],
        lambda texts: np.array([[last_digit(t) % 2] for t in texts], dtype=float),
        lambda texts: [last_digit(t) % 2 == 1 for t in texts],
    ],
)
def test_all_forms_say_the_same(function):
    """Up to the order of the two classes, which nothing downstream depends on."""
    values = answers_of(function, batch_size=4).values
    odd = np.arange(10) % 2
    truth = np.stack([1 - odd, odd], axis=1)
    np.testing.assert_array_equal(np.sort(values.T.tolist(), axis=0), np.sort(truth.T.tolist(), axis=0))


def test_pairs_and_both_get_two_texts(pool):
    seen = []

    def count(rows):
        seen.extend(rows)
        return [len(row) for row in rows]

    inputs, _ = ask(from_callable(count, name="f", reads="pairs"), pool)
    assert seen == list(zip(inputs.texts, inputs.pairs, strict=True))
    assert len(seen) == 4
    seen.clear()
    ask(from_callable(count, name="f", reads="both"), pool)
    assert seen == list(zip(pool.inputs.texts, pool.inputs.pairs, strict=True))


def test_an_error_inside_names_the_labeler_and_the_rows():
    def fails(texts):
        if "text 4" in texts:
            raise KeyError("nothing\nat all")
        return ["a"] * len(texts)

    with pytest.raises(LabelerError, match="^labeler 'f' failed on rows 4 to 7 with KeyError: ") as caught:
        answers_of(fails, batch_size=4)
    assert isinstance(caught.value.__cause__, KeyError)
    assert "\n" not in str(caught.value)


def test_an_error_inside_a_generator_too():
    def fails(texts):
        yield "a"
        raise ValueError("broke")

    with pytest.raises(LabelerError, match="rows 0 to 9 with ValueError: broke;") as caught:
        answers_of(fails)
    assert isinstance(caught.value.__cause__, ValueError)


def test_the_interrupt_key_passes():
    def interrupted(texts):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers_of(interrupted)


def test_a_short_batch_is_named():
    with pytest.raises(LabelerError, match=r"^labeler 'f' \(rows 8 to 9\) gave 4 answers for 2 texts"):
        answers_of(lambda texts: ["a"] * 4, batch_size=4)


def test_the_bar_is_shown_only_when_asked_for(capsys, monkeypatch):
    labeler = from_callable(is_odd, name="odd one", batch_size=3)
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    ask(labeler, POOL)
    assert capsys.readouterr() == ("", "")
    ask(labeler, POOL, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "odd one" in err
    assert "10/10" in err
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    ask(labeler, POOL, progress=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"reads": "pair"}, "cannot read 'pair'; did you mean 'pairs'"),
        ({"name": " "}, "name ' ' is empty"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(SettingError, match=message):
        from_callable(is_odd, **{"name": "f"} | settings)


def test_what_cannot_be_called():
    with pytest.raises(SettingError, match="labeler 'f' is a list, which cannot be called"):
        from_callable(["a"], name="f")


class Threshold:
    def __init__(self, at):
        self.at = at

    def __call__(self, texts):
        return [last_digit(t) > self.at for t in texts]

    def below(self, texts):
        return [last_digit(t) < self.at for t in texts]


def at_least(at, texts):
    return [last_digit(t) >= at for t in texts]


def test_fingerprints_differ_where_answers_may():
    made = [
        from_callable(is_odd, name="f"),
        from_callable(is_odd, name="g"),
        from_callable(is_odd, name="f", reads="both"),
        from_callable(is_odd, name="f", version="2"),
        from_callable(lambda texts: [1 for _ in texts], name="f"),
        from_callable(lambda texts: [2 for _ in texts], name="f"),
        from_callable(Threshold(3), name="f"),
        from_callable(Threshold(4), name="f"),
        from_callable(Threshold(3).below, name="f"),
        from_callable(Threshold(4).below, name="f"),
        from_callable(functools.partial(at_least, 3), name="f"),
        from_callable(functools.partial(at_least, 4), name="f"),
        from_callable(len, name="f"),
    ]
    assert len({labeler.fingerprint for labeler in made}) == len(made)
    assert all(len(labeler.fingerprint) == 64 for labeler in made)


def test_fingerprints_agree_where_only_the_batches_differ():
    one, other = from_callable(Threshold(3), name="f"), from_callable(Threshold(3), name="f", batch_size=2)
    assert one.fingerprint == other.fingerprint


SCRIPT = """
import functools
from taskspace.labelers import from_callable

def by_words(texts, words=frozenset({"good", "fine", "warm"})):
    return [any(w in {"good", "fine"} or w in words for w in t.split()) for t in texts]

class Stateful:
    def __init__(self):
        self.seen = {"a", "b", "c"}
        self.client = object()
    def __call__(self, texts):
        return [t in self.seen for t in texts]

for function in (by_words, lambda t: [w in {"x", "y", "z"} for w in t], Stateful(), Stateful().__call__,
                 functools.partial(by_words, words={"q", "r"})):
    print(from_callable(function, name="f").fingerprint)
"""


def test_fingerprints_are_the_same_in_another_process(elsewhere):
    first, second = elsewhere(SCRIPT, seed="1"), elsewhere(SCRIPT, seed="99")
    assert first == second
    assert len(set(first.split())) == 5


def test_provenance_says_which_function_and_version():
    labeler = from_callable(functools.partial(at_least, 3), name="f", version="2024-05")
    assert labeler.provenance["function"].endswith("test_callables.at_least")
    assert labeler.provenance["version"] == "2024-05"
