"""The examples of README, recipes, merging and adapters run as they stand: a page from top to bottom, in one folder.

A ``python`` block is run, or saved where its first line names a file (``# my_model.py``), as ``toml`` and ``yaml``
blocks are.
A ``sh`` block holds ``taskspace`` commands, and ``export NAME=VALUE``.  A block under ``<!-- not run: WHY -->`` is
left alone, and so are blocks of any other language.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from taskspace.cli import main
from taskspace.data import sample_tasks
from taskspace.errors import SettingError
from taskspace.learners.fisher import Fisher
from taskspace.learners.response import Response
from taskspace.surrogates import DEFAULT_SURROGATE, locate

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(?P<skip><!-- not run: [^\n]+ -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)
FILE = re.compile(r"# (\S+\.(?:py|toml|yml))\n")
NEEDS = {
    "README.md": ["sklearn", "skops"],
    "docs/recipes.md": ["pandas", "sklearn", "skops"],
    "docs/errors.md": [],
    "docs/merging.md": ["peft", "scipy", "yaml"],
    "docs/adapters.md": ["peft", "sklearn"],
}


@pytest.fixture
def workplace(tmp_path, tiny_encoder, tiny_decoder, tiny_classifier, shared_home, monkeypatch):
    """A folder with the reader's models alone, in which the default base model is the microscopic one."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for matrices this small, more threads only wait for each other
    tiny = replace(locate(tiny_encoder), name=DEFAULT_SURROGATE, revision="wheel")

    def found(surrogate, *, revision=None):
        return tiny if surrogate == DEFAULT_SURROGATE else locate(surrogate, revision=revision)

    monkeypatch.setattr("taskspace.surrogates._surrogate.locate", found)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("TASKSPACE_ATLAS", "unsaid.db")  # so that an `export` of the page is undone
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for model, name in ((tiny_encoder, "my-encoder"), (tiny_decoder, "my-lm"), (tiny_classifier, "my-checkpoint")):
        shutil.copytree(model, folder / name)
    yield folder
    torch.set_num_threads(threads)
    for name in [name for name in sys.modules if name.startswith("_labeler_file_")]:
        del sys.modules[name]


