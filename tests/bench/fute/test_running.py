"""The whole study on microscopic tasks: run, stopped, gone on with, reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from taskspace.bench.fute import write_report
from taskspace.bench.fute.parts import PARTS
from taskspace.bench.fute.parts.pairings import DTE, MTE, ORIGINAL
from taskspace.bench.fute.records import read_rows
from taskspace.bench.fute.report import MISSING, fill
from taskspace.bench.fute.running import measured, run_study
from taskspace.errors import DataError, SettingError
from taskspace.ranking.history import Transfers

SOURCES, TARGETS = 4, 3


@pytest.fixture
def done(make_study, request):
    """A study of some parts, run."""
    study = make_study(*request.param)
    run_study(study)
    return study


def settings_of(study, part):
    rows = read_rows(measured(study.folder, part))
    return {setting: [row for row in rows if row["setting"] == setting] for setting in {r["setting"] for r in rows}}


def again(make_study, study, *parts, **settings):
    """What a second run of the same study has to tell, and the study."""
    told = []
    repeated = make_study(*parts, folder=study.folder, tell=told.append, **settings)
    run_study(repeated)
    return told, repeated


@pytest.mark.parametrize("done", [("pairings",)], indirect=True)
def test_every_learner_in_every_pairing_that_it_has(done, make_study, truth):
    found = settings_of(done, "pairings")
    pairings = {(rows[0]["learner"], rows[0]["pairing"]) for rows in found.values()}
    both = {(name, p) for name in ("fisher", "tuned:prompt") for p in (MTE, DTE, ORIGINAL)}
    assert pairings == both | {("response", MTE), ("response", DTE), ("text", DTE)}
    assert {len(rows) for rows in found.values()} == {SOURCES * TARGETS}
    bank = {(r["target"], r["source"]): r["cosine"] for r in found[f"tuned:prompt {DTE}"]}
    assert {(r["target"], r["source"]): r["cosine"] for r in found[f"tuned:prompt {ORIGINAL}"]} == bank
    assert again(make_study, done, "pairings")[0] == []

    report = write_report(done.folder, Transfers.read(truth)).read_text(encoding="utf-8")
    assert "| response | MTE-DTE |" in report
    tables = {file.stem: read_rows(file) for file in (done.folder / "tables").glob("*.csv")}
    assert {row["learner"] for row in tables["pairings"]} >= {"prior", "chance", "fisher"}
    assert {row["targets"] for row in tables["pairings"]} == {TARGETS}
    assert {row["sources"] for row in tables["pairings_in_class"]} == {3}  # twin has one source of pairs: left out
    assert (done.folder / "figures" / "pairings.png").stat().st_size > 5000


@pytest.mark.parametrize("done", [("families",)], indirect=True)
def test_models_of_other_families_rank_too(done, make_study, truth):
    assert set(settings_of(done, "families")) == {"tuned transformer", "logistic", "svm", "bayes"}
    assert again(make_study, done, "families")[0] == []
    write_report(done.folder, Transfers.read(truth), figure=False)
    table = read_rows(done.folder / "tables" / "families.csv")
    assert [row["family"] for row in table] == ["tuned transformer", "logistic", "svm", "bayes", "prior", "chance"]


@pytest.mark.parametrize("done", [("tasks", "scale")], indirect=True)
def test_other_forms_and_more_models(done, make_study):
    table = PARTS["tasks"].tables(read_rows(measured(done.folder, "tasks")), None)["tasks"]
    assert {(row["form"], row["tasks"]) for row in table} == {
        ("classes", 7), ("names as texts", 7), ("second text", 2),
    }  # fmt: skip
    assert [row["mrr_chance"] for row in table] == pytest.approx([sum(1 / n for n in range(1, 8)) / 7] * len(table))
    small, large = read_rows(measured(done.folder, "scale"))
    assert (small["models"], large["models"]) == (4, 8)
    assert large["vectors_mb"] == 2 * small["vectors_mb"] > 0
    told, more = again(make_study, done, "tasks", "scale", graded=("topic",), counts=(4, 8, 10))
    assert told[-1] == "scale: 10 models, 2 of them new"
    assert {r["form"] for r in read_rows(measured(more.folder, "tasks"))} >= {"numbers"}


@pytest.mark.parametrize("done", [("pools", "surrogates")], indirect=True)
def test_pools_and_surrogates_are_told_apart(done, make_study, truth):
    pools = PARTS["pools"].tables(read_rows(measured(done.folder, "pools")), None)["pools"]
    assert [row["axis"] for row in pools] == ["size"] * 2 + ["domain"] * 4 + ["overlap"] * 3
    assert {row["models"] for row in pools} == {5}  # those of single texts
    write_report(done.folder, Transfers.read(truth), figure=False)
    judged = read_rows(done.folder / "tables" / "pools.csv")
    assert [row["mrr"] for row in judged] == [*(row["mrr"] for row in pools), None, None]
    assert [row["axis"] for row in judged[-2:]] == ["prior", "chance"]
    assert {row["targets"] for row in judged} == {2}
    rows = PARTS["surrogates"].tables(read_rows(measured(done.folder, "surrogates")), None)["surrogates"]
    assert [row["kind"] for row in rows] == ["encoder"] * 3 + ["encoder-decoder"] * 2
    assert again(make_study, done, "pools", "surrogates")[0] == []


def test_a_source_that_has_no_model_yet_is_asked_for_again(make_study, models, tmp_path):
    from shutil import copytree

    some = copytree(models / "models", tmp_path / "made" / "models")
    (some / "trip.safetensors").rename(tmp_path / "trip")
    told = []
    study = make_study("pairings", models=tmp_path / "made", tell=told.append)
    study = replace(study, plan=replace(study.plan, learners={"response": {"components": 12}}))
    run_study(study)
    assert any("trip model is left out" in line for line in told)
    assert len(settings_of(study, "pairings")[f"response {MTE}"]) == (SOURCES - 1) * TARGETS
    (tmp_path / "trip").rename(some / "trip.safetensors")
    told.clear()
    run_study(study)
    assert told == ["response: trip model embedded"]
    assert len(settings_of(study, "pairings")[f"response {MTE}"]) == SOURCES * TARGETS


def test_a_folder_of_another_study_is_refused(make_study, one_sentence):
    run_study(make_study())
    with pytest.raises(DataError, match="made with shots=20, not 10") as caught:
        run_study(make_study(shots=10))
    assert one_sentence(caught.value)


def test_a_report_needs_something_measured(make_study, tmp_path, one_sentence):
    for folder, told in ((tmp_path, "holds no study"), (tmp_path / "study", "holds nothing measured")):
        if folder != tmp_path:
            run_study(make_study())
        with pytest.raises(DataError, match=told) as caught:
            write_report(folder, None)
        assert one_sentence(caught.value)


def test_a_page_is_filled_block_by_block(tmp_path, one_sentence):
    page = tmp_path / "page.md"
    page.write_text("# Mine\n<!-- fute: pools -->\nold\n<!-- /fute -->\nrest\n<!-- fute: scale -->\n<!-- /fute -->\n")
    fill(page, {"pools": "| a |\n", "scale": "| b |\n", "tasks": "unused"})
    wanted = "# Mine\n<!-- fute: pools -->\n| a |\n<!-- /fute -->\nrest\n<!-- fute: scale -->\n| b |\n<!-- /fute -->\n"
    assert page.read_text() == wanted
    fill(page, {"pools": "| a |\n", "scale": "| b |\n"})
    assert page.read_text() == wanted
    fill(page, {"pools": "| a |\n"})
    assert page.read_text() == wanted.replace("| b |\n", MISSING)
    page.write_text("<!-- fute: pool -->\n<!-- /fute -->\n")
    with pytest.raises(DataError, match="did you mean 'pools'") as caught:
        fill(page, {"pools": "| c |\n"})
    assert one_sentence(caught.value)


@pytest.mark.parametrize("part", list(PARTS))
def test_the_docs_show_every_table(part):
    page = (Path(__file__).parents[3] / "docs" / "fute.md").read_text(encoding="utf-8")
    assert all(f"<!-- fute: {name} -->" in page for name in PARTS[part].made)


def test_a_plan_is_checked_at_once(make_study, one_sentence):
    for settings, told in (
        ({"shots": 1}, "shots=1"), ({"cross_domain": ("mood",)}, "'mood' is no target"), ({"pair_share": 1.0}, "1.0"),
    ):  # fmt: skip
        with pytest.raises(SettingError, match=told) as caught:
            make_study(**settings)
        assert one_sentence(caught.value)
    with pytest.raises(SettingError, match="no part 'pool'"):
        make_study("pool")


def test_settings_are_kept_for_the_report(make_study):
    study = make_study(cross_domain=("sky",))
    run_study(study)
    said = json.loads((study.folder / "study.json").read_text())
    assert said["cross_domain"] == ["sky"]
    assert said["pairs"] == {n: n in ("echo", "twin") for n in study.plan.names}
