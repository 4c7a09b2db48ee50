"""The leaderboard: everything that can be scored is on it, and what cannot says why."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from taskspace.bench.rank import GroundTruth, Recipe, chosen, document, leaderboard, write_report
from taskspace.bench.rank.page import gains_table, orders_table, page
from taskspace.bench.rank.report import by_target, row
from taskspace.errors import SettingError
from taskspace.ranking.metrics import METRICS
from taskspace.ranking.signals import signal_named, signals

ASKED = [signal_named(name) for name in ("response", "prior", "random", "logme")]
RECIPES = (
    Recipe("answer:data", "three", tuple(signal_named(n) for n in ("response", "response+neighbours", "prior+ranks"))),
    Recipe("answer:models", "four", tuple(signal_named(n) for n in ("response", "prior+ranks", "logme"))),
)


@pytest.fixture(scope="module")
def board(ground):
    return leaderboard(ground, ASKED, RECIPES, title="Toy", draws=50, shared=[("a", "p", 0.25)])


def test_answers_come_first_and_each_kind_best_first(board):
    kinds = [entry.kind for entry in board.entries]
    assert kinds == ["answer", "signal", "signal", "signal"]
    of_signals = [entry.mean().mean for entry in board.of_kind("signal")]
    assert of_signals == sorted(of_signals, reverse=True)
    assert board.against.name == "answer:data"
    assert board.named("prior").needs == ("transfers",)


def test_what_cannot_be_read_says_why(board):
    assert set(board.silent) == {"logme", "answer:models"}
    assert "labelled rows" in board.silent["logme"]
    assert board.silent["answer:models"] == "it needs logme"


def test_by_default_all_signals_and_answers_are_asked(ground):
    board = leaderboard(ground, draws=2)
    on = {entry.name for entry in board.entries} | set(board.silent)
    assert on == {*signals(), "answer:data", "answer:models", "answer:shortlist5"} - {"in_context"}


def test_names_are_chosen_or_refused(one_sentence):
    asked, recipes = chosen(["prior", "answer:data", "response"])
    assert [signal.name for signal in asked] == ["prior", "response"]
    assert [recipe.name for recipe in recipes] == ["answer:data"]
    assert chosen(None)[0] is None
    with pytest.raises(SettingError, match="did you mean 'prior'") as error:
        chosen(["priors"])
    assert one_sentence(error.value)


def test_nothing_to_score_is_an_error(transfers, one_sentence):
    with pytest.raises(SettingError, match="nothing to score") as error:
        leaderboard(GroundTruth(transfers=transfers), [signal_named("text")], ())
    assert one_sentence(error.value)
    with pytest.raises(SettingError, match="is not on the leaderboard"):
        leaderboard(GroundTruth(transfers=transfers), [signal_named("prior")], (), draws=2).named("text")


def test_a_better_signal_is_ahead_and_its_skill_is_of_chance(board):
    for entry in board.entries:
        mean, chance = entry.values["ndcg"].mean(), board.chance.values["ndcg"].mean()
        assert board.skills[entry.name]["ndcg"] == pytest.approx((mean - chance) / (1 - chance))
        assert 0 < entry.p <= 1


def test_the_page_says_what_was_computed(board):
    text = page(board, "toy.png")
    assert text.startswith("# Toy\n\n5 targets, 4 to 5 sources each, 1 to 2 runs a cell.")
    prior = board.named("prior")
    said = f"| prior | {prior.mean().mean:.3f} [{prior.mean().low:.3f}, {prior.mean().high:.3f}] |"
    assert said in orders_table(board)
    assert f"{100 * prior.values['regret_3'].mean():.1f}" in orders_table(board).split("| prior |")[1]
    assert f"{100 * board.against.decisions.width:.1f}" in gains_table(board)
    for part in (
        "toy.png",
        "| a | p | 25.0% |",
        "seed ceiling",
        "* `logme`: ",
        "## Predicted gains",
        "## What it costs",
    ):
        assert part in text
    widths = {line.count("|") for line in orders_table(board).splitlines()}
    assert len(widths) == 1


def test_a_page_without_answers_has_no_gains(ground):
    text = page(leaderboard(ground, [signal_named("prior")], (), draws=2))
    assert "Predicted gains" not in text
    assert "png" not in text
    assert "over `prior`" in text


def test_files_hold_every_digit(board, tmp_path):
    report = write_report(board, tmp_path, name="toy", picture=False)
    assert report == tmp_path / "toy.md"
    assert report.read_text() == page(board)
    with (tmp_path / "toy.csv").open() as file:
        rows = {line["method"]: line for line in csv.DictReader(file)}
    assert set(rows) == {"answer:data", "response", "prior", "random", "chance", "seed ceiling"}
    for metric in METRICS:
        assert float(rows["prior"][metric]) == pytest.approx(board.named("prior").values[metric].mean(), abs=1e-12)
    assert float(rows["answer:data"]["ndcg_over_answer:data"]) == 0
    with (tmp_path / "toy_by_target.csv").open() as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 6 * 5
    mine = [float(cell["ndcg"]) for cell in cells if cell["method"] == "response"]
    np.testing.assert_array_equal(mine, board.named("response").values["ndcg"])
    said = json.loads((tmp_path / "toy.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert said == json.loads(json.dumps(document(board)))
    assert said["methods"][0]["predicted_gains"]["coverage"]["mean"] == board.against.decisions.coverage.mean
    assert said["left_out"] == dict(board.silent)


def test_rows_of_bounds_leave_empty_what_does_not_apply(board):
    assert row(board, board.chance)["seconds_per_target"] is None
    assert row(board, board.chance)["ndcg_skill"] is None
    assert {each["method"] for each in by_target(board)} >= {"chance", "seed ceiling"}


def test_the_picture_has_a_row_per_method_and_both_lines(board, tmp_path):
    pytest.importorskip("matplotlib")
    from taskspace.bench.rank.figure import draw_board

    axes = draw_board(board).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(names) == sorted(entry.name for entry in board.entries)
    dots = {line.get_ydata()[0]: line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"}
    for place, name in enumerate(names):
        assert dots[place] == pytest.approx(board.named(name).mean().mean)
    told = [text.get_text().split()[0] for text in axes.texts]
    assert told == ["chance", "seed"]
    write_report(board, tmp_path)
    assert (tmp_path / "leaderboard.png").stat().st_size > 10_000
