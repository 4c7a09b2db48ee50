"""``taskspace choose-prompt`` with a microscopic language model: what it prints, keeps and refuses."""

from __future__ import annotations

import json
import shutil

import pytest

from taskspace.labelers.language_models import load_language_model
from taskspace.labelers.prompts import read_prompts
from taskspace.prompting.choosing import METHODS, PromptReadings, choose_prompt
from taskspace.task import Pool

PROMPTS = """
model = "lm"

[answers]
bad = ["bad", "poor"]
good = ["good"]

[[prompts]]
name = "plain"
template = "{text} It was"

[[prompts]]
name = "asked"
template = "Good or bad? {text}\\nAnswer:"

[[prompts]]
name = "asked-again"
template = "good or bad?  {text}\\nAnswer:"
"""


@pytest.fixture
def files(folder, tiny_decoder, write, rows_of, tasks, tmp_path, monkeypatch):
    monkeypatch.setenv("TASKSPACE_HOME", str(tmp_path / "own"))  # what other tests asked is not known here
    shutil.copytree(tiny_decoder, folder / "lm")
    (folder / "prompts.toml").write_text(PROMPTS, encoding="utf-8")
    write(folder / "mood.jsonl", rows_of(tasks["mood"]))
    return folder


def test_the_table_is_that_of_the_function(taskspace, files):
    said = taskspace("choose-prompt", "prompts.toml", "--texts", "mood.jsonl", "--limit", "12", "--json")
    assert said.code == 0
    document = json.loads(said.out)
    pool = Pool.from_file("mood.jsonl", limit=12, seed=0)
    model = load_language_model(files / "lm")
    choice = choose_prompt(read_prompts("prompts.toml").prompts, pool, model)
    assert [hit["name"] for hit in document["hits"]] == [hit.name for hit in choice]
    assert [hit["score"] for hit in document["hits"]] == [hit.score for hit in choice]
    assert document["alike"][0]["other"] == "asked-again"
    assert choice.cost.asked == 0  # the command line has asked already


def test_people_get_lines(taskspace, files):
    said = taskspace("choose-prompt", "prompts.toml", "--texts", "mood.jsonl", "--limit", "12")
    lines = said.out.splitlines()
    assert lines[0].split() == ["rank", "prompt", "score", "sure", "coverage"]
    assert {line.split()[1] for line in lines[1:3]} == {"plain", "asked"}
    assert "same: 'asked-again' has the words of 'asked', left out" in lines
    assert lines[-1].startswith("cost: ")


def test_one_pass_serves_all_methods(taskspace, files):
    said = taskspace(
        "choose-prompt", "prompts.toml", "--texts", "mood.jsonl", "--limit", "12", "--method", "all", "--json"
    )
    choices = json.loads(said.out)["choices"]
    assert {choice["method"] for choice in choices} >= set(METHODS)
    rows = len(Pool.from_file("mood.jsonl", limit=12, seed=0))
    assert json.loads(said.out)["cost"]["asked"] == 3 * (rows + 3)
    again = taskspace("choose-prompt", "prompts.toml", "--texts", "mood.jsonl", "--limit", "12", "--method", "all")
    assert "cost: 0 calls of the model" in again.out
    assert "first most often: " in again.out


def test_what_the_model_said_can_be_saved(taskspace, files):
    taskspace("choose-prompt", "prompts.toml", "--texts", "mood.jsonl", "--limit", "12", "--save", "said.safetensors")
    assert PromptReadings.load("said.safetensors").prompts == ("plain", "asked", "asked-again")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["prompts.toml", "--texts", "mood.jsonl", "--method", "mj"], "no method 'mj'"),
        (["prompts.toml", "--texts", "mood.jsonl", "--calibration", "x"], "no calibration 'x'"),
        (["prompts.toml", "--texts", "mood.jsonl", "--method", "fute"], "--like"),
        (["prompts.toml", "--texts", "none.jsonl"], "none.jsonl"),
        (["none.toml", "--texts", "mood.jsonl"], "none.toml"),
        (["prompts.toml", "--texts", "mood.jsonl", "--method", "all", "--calibration", "cc"], "leave --calibration cc"),
        (["prompts.toml", "--texts", "mood.jsonl", "--seed", "-1"], "--seed"),
        (["prompts.toml", "--texts", "mood.jsonl", "--save", "/"], "cannot write /"),
        (["sentiment", "--texts", "mood.jsonl"], "--model"),
        (["prompts.toml", "--texts", "mood.jsonl", "--model", "elsewhere"], "language model 'elsewhere'"),
        (["prompts.toml", "--texts", "mood.jsonl", "--save", "no/such/folder/a.safetensors"], "cannot write"),
    ],
)
def test_mistakes_are_one_sentence(taskspace, files, one_sentence, words, told):
    said = taskspace("choose-prompt", *words, "--limit", "12")
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert one_sentence(said.err.strip())


def test_a_data_set_of_other_classes_is_refused_before_the_model_is_asked(taskspace, files, write, rows_of, tasks):
    write(files / "trip.jsonl", rows_of(tasks["trip"]))
    said = taskspace(
        "choose-prompt", "prompts.toml", "--texts", "mood.jsonl", "--method", "fute", "--like", "trip.jsonl"
    )
    assert said.code == 2
    assert "no label of the prompts" in said.err
    first = taskspace("choose-prompt", "prompts.toml", "--texts", "mood.jsonl", "--limit", "12", "--json")
    assert json.loads(first.out)["cost"]["kept"] == 0
