"""Answers kept as they come: only what is new is asked, and nothing that was answered is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taskspace.errors import LabelerError, MissingExtra
from taskspace.labelers import AnswerStore, Labeler, Prompt, ask, from_prompt
from taskspace.labelers._kept import KeptLabeler
from taskspace.labelers.prompts import PromptModel, Reading
from taskspace.labels import Answers
from taskspace.task import Inputs, Pool

# Models with random or made-up weights say an answer by chance, which is told.
pytestmark = pytest.mark.filterwarnings("ignore:under prompt:taskspace.errors.TaskspaceWarning")

SOURCE = str(Path(__file__).parents[2] / "src")


@dataclass
class Lengths:
    """Answers with the length of a text, two rows at a time and last rows first; remembers what it was asked."""

    key: str = "k" * 64
    name: str = "lengths"
    reads: str = "both"
    kind: str = "model"
    fail_after: int = 10**9
    error: Exception = field(default_factory=lambda: LabelerError("the server is gone; start it again"))
    asked: list[str] = field(default_factory=list)

    @property
    def fingerprint(self):
        return self.key

    @property
    def provenance(self):
        return {"source": "test"}

    def batches(self, inputs):
        rows = list(range(len(inputs)))[::-1]
        for start in range(0, len(rows), 2):
            if start >= self.fail_after:
                raise self.error
            part = rows[start : start + 2]
            self.asked += [inputs.texts[row] for row in part]
            yield {row: {"length": len(inputs.texts[row])} for row in part}

    def answers(self, items):
        return Answers(
            np.array([[item["length"]] for item in items], dtype=float), np.ones(len(items), bool), "numbers"
        )


@dataclass
class Given(Lengths):
    """Gives whatever batches it was made with."""

    given: Any = ()

    def batches(self, inputs):
        yield from self.given


@pytest.fixture
def store(tmp_path):
    return AnswerStore(tmp_path / "answers.db")


TEXTS = ["a", "bb", "ccc", "dddd", "eeeee"]


def test_it_is_a_labeler_like_any_other(store):
    labeler = KeptLabeler(Lengths(), store)
    assert isinstance(labeler, Labeler)
    inputs, answers = ask(labeler, Pool(TEXTS))
    assert inputs.texts == tuple(TEXTS)
    assert answers.values[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert (labeler.name, labeler.reads, labeler.kind) == ("lengths", "both", "model")


def test_a_larger_pool_asks_only_for_what_is_new(store):
    one = Lengths()
    assert KeptLabeler(one, store).collect(Inputs.of(TEXTS[:3])).asked == 3
    other = Lengths()
    collected = KeptLabeler(other, store).collect(Inputs.of(["new", *TEXTS]))
    assert [item["length"] for item in collected.items] == [3, 1, 2, 3, 4, 5]
    assert collected.asked == 3
    assert sorted(other.asked) == ["dddd", "eeeee", "new"]


def test_what_is_all_known_asks_nobody(store):
    KeptLabeler(Lengths(), store).collect(Inputs.of(TEXTS))
    assert KeptLabeler(Lengths(fail_after=0), store).collect(Inputs.of(TEXTS[::-1])).asked == 0
    assert KeptLabeler(Lengths(), store).collect(Inputs.of([])).items == ()


def test_another_key_is_another_labeler(store):
    KeptLabeler(Lengths(), store).collect(Inputs.of(TEXTS))
    assert KeptLabeler(Lengths(key="other", name="lengths"), store).collect(Inputs.of(TEXTS)).asked == 5
    assert KeptLabeler(Lengths(name="renamed"), store).collect(Inputs.of(TEXTS)).asked == 0


def test_equal_rows_are_asked_once_and_a_pair_is_not_its_first_text(store):
    answerer = Lengths()
    rows = Inputs.of(["a", "bb", "a", "bb", "a"], [None, None, "x", None, None])
    collected = KeptLabeler(answerer, store).collect(rows)
    assert [item["length"] for item in collected.items] == [1, 2, 1, 2, 1]
    assert collected.asked == 3
    assert sorted(answerer.asked) == ["a", "a", "bb"]


def test_a_failing_answerer_keeps_what_came(store, one_sentence):
    failing = Lengths(fail_after=3)
    with pytest.raises(
        LabelerError, match=r"^the server is gone; start it again \(4 of 5 answers came before"
    ) as caught:
        KeptLabeler(failing, store).collect(Inputs.of(TEXTS))
    assert one_sentence(caught.value)
    assert caught.value.__cause__ is failing.error
    second = Lengths()
    assert KeptLabeler(second, store).collect(Inputs.of(TEXTS)).asked == 1
    assert second.asked == ["a"]


def test_a_store_that_cannot_be_written_is_told_before_anybody_is_asked(tmp_path, one_sentence):
    (tmp_path / "file").write_text("")
    answerer = Lengths()
    with pytest.raises(LabelerError, match="file/answers.db cannot be used") as caught:
        KeptLabeler(answerer, AnswerStore(tmp_path / "file" / "answers.db")).collect(Inputs.of(TEXTS))
    assert one_sentence(caught.value)
    assert answerer.asked == []


def test_a_failure_before_any_answer_says_no_more_than_it_did(store):
    with pytest.raises(LabelerError, match=r"^the server is gone; start it again$"):
        KeptLabeler(Lengths(fail_after=0), store).collect(Inputs.of(TEXTS))


def test_foreign_errors_become_a_sentence_and_keep_what_came(store, one_sentence):
    failing = Lengths(fail_after=2, error=RuntimeError("CUDA is\nunhappy"))
    with pytest.raises(LabelerError, match=r"^labeler 'lengths' failed with RuntimeError: CUDA is; .*2 of 5") as caught:
        KeptLabeler(failing, store).collect(Inputs.of(TEXTS))
    assert one_sentence(caught.value)
    assert caught.value.__cause__ is failing.error
    assert len(store) == 2


@pytest.mark.parametrize("error", [MissingExtra("it needs torch; pip install it"), KeyboardInterrupt()])
def test_other_errors_pass_as_they_are_and_keep_what_came(store, error):
    with pytest.raises(type(error)) as caught:
        KeptLabeler(Lengths(fail_after=2, error=error), store).collect(Inputs.of(TEXTS))
    assert caught.value is error
    assert len(store) == 2


@pytest.mark.parametrize(
    ("given", "said", "kept"),
    [
        ([{0: 1, 1: 2}], r"answered 2 of 3 rows; it must answer each", 2),
        ([], r"answered 0 of 3 rows; it must answer each", 0),
        ([{0: 1}, {3: 1}], r"answered row 3, which is not among the 3 asked", 1),
        ([{0: 1}, {-1: 1}], r"answered row -1, which is not among the 3 asked", 1),
        ([{0: 1, 1: 2, 2: 3}, {1: 4}], r"answered row 1, which is not among .* or was answered before", 3),
        ([{0: 1}, {1: {"a", "set"}}], r"gave an answer that cannot be kept", 1),
        ([{0: 1}, {1: float("nan"), 2: 3}], r"gave an answer that cannot be kept", 1),
    ],
)
def test_answerers_that_do_not_keep_their_word(store, one_sentence, given, said, kept):
    with pytest.raises(LabelerError, match=said) as caught:
        KeptLabeler(Given(given=given), store).collect(Inputs.of(["a", "b", "c"]))
    assert one_sentence(caught.value)
    assert "labeler 'lengths'" in str(caught.value)
    assert len(store) == kept


@pytest.mark.parametrize("place", ["file", None])
def test_the_first_run_gives_what_the_second_will(tmp_path, place):
    """A tuple becomes a list, and a key a string, at once and not only when it is read back."""
    store = AnswerStore(place and tmp_path / place)
    labeler = KeptLabeler(Given(given=[{0: (1, {2: 3.0})}]), store)
    first = labeler.collect(Inputs.of(["a"])).items
    assert first == ([1, {"2": 3.0}],)
    assert labeler.collect(Inputs.of(["a"])).items == first


def test_what_another_process_kept_meanwhile_stands(store):
    """Servers may answer twice in two ways; all who ask see the answer that was kept."""
    inputs = Inputs.of(["a", "b"])

    @dataclass
    class Overtaken(Lengths):
        def batches(self, inputs):
            store.put(self.key, "other process", {inputs.digests[0]: {"length": 77}})
            yield from super().batches(inputs)

    assert KeptLabeler(Overtaken(), store).answer(inputs).values[:, 0].tolist() == [77, 1]


def test_the_bar_counts_what_is_asked_and_is_shown_only_when_asked_for(store, capsys, monkeypatch):
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    ask(KeptLabeler(Lengths(), store), Pool(TEXTS[:2]))
    assert capsys.readouterr() == ("", "")
    ask(KeptLabeler(Lengths(), store), Pool(TEXTS), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "lengths" in err
    assert "3/3" in err
    ask(KeptLabeler(Lengths(), store), Pool(TEXTS), progress=True)
    assert capsys.readouterr() == ("", "")


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from taskspace.labelers import AnswerStore
from taskspace.labelers._kept import KeptLabeler
from taskspace.labels import Answers
from taskspace.task import Inputs

class Slow:
    key, name, reads, kind, fingerprint, provenance = "k" * 64, "slow", "texts", "model", "k" * 64, {}
    def batches(self, inputs):
        for start in range(0, len(inputs), 5):
            yield {row: [inputs.texts[row], 0.1 + 0.2] for row in range(start, min(start + 5, len(inputs)))}
            print(start + 5, flush=True)
            if start + 5 == int(sys.argv[2]):
                time.sleep(600)
    def answers(self, items):
        raise NotImplementedError

inputs = Inputs.of([f"text {i}" for i in range(50)])
collected = KeptLabeler(Slow(), AnswerStore(Path(sys.argv[1]))).collect(inputs)
print("asked", collected.asked, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_run_loses_at_most_the_batch_under_way(tmp_path):
    path = tmp_path / "answers.db"
    with _started(KILLED, path, 20) as process:
        while (line := process.stdout.readline().strip()) != "20":
            assert line, process.stderr.read()
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    inputs = Inputs.of([f"text {i}" for i in range(50)])
    kept = AnswerStore(path).get("k" * 64, inputs.digests)
    assert kept == {inputs.digests[i]: [f"text {i}", 0.1 + 0.2] for i in range(20)}
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with _started(KILLED, path, -1) as process:
        out, problems = process.communicate(timeout=60)
    assert problems == ""
    assert out.split()[-2:] == ["asked", "30"]
    assert len(AnswerStore(path)) == 50


def _started(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], env=os.environ | {"PYTHONPATH": SOURCE}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


# Many prompts on one model


@dataclass
class Counting:
    """Stands for a language model: reads the hash of what it is asked, and counts the rows."""

    rows: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    name = "counting"
    fingerprint = "c" * 64
    provenance = {"model": "counting"}  # noqa: RUF012

    def readings(self, prompt, inputs):
        for start in range(0, len(inputs), 32):
            part = range(start, min(start + 32, len(inputs)))
            self.rows += len(part)
            self.calls[prompt.name] = self.calls.get(prompt.name, 0) + len(part)
            yield {row: self._reading(prompt, inputs.texts[row]) for row in part}

    def _reading(self, prompt, text):
        number = sum(map(ord, prompt.question(text))) % 97
        return Reading((-(number + 1) / 7, -(98 - number) / 7), (1, 1))

    def write(self, request, *, max_tokens, chat=False):
        raise NotImplementedError


def prompts(count):
    return [
        Prompt(f"p{i}", f"wording {i}: {{text}} It was", {"good": ("good",), "bad": ("bad",)}) for i in range(count)
    ]


def test_prompts_added_later_are_all_that_is_asked(store):
    """The case of 200 prompts and 2,000 texts, in small: a second run with more prompts asks only for those."""
    pool = Pool([f"text {i}" for i in range(60)])
    model = Counting()
    assert isinstance(model, PromptModel)
    first = [from_prompt(p, model, store=store).answer(pool.inputs).values for p in prompts(20)]
    assert model.rows == 20 * 60 == len(store)
    later = Counting()
    second = [from_prompt(p, later, store=store).answer(pool.inputs).values for p in prompts(22)]
    assert later.calls == {"p20": 60, "p21": 60}
    for one, other in zip(first, second, strict=False):
        np.testing.assert_array_equal(one, other)
    third = Counting()
    for prompt in prompts(22):
        from_prompt(prompt, third, store=store).answer(Inputs.of([*pool.texts, "text new"]))
    assert third.calls == {f"p{i}": 1 for i in range(22)}


def test_another_name_or_score_rule_asks_nothing_and_another_wording_all(store):
    inputs = Inputs.of(["a", "b"])
    model = Counting()
    (prompt,) = prompts(1)
    from_prompt(prompt, model, store=store).answer(inputs)
    answers = dict(prompt.answers)
    from_prompt(Prompt("renamed", prompt.template, answers, words="max", length="token"), model, store=store).answer(
        inputs
    )
    assert model.rows == 2
    from_prompt(Prompt("p0", prompt.template + " ", answers), model, store=store).answer(inputs)
    assert model.rows == 4