def write_rows(task, path):
    codes = task.labels.codes
    rows = [{"text": text, "label": task.label_names[code]} for text, code in zip(task.texts, codes, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def prepare_readme(folder):
    """The reader's own files."""
    import skops.io
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    tasks = {task.name: task for task in sample_tasks()}
    spam = tasks["message_spam"]
    write_rows(tasks["film_opinions"], folder / "old_reviews.jsonl")
    write_rows(tasks["product_reviews"], folder / "reviews.jsonl")
    forum = tasks["forum_topics"]
    forum_rows = zip(forum.texts, forum.labels.codes, strict=True)
    with (folder / "tickets.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *forum_rows])
    skops.io.dump(
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(spam.texts, spam.labels.codes),
        folder / "spam.skops",
    )


def prepare_merging(folder):
    """A base, three models tuned from it, and two adapters on it."""
    tasks = {task.name: task for task in sample_tasks()}
    write_rows(tasks["product_reviews"], folder / "reviews.jsonl")
    (folder / "my-checkpoint").rename(folder / "base")
    for seed, name in enumerate(("reviews", "topics", "other")):
        save_tuned(folder / "base", folder / name, seed)
    for name, rank, targets in (("one", 4, ["query"]), ("two", 3, ["query", "value"])):
        save_adapter(folder / "base", folder / f"adapter-{name}", r=rank, target_modules=targets)


def prepare_adapters(folder):
    """A base, a model tuned from it, adapters of one rank with heads, and rows of a task."""
    tasks = {task.name: task for task in sample_tasks()}
    write_rows(tasks["product_reviews"], folder / "reviews.jsonl")
    (folder / "my-checkpoint").rename(folder / "MiniLM")
    save_tuned(folder / "MiniLM", folder / "imdb-checkpoint", 0)
    for name in ("sst2", "imdb", "trec", "subj"):
        save_adapter(Path("MiniLM"), folder / f"{name}-adapter", r=4, target_modules=["query"], task_type="SEQ_CLS")


def loaded(base):
    from transformers import AutoModelForSequenceClassification, logging

    logging.disable_progress_bar()
    model = AutoModelForSequenceClassification.from_pretrained(base)
    logging.enable_progress_bar()
    return model


def save_tuned(base, folder, seed):
    """Every weight moved a little."""
    import torch

    shutil.copytree(base, folder)
    model, drawn = loaded(base), torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.add_(0.02 * torch.randn(parameter.shape, generator=drawn))
    model.save_pretrained(folder)


def save_adapter(base, folder, **config):
    from peft import LoraConfig, get_peft_model

    get_peft_model(loaded(base), LoraConfig(init_lora_weights=False, **config)).save_pretrained(folder)


PREPARED = {
    "README.md": prepare_readme,
    "docs/merging.md": prepare_merging,
    "docs/adapters.md": prepare_adapters,
}


def bring_answers(folder):
    """What the reader's far model gives for each line of the pool."""
    rows = (folder / "pool.jsonl").read_text("utf-8").splitlines()
    answers = [{"probs": {"long": p, "short": 1 - p}} for p in (min(len(row) / 200, 1.0) for row in rows)]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers), encoding="utf-8")


def run_shell(code, monkeypatch):
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            os.environ[name] = value
        elif words:
            assert words[0] == "taskspace", line
            monkeypatch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as stopped:
                main()
            assert stopped.value.code in (0, None), line
            if "--pool" in words and "export" in words:
                bring_answers(Path.cwd())


def run_python(code, namespace, page):
    exec(compile(code, page, "exec"), namespace)  # the page's own code


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft's
@pytest.mark.parametrize("page", NEEDS)
def test_examples_run(page, workplace, monkeypatch):
    for package in NEEDS[page]:
        pytest.importorskip(package)
    PREPARED.get(page, lambda _: None)(workplace)
    blocks = list(BLOCK.finditer((ROOT / page).read_text("utf-8")))
    # A file that a page saves may stand below the command that uses it.
    blocks.sort(key=lambda block: not FILE.match(block["code"]))
    namespace = {}
    ran = 0
    for block in blocks:
        if block["skip"] or block["language"] not in ("python", "sh", "toml", "yaml"):
            continue
        ran += 1
        named = FILE.match(block["code"])
        if named:
            Path(named[1]).write_text(block["code"], encoding="utf-8")
        elif block["language"] == "sh":
            run_shell(block["code"], monkeypatch)
        else:
            run_python(block["code"], namespace, page)
    assert ran


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_quoted_settings_are_the_defaults():
    page = (ROOT / "docs" / "learners.md").read_text("utf-8")
    settings = Response().settings | Fisher().settings | {"sketch": Fisher().sketch}
    for name, value in settings.items():
        said = f'"{value}"' if isinstance(value, str) else f"{name}={value}"
        assert f"`{said}" in page, name


def test_quoted_measurements_are_those_of_the_result_files():
    table = json.loads((ROOT / "benchmarks" / "results" / "fisher_cost.json").read_text("utf-8"))["table"]
    page = (ROOT / "docs" / "learners.md").read_text("utf-8")
    for row in table.values():
        assert f"| {row['s']:.2f} s | {row['ratio']:.2f}× |" in page


def test_quoted_refusals_of_recipes_are_what_is_said():
    """Each row of the table: a key in short YAML, and the sentence."""
    yaml = pytest.importorskip("yaml")
    from taskspace.merging.recipe import recipe_of

    page = (ROOT / "docs" / "merging.md").read_text("utf-8")
    rows = re.findall(r"^\| `\{(.+)\}` \| (.+) \|$", page, re.M)
    assert len(rows) > 5
    asked = {"merge_method": "ties", "base_model": "base", "models": ["a", "b"]}
    for keys, sentence in rows:
        with pytest.raises(SettingError) as caught:
            recipe_of(asked | yaml.safe_load("{" + keys + "}"))
        assert str(caught.value) == sentence.replace("`", "")


def test_the_table_of_merging_has_every_method_with_its_options():
    from dataclasses import fields

    from taskspace.merging.methods import METHODS, method_named

    page = (ROOT / "docs" / "merging.md").read_text("utf-8")
    for name in METHODS:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        for field in fields(method_named(name)):
            assert f"`{field.name}" in row, f"{name}: {field.name}"
