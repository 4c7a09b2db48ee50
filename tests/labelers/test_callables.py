from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers import AnswerStore, Labeler, ask, from_callable
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


def test_a_function_that_exits_does_not_end_the_run():
    def leaves(texts):
        raise SystemExit(3)

    with pytest.raises(LabelerError, match="^labeler 'f' failed on rows 0 to 3 with SystemExit: 3"):
        answers_of(leaves, batch_size=4)


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


# Answers that are kept


ASKED: list[str] = []  # out of the function's sight: what it holds would be part of it


@pytest.fixture
def asked():
    """Texts given to :func:`recorded`, in order."""
    ASKED.clear()
    return ASKED


def recorded(texts):
    ASKED.extend(texts)
    return is_odd(texts)


def test_with_a_version_the_function_is_asked_once(asked):
    first = ask(from_callable(recorded, name="f", version="1"), POOL)[1]
    assert asked == list(POOL.texts)
    again = ask(from_callable(recorded, name="f", version="1"), POOL)[1]
    assert len(asked) == 10
    np.testing.assert_array_equal(again.values, first.values)
    larger = Pool([*POOL.texts, "text 11", "text 12"])
    ask(from_callable(recorded, name="f", version="1", batch_size=1), larger)
    assert asked[10:] == ["text 11", "text 12"]


@pytest.mark.parametrize("settings", [{"version": "2"}, {"version": "1", "name": "g"}, {"version": ""}])
def test_another_version_or_name_or_none_is_asked_anew(asked, settings):
    ask(from_callable(recorded, name="f", version="1"), POOL)
    ask(from_callable(recorded, **{"name": "f"} | settings), POOL)
    assert len(asked) == 20


def test_what_reads_single_texts_and_pairs_keeps_both_apart(pool):
    seen = []

    def count(rows):
        seen.extend(rows)
        return [len(row[1] or "") for row in rows]

    both = from_callable(count, name="f", reads="both", version="1")
    _, answers = ask(both, pool)
    assert seen == list(zip(pool.texts, pool.text_pairs, strict=True))
    np.testing.assert_array_equal(ask(both, pool)[1].values, answers.values)
    assert len(seen) == 10


def is_second(text):
    return last_digit(text) == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda texts: ["no" if last_digit(t) % 2 else None if is_second(t) else "yes" for t in texts],
        lambda texts: [last_digit(t) / 3 for t in texts],
        lambda texts: np.array([np.nan if is_second(t) else last_digit(t) / 3 for t in texts]),
        lambda texts: [np.int64(last_digit(t)) for t in texts],
        lambda texts: [last_digit(t) % 2 == 1 for t in texts],
        lambda texts: torch.softmax(torch.tensor([[last_digit(t) / 7, 1.0, 0.0] for t in texts]), dim=1),
        lambda texts: [[np.nan] * 2 if is_second(t) else [0.25, np.float32(0.75)] for t in texts],
        lambda texts: np.array([[last_digit(t) / 10] for t in texts]),
        lambda texts: [{"odd": last_digit(t) / 10, 7: 1 - last_digit(t) / 10} for t in texts],
        lambda texts: [{} if is_second(t) else {"odd": torch.tensor(0.5), "even": 0.5} for t in texts],
        lambda texts: [{"label": last_digit(t) % 2, "score": 0.75} for t in texts],
        lambda texts: [[{"label": t[-1], "score": 0.5}, {"label": "b", "score": 0.1}] for t in texts],
        lambda texts: [None if is_second(t) else [{"label": "LABEL_1", "score": last_digit(t) / 10}] for t in texts],
        lambda texts: ["\ud800" if last_digit(t) % 2 else "größer" for t in texts],
    ],
)
def test_every_form_says_the_same_when_it_was_kept(function, tmp_path):
    direct = answers_of(function)
    for _ in range(2):  # asked for, then read back
        store = AnswerStore(tmp_path / "answers.db")
        kept = answers_of(function, version="1", batch_size=3, store=store)
        assert kept.kind == direct.kind
        np.testing.assert_array_equal(kept.known, direct.known)
        np.testing.assert_array_equal(kept.values, direct.values)
    assert len(store) == 10


def test_a_kept_function_is_a_labeler_of_the_same_name_and_fingerprint():
    kept, direct = from_callable(Threshold(3), name="f", version="2"), from_callable(Threshold(3), name="f")
    assert isinstance(kept, Labeler)
    assert (kept.name, kept.reads, kept.kind) == (direct.name, direct.reads, direct.kind)
    assert kept.provenance == {**direct.provenance, "version": "2"}
    assert kept.fingerprint == from_callable(Threshold(3), name="f", version="2", batch_size=2).fingerprint
    json.dumps(dict(kept.provenance))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([0.75, 0.75], r"labeler 'f' gave \[0.75, 0.75\] in row 5, which sum to 1.5, not 1"),
        ([float("inf"), 0.0], "in row 5, which are not all finite"),
        (["a", "b"], r"labeler 'f' gave \['a', 'b'\] in row 5, which are not all numbers"),
        ([0.5, {"label": "b"}], "in row 5, which are not all numbers"),
        (object(), "labeler 'f' gave a object in row 5"),
    ],
)
def test_an_unsound_batch_is_refused_and_not_kept(wrong, message, tmp_path):
    store = AnswerStore(tmp_path / "answers.db")

    def function(texts):
        return [wrong if "5" in text else [0.5, 0.5] for text in texts]

    with pytest.raises(LabelerError, match=message) as caught:
        answers_of(function, version="1", batch_size=2, store=store)
    assert "(4 of 10 answers came before and are kept: the next run asks for the rest)" in str(caught.value)
    assert len(store) == 4


def test_infinity_is_refused_and_not_kept():
    store = AnswerStore(None)
    with pytest.raises(LabelerError, match="labeler 'f' gave inf in row 0; give a finite number"):
        answers_of(lambda texts: [float("inf") for _ in texts], version="1", store=store)
    assert len(store) == 0


def test_an_error_inside_a_kept_function_keeps_what_came(asked):
    def fails(texts):
        if "text 4" in texts:
            raise KeyError("nothing")
        return recorded(texts)

    store = AnswerStore(None)
    with pytest.raises(LabelerError, match=r"^labeler 'f' failed on rows 4 to 7 with KeyError: .*4 of 10") as caught:
        answers_of(fails, version="1", batch_size=4, store=store)
    assert "\n" not in str(caught.value)
    assert len(store) == 4
