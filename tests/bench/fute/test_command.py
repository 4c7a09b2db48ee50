"""The verb, by itself."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from taskspace.cli.bench.fute import fute
from taskspace.errors import DataError, SettingError

SMALL = (
    "--max-length", "128", "--source-rows", "30", "--fitted-rows", "40", "--shots", "20", "--pool-size", "60",
    "--sizes", "20,40", "--counts", "4,8", "--learners", "response,text", "--parts", "pairings",
)  # fmt: skip


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(fute)

    def call(*words):
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)

    return call


def test_a_study_and_its_report_again(run, models, truth, tiny_encoder, tmp_path, shared_home):
    pytest.importorskip("matplotlib")
    given = ("--out", tmp_path / "study", "--truth", models)
    more = ("--data", models / "tasks", "--pool", models / "texts.jsonl", "--model", tiny_encoder, *SMALL)
    said = run(*given, *more)
    assert said.exit_code == 0, said.output
    assert "## Which source to start from" in said.stdout
    page = tmp_path / "page.md"
    page.write_text("<!-- fute: findings -->\n<!-- /fute -->\n")
    only = run("--out", tmp_path / "study", "--truth", truth, "--report-only", "--json", "--page", page)
    document = json.loads(only.stdout)
    assert {row["learner"] for row in document["tables"]["pairings"]} == {"response", "text", "prior", "chance"}
    assert page.read_text().startswith("<!-- fute: findings -->\n* 3 targets, 4 sources each")


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (["--data", "x"], SettingError, "--pool is not said"),
        (["--pool", "x"], SettingError, "--data is not said"),
        (["--data", "x", "--pool", "y"], SettingError, "give --sources"),
        (["--data", "x", "--pool", "y", "--sources", "a"], SettingError, "give --targets"),
        (["--truth", "nowhere.csv", "--report-only"], DataError, "nowhere.csv"),
        (["--report-only"], DataError, "holds no study"),
        (["--data", "x", "--pool", "y", "--sources", "a", "--targets", "b", "--counts", "1"], SettingError, "'1'"),
        (
            ["--data", "x", "--pool", "y", "--sources", "a", "--targets", "b", "--parts", "pool"],
            SettingError,
            "'pools'",
        ),
    ],
)
def test_mistakes_are_one_sentence(run, tmp_path, monkeypatch, one_sentence, words, error, told):
    monkeypatch.chdir(tmp_path)
    said = run("--out", "study", *words)
    assert isinstance(said.exception, error), said.output
    assert told in str(said.exception)
    assert one_sentence(said.exception)
