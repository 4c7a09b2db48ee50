"""The real ``datasets`` on local folders, offline: every network call would raise."""

from __future__ import annotations

import json
import sys

import pytest

from taskspace.data import read_task, task_from_hub
from taskspace.errors import DataError, MissingExtra
from taskspace.labels import Classes, Numbers

CARD = """---
configs:
- config_name: small
  data_files:
  - split: train
    path: small/train.jsonl
  - split: validation
    path: small/dev.jsonl
- config_name: large
  data_files: large/train.jsonl
dataset_info:
- config_name: small
  features:
  - name: premise
    dtype: string
  - name: hypothesis
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': yes it does
          '1': 'no'
          '2': no
          '3': never seen
---
"""


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory):
    """A cache of its own, no network (as ``HF_HUB_OFFLINE=1`` sets it at import), no progress bars."""
    datasets = pytest.importorskip("datasets")
    import huggingface_hub

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        bars = datasets.utils.are_progress_bars_disabled()
        datasets.disable_progress_bars()
        yield
        if not bars:
            datasets.enable_progress_bars()


@pytest.fixture(scope="module")
def repo(tmp_path_factory, write):
    """A data set repository with two configurations and class names in its card."""
    folder = tmp_path_factory.mktemp("repo")
    (folder / "README.md").write_text(CARD)
    (folder / "small").mkdir()
    (folder / "large").mkdir()
    labels = [0, 1, 2, -1] * 5
    rows = [{"premise": f"p{i}", "hypothesis": f"h{i}" if i else "", "label": lab} for i, lab in enumerate(labels)]
    write(folder / "small" / "train.jsonl", rows)
    write(folder / "small" / "dev.jsonl", rows[:2])
    write(folder / "large" / "train.jsonl", [{"text": f"t{i}", "score": i / 2} for i in range(3000)])
    return folder


@pytest.mark.parametrize("streaming", [False, True])
def test_class_names_pairs_and_missing_labels(repo, streaming):
    task = task_from_hub(str(repo), "small", streaming=streaming)
    assert task.name == f"{repo}:small"
    assert isinstance(task.labels, Classes)
    assert task.label_names == ("yes it does", "no", "False", "never seen")
    assert task.labels.codes.tolist() == [0, 1, 2, -1] * 5
    assert task.inputs.pairs[:3] == (None, "h1", "h2")
    assert len(task_from_hub(str(repo), "small", split="validation", streaming=streaming)) == 2
    assert len(task_from_hub(str(repo), "small", split="train", text="premise", streaming=streaming).inputs) == 20


@pytest.mark.parametrize("streaming", [False, True])
def test_the_same_rows_as_from_the_file(repo, streaming):
    file = repo / "large" / "train.jsonl"
    for limit in (None, 50):
        task = task_from_hub(str(repo), "large", streaming=streaming, limit=limit, seed=2)
        assert isinstance(task.labels, Numbers)
        assert task.fingerprint == read_task(file, limit=limit, seed=2).fingerprint


def test_data_files_and_slices(repo):
    file = str(repo / "large" / "train.jsonl")
    assert len(task_from_hub("json", data_files=file, split="train[:10]")) == 10
    assert len(task_from_hub("json", data_files={"dev": file}, split="dev", streaming=True)) == 3000


def test_columns_can_be_said(repo):
    labels = task_from_hub(str(repo), "small", text="premise", label="hypothesis").labels
    assert "h3" in labels.names
    with pytest.raises(DataError, match=r"\(small\) has no column 'lable' for --label; did you mean 'label'"):
        task_from_hub(str(repo), "small", label="lable")


def refusal(*args, **options) -> str:
    with pytest.raises(DataError) as caught:
        task_from_hub(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("streaming", [False, True])
def test_what_cannot_be_had_is_one_sentence(repo, streaming):
    assert "small" in (said := refusal(str(repo), "tiny", streaming=streaming))
    assert "give one of its configurations as name" in said
    assert "give one of its splits as split" in refusal(str(repo), "small", split="tset", streaming=streaming)
    assert "(OfflineModeIsEnabled)); go online once" in refusal("someone/something", streaming=streaming)
    assert "check its id" in refusal(str(repo / "nowhere"), streaming=streaming)
    assert "check its id" in refusal(str(repo), "small", data_files="none*.csv", streaming=streaming)


def test_scripts_are_pointed_to_their_parquet_copy(tmp_path):
    (tmp_path / "scripted").mkdir()
    (tmp_path / "scripted" / "scripted.py").write_text("raise SystemExit('ran')\n")
    assert "revision='refs/convert/parquet'" in refusal(str(tmp_path / "scripted"))


@pytest.mark.parametrize("streaming", [False, True])
def test_broken_files_are_one_sentence(tmp_path, streaming):
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": "a", "label": 0}) + '\n{"text": "b", "lab\n')
    assert "cannot be read" in refusal(str(tmp_path), streaming=streaming)


def test_without_datasets_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"reading data set nyu-mll/glue \(sst2\) needs datasets.*taskspace\[hub\]"):
        task_from_hub("nyu-mll/glue", "sst2")


def test_a_missing_configuration_names_those_there_are(tmp_path):
    configs = "".join(f"- config_name: {name}\n  data_files: {name}.jsonl\n" for name in ("small", "large"))
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    for name in ("small", "large"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name, "label": 0}) + "\n")
    message = refusal(str(tmp_path))
    assert "['small', 'large']" in message
    assert "give one of its configurations as name" in message
