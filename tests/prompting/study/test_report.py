"""The page of a study: made of the runs alone, and changing with them."""

from __future__ import annotations

import csv
import json
import re

import pytest

from taskspace import _extras
from taskspace.errors import DataError, MissingExtra
from taskspace.prompting.study import Rules, claims, save_prompt, write_report
from taskspace.prompting.study.report import sentence


def filled(folder, runs, prompts=()):
    folder.mkdir(exist_ok=True)
    (folder / "runs.jsonl").write_text("".join(json.dumps(run.to_dict()) + "\n" for run in runs), encoding="utf-8")
    for prompt in prompts:
        save_prompt(folder, prompt)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory, study, prompts):
    return write_report(filled(tmp_path_factory.mktemp("study"), study, prompts))


def test_every_link_leads_to_a_file_and_every_file_is_linked(written):
    links = set(re.findall(r"\]\(([^)]+)\)", written.read_text(encoding="utf-8")))
    files = {
        path.relative_to(written.parent).as_posix()
        for path in written.parent.rglob("*.*")
        if path.parent.name in ("tables", "figures")
    }
    assert links == files
    assert {path for path in files if path.endswith(".png")} == {
        f"figures/{name}.png" for name in ("mixed", "cosines_vectors", "cosines_prompts", "pairs", "shots")
    }


def test_each_claim_is_said_with_its_figure_n_and_p(written, study, prompts):
    page = written.read_text(encoding="utf-8")
    found = claims(study, prompts)
    for i, claim in enumerate(found, 1):
        line = next(line for line in page.splitlines() if line.startswith(f"{i}. "))
        assert f"{claim.claim[1:]}: {claim.verdict}.**" in line
        assert f"{claim.figure:.3f} (95 % interval {claim.low:.3f} to {claim.high:.3f}; n = {claim.n} " in line
        assert "adjusted p < 0.001" in line or f"adjusted p {claim.p_holm:.3f}" in line


def test_csv_holds_full_precision(written, study, prompts):
    with (written.parent / "tables" / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["figure"]) for row in rows] == [claim.figure for claim in claims(study, prompts)]
    with (written.parent / "tables" / "shots.csv").open(encoding="utf-8", newline="") as file:
        row = next(
            row for row in csv.DictReader(file) if (row["task"], row["method"], row["shots"]) == ("snli", "tpv", "50")
        )
    own = [r.score for r in study if (r.part, r.task, r.method, r.shots) == ("shots", "snli", "tpv", 50)]
    assert float(row["mean"]) == pytest.approx(sum(own) / len(own), rel=1e-15)


def test_other_runs_give_another_page(tmp_path, written, made):
    sources = list(made.sources(("a", "b", "c")))
    path = write_report(filled(tmp_path / "other", [*sources, *made.mixed(sources, {})]), figures=False)
    page = path.read_text(encoding="utf-8")
    assert "**Task prompt vectors are independent of their init: holds.**" in page
    assert "**Sums start target tasks better than a random init: not enough runs.** No runs show it yet." in page
    assert "does not hold.**" in written.read_text(encoding="utf-8").split("\n2. ")[0]
    assert "## Sums of two vectors" not in page
    assert "## From 0 to k examples" not in page
    assert not (path.parent / "figures").exists()
    assert not re.search(r"!\[", page)


def test_the_rules_are_said_and_kept(tmp_path, made):
    sources = list(made.sources(("a", "b", "c")))
    folder = filled(tmp_path / "strict", [*sources, *made.pairs(sources, kept=0.8)])
    assert "serve both tasks (keep 0.9 of either single-task score): does not hold" in write_report(
        folder, figures=False
    ).read_text(encoding="utf-8")
    page = write_report(folder, rules=Rules(share=0.7, margin=0.05), figures=False).read_text(encoding="utf-8")
    assert "(keep 0.7 of either single-task score): holds" in page
    assert "within ±0.05" in page


def test_a_study_that_was_stopped_anywhere_can_be_reported(tmp_path, study, prompts):
    """Every part begun and none whole; figures of what there is."""
    runs = [run for i, run in enumerate(study) if i % 41 == 0]
    path = write_report(filled(tmp_path / "stopped", runs, prompts[:1]))
    assert "# Task prompt vectors" in path.read_text(encoding="utf-8")


def test_one_run_is_a_study(tmp_path, study):
    page = write_report(filled(tmp_path / "one", study[:1])).read_text(encoding="utf-8")
    assert page.count("not enough runs.**") == 5


def test_no_run_is_none(tmp_path):
    with pytest.raises(DataError, match="there is no finished run in .*; run the study first"):
        write_report(tmp_path)


def test_without_scipy_or_matplotlib_the_extra_is_named(tmp_path, study, monkeypatch):
    folder = filled(tmp_path / "bare", study)
    for package, extra in (("scipy", "sklearn"), ("matplotlib", "plot")):

        def absent(module, package=package):
            if module.partition(".")[0] == package:
                raise ModuleNotFoundError(module)
            return __import__(module, fromlist=["_"])

        with monkeypatch.context() as patched:
            patched.setattr(_extras, "import_module", absent)
            patched.setattr(_extras, "find_spec", lambda _: None)
            with pytest.raises(MissingExtra, match=rf"taskspace\[{extra}\]"):
                write_report(folder)
    assert not (folder / "report.md").exists()


def test_a_sentence_of_a_claim_without_an_interval(made):
    found = claims(list(made.shots({"x": ("a", "b")}, inits=(0,))), ())
    assert re.fullmatch(
        r"\*\*Sums start target tasks better than a random init: not enough runs\.\*\* "
        r"Mean gain of the score over a random init: 0\.\d{3} \(n = 1 seed\)\. .*",
        sentence(found[3]),
    )
