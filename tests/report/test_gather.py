"""The facts of a report against the atlas they come from, and against sums by hand."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from taskspace.errors import SettingError, UnknownName
from taskspace.report import Place, report_of
from taskspace.task import Task

# The order, and why


def test_an_uncalibrated_report_promises_nothing(uncalibrated):
    report = report_of(uncalibrated, "target")
    assert report.verdict.advice == "nearest"
    assert "friend" in report.verdict.headline
    assert "not known" in report.verdict.headline
    assert [c.hit.name for c in report.candidates] == ["friend", "cousin", "stranger", "foe"]
    assert [place.similarity for place in report.neighbours] == pytest.approx([0.8, 0.5, 0.3, 0.1])
    assert report.neighbours[1] == Place("cousin", "model", pytest.approx(0.5))
    assert {doubt.what for doubt in report.doubts if doubt.grave} == {"uncalibrated"}
    assert report.past.targets == report.past.own == ()


def test_a_calibrated_report_tells_what_adds_up(calibrated):
    report = report_of(calibrated, "target")
    first = report.candidates[0]
    assert (report.verdict.advice, first.hit.name) == ("start", "friend")
    assert first.hit.gain.low > 0
    for candidate in report.candidates:
        assert sum(step.adds for step in candidate.steps) == pytest.approx(candidate.hit.gain.mean)
    assert {step.says for step in first.steps} >= {"how alike the tasks are", "what any source adds on average here"}
    assert "uncalibrated" not in {doubt.what for doubt in report.doubts}
    assert report.unit == "points of score" if report.past.metric == "score" else "points of accuracy"


def test_the_number_of_known_targets_is_the_one_that_the_ranking_states(calibrated):
    report = report_of(calibrated, "t0")
    stated = re.search(r"learned on (\d+) measured targets", report.ranking.measure)
    assert report.past.measured_targets == int(stated[1]) == 3


def test_measured_gains_stand_by_likeness_with_their_mean(calibrated):
    past = report_of(calibrated, "target").past
    assert [place.name for place in past.targets] == ["t3", "t2", "t1", "t0"]
    assert [place.similarity for place in past.targets] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    measured = {(row.source, row.target): row.score - row.baseline for row in calibrated.transfers()}
    for i, place in enumerate(past.targets):
        for j, source in enumerate(past.sources):
            assert past.gains[i][j] == pytest.approx(measured[source, place.name])
        every = [gain for (_, target), gain in measured.items() if target == place.name]
        assert past.usual[i] == pytest.approx(np.mean(every))


def test_what_was_measured_on_the_target_itself_is_told_apart(calibrated):
    calibrated.observe(source="foe", target="target", score=0.9, baseline=0.7)
    calibrated.observe(source="friend", target="target", score=0.6, baseline=0.7)
    report = report_of(calibrated, "target")
    assert report.past.own == (("foe", pytest.approx(0.2)), ("friend", pytest.approx(-0.1)))
    assert "target" not in [place.name for place in report.past.targets]
    if report.candidates[0].hit.name == "friend":
        assert "Measured on target before: −10.0" in report.verdict.detail


def test_where_nothing_helps_the_advice_is_the_plain_model(uncalibrated, embed):
    for i in range(3):
        uncalibrated.add(embed(f"t{i}", np.eye(12)[6 + i] + 0.1 * (i + 1) * np.eye(12)[0]))
        for source in ("friend", "stranger"):
            uncalibrated.observe(source=source, target=f"t{i}", score=0.5, baseline=0.7)
    report = report_of(uncalibrated, "target")
    assert report.verdict.advice == "plain"
    assert "plain model" in report.verdict.headline


def test_an_uninformative_target_is_told_first(uncalibrated, embed):
    uncalibrated.add(embed("noise", leaning := np.eye(12)[0], informative=False))
    report = report_of(uncalibrated, "noise")
    assert leaning.any()
    assert report.verdict.advice == "doubtful"
    assert report.doubts[0].what == "uninformative"
    assert report.doubts[0].grave
    assert not report.target.informative


def test_an_uninformative_target_is_no_surer_with_predictions(calibrated, embed):
    calibrated.add(embed("noise", np.eye(12)[0], informative=False))
    assert report_of(calibrated, "noise").verdict.advice == "doubtful"


def test_a_lone_entry_has_nothing_to_start_from(atlas, embed):
    atlas.add(embed("alone", np.eye(12)[0]))
    report = report_of(atlas, "alone")
    assert report.verdict.advice == "nothing"
    assert report.candidates == report.neighbours == ()
    assert (report.cost.first, report.cost.every, report.cost.candidates) == (None, None, 0)
    json.dumps(report.to_dict(), allow_nan=False)


def test_one_candidate(atlas, embed):
    atlas.add(embed("a", np.eye(12)[0]), embed("b", np.eye(12)[1]))
    assert [c.hit.name for c in report_of(atlas, "a").candidates] == ["b"]


def test_k_and_kind_limit_what_is_told(uncalibrated):
    assert [c.hit.name for c in report_of(uncalibrated, "target", k=2).candidates] == ["friend", "cousin"]
    report = report_of(uncalibrated, "target", kind="model")
    assert [c.hit.name for c in report.candidates] == ["cousin"]
    assert len(report.neighbours) == 4  # the map and the neighbours show everything


def test_a_name_that_is_not_there(uncalibrated):
    with pytest.raises(UnknownName, match="did you mean 'target'"):
        report_of(uncalibrated, "tarqet")


@pytest.mark.parametrize(
    "wrong", [{"k": 0}, {"examples": -1}, {"epochs": 0}, {"epochs": float("nan")}, {"parameters": 0}, {"rate": -1.0}]
)
def test_numbers_that_cannot_be_are_refused(uncalibrated, wrong, one_sentence):
    with pytest.raises(SettingError) as error:
        report_of(uncalibrated, "target", **wrong)
    assert one_sentence(error.value)


# Doubts


def doubts(report):
    return {doubt.what: doubt for doubt in report.doubts}


def test_doubts_come_with_their_numbers(calibrated, embed):
    calibrated.add(embed("small", np.eye(12)[3], input_rows=40, pool_overlap=10))
    found = doubts(report_of(calibrated, "small"))
    assert "40 rows" in found["few rows"].says
    assert found["few rows"].grave
    assert "10 rows (25 %)" in found["pool overlap"].says
    assert "4 measured targets" in found["few targets"].says
    assert "recipe" in found


def test_a_wide_interval_is_a_doubt(uncalibrated, embed):
    rng = np.random.default_rng(3)
    for i in range(3):
        uncalibrated.add(embed(f"t{i}", np.eye(12)[6 + i] + 0.1 * (i + 1) * np.eye(12)[0]))
        for source in ("friend", "stranger", "foe"):
            uncalibrated.observe(source=source, target=f"t{i}", score=0.7 + 0.1 * rng.standard_normal(), baseline=0.7)
    report = report_of(uncalibrated, "target")
    gain = report.candidates[0].hit.gain
    assert gain.low < 0 < gain.high
    assert "interval" in doubts(report)
    assert report.verdict.advice in ("try", "plain")
    level = [c for c in report.candidates[1:] if c.hit.gain.high > gain.mean]
    assert f"{len(level)} other candidate" in doubts(report)["order"].says


def test_the_same_task_under_another_name_is_told(uncalibrated, embed):
    uncalibrated.add(embed("copy", leaning := np.eye(12)[0], content="other"))
    report = report_of(uncalibrated, "target")
    assert leaning[0] == 1
    assert [(pair.second, pair.strength) for pair in report.copies] == [("copy", "vector")]
    assert "copy" in doubts(report)["copies"].says
    assert report.verdict.detail.endswith(
        "But copy is the same task under another name; the first that is not is friend."
    )


def test_notes_of_the_ranking_are_doubts_but_for_the_target_itself(uncalibrated, embed):
    uncalibrated.add(embed("twin", [*np.zeros(11), 1]), embed("other twin", [*np.zeros(11), 2]))
    report = report_of(uncalibrated, "target")
    notes = [doubt.says for doubt in report.doubts if doubt.what == "note"]
    assert any("tie" in note.lower() for note in notes)
    assert not any("target itself" in note for note in notes)


# A target with rows


def test_rows_are_counted(opened):
    texts = ["the good sun", "the bad sun", "the good sun", "a fine train", "a poor road", "an odd row"]
    labels = ["up", "down", "down", "up", "down", None]
    facts = report_of(opened, Task(texts, labels, name="new")).target
    assert facts.balance == (("down", 3), ("up", 2))
    assert (facts.rows, facts.unlabelled, facts.repeated, facts.contradicting, facts.pairs) == (6, 1, 1, 1, 0)
    assert facts.examples == ()
    # Words are single tokens of the microscopic encoder, and two more frame each text.
    assert facts.lengths.unit == "tokens"
    assert (facts.lengths.least, facts.lengths.most, facts.lengths.mean) == (5, 5, 5.0)


def test_both_texts_of_a_pair_count(opened):
    task = Task(
        ["red sun", "blue sun", "green sun"], ["a", "b", "a"], ["rain", "snow fog", "the wind is"], name="pairs"
    )
    lengths = report_of(opened, task).target.lengths
    assert (lengths.least, lengths.median, lengths.most) == (4 + 3, 4 + 4, 4 + 5)
    assert report_of(opened, task).target.pairs == 3


def test_long_texts_are_told(opened):
    long = " ".join(["sun"] * 500)
    task = Task([long, "short sun", f"{long} rain"], ["a", "b", "a"], name="long")
    report = report_of(opened, task)
    assert report.target.lengths.cut == pytest.approx(2 / 3)
    assert report.target.lengths.most == report.target.lengths.limit
    assert doubts(report)["truncation"].grave


def test_numbers_have_quartiles(opened, tasks):
    facts = report_of(opened, tasks["degree"]).target
    values = tasks["degree"].labels.values
    assert facts.quartiles == pytest.approx([values.min(), *np.percentile(values, [25, 50, 75]), values.max()])
    assert (facts.balance, facts.contradicting) == (None, None)


def test_examples_are_shown_only_when_asked_for_and_take_turns(opened):
    texts = [f"{word} sun" for word in ("red", "green", "blue", "black", "white", "grey")]
    task = Task(texts, ["a", "a", "a", "a", "a", "b"], name="new")
    examples = report_of(opened, task, examples=3).target.examples
    assert {example.label for example in examples[:2]} == {"a", "b"}
    assert all(example.text in texts for example in examples)
    assert report_of(opened, task.take([5, 4, 3, 2, 1, 0]), examples=3).target.examples == examples


def test_a_lopsided_task_and_rare_labels_are_doubts(opened):
    texts = [
        f"{a} {b}" for a in ("red", "green", "blue", "black", "white") for b in ("sun", "rain", "fog", "snow", "wind")
    ]
    found = doubts(report_of(opened, Task(texts, ["often"] * 23 + ["seldom"] * 2, name="new")))
    assert "92 %" in found["balance"].says
    assert found["rare labels"].says.endswith("seldom.")


def test_a_file_that_is_embedded_already_knows_its_copy(opened, tasks):
    report = report_of(opened, Task(tasks["mood"].inputs.texts, tasks["mood"].labels, name="another"))
    assert [pair.second for pair in report.copies] == ["mood"]
    assert report.copies[0].strength == "content"
    assert "mood" not in [c.hit.name for c in report.candidates]


# The map


def test_the_target_stands_on_the_map_once(uncalibrated, opened):
    report = report_of(uncalibrated, "target")
    assert report.map.names[report.focus] == "target"
    assert len(report.map) == 5
    new = report_of(opened, Task(["red sun", "blue rain", "red fog"], ["a", "b", "a"], name="new"))
    assert new.map.names[new.focus] == "new"
    assert len(new.map) == 5
    assert "new" not in opened


def test_of_many_entries_the_neighbours_are_drawn(uncalibrated, embed, monkeypatch):
    monkeypatch.setattr("taskspace.report._gather._ON_MAP", 8)
    rng = np.random.default_rng(0)
    uncalibrated.add(*(embed(f"e{i}", rng.standard_normal(12)) for i in range(40)))
    report = report_of(uncalibrated, "target")
    nearest = [place.name for place in report.neighbours][:4]
    assert len(report.map) == 8
    assert report.map.names[report.focus] == "target"
    assert set(nearest) <= set(report.map.names)


# All of it


def test_the_same_question_gives_the_same_facts(calibrated):
    one, other = (json.dumps(report_of(calibrated, "target").to_dict(), allow_nan=False) for _ in range(2))
    assert one == other
    document = json.loads(one)
    assert document["made"]["date"] is None
    assert document["made"]["entries"] == 9
    assert document["made"]["transfers"] == 12
    assert [hit["name"] for hit in document["ranking"]["hits"]].count("do not transfer") == 1
    assert document["candidates"][0]["steps"][0]["says"]
    assert document["map"]["names"][0] == "target"


def test_what_is_told_about_the_making_is_what_was_given(uncalibrated):
    made = report_of(uncalibrated, "target", command="taskspace report target", date="2031-01-01").made
    assert (made.command, made.date, made.atlas) == ("taskspace report target", "2031-01-01", "my.db")
    assert made.space["surrogate"] == "no/such-model"
