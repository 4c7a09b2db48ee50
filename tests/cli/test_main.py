"""How the program starts, ends, warns and helps, whatever the verb."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from taskspace import __version__
from taskspace.cli import _target

VERBS = ("embed", "rank", "near", "show", "remove", "export", "choose-prompt", "doctor", "demo")
HEAVY = {"torch", "transformers", "pandas", "polars", "pyarrow", "sklearn", "scipy", "datasets", "huggingface_hub"}
WATCHED = """
import sys
sys.argv = {argv!r}
from taskspace.cli import main
try:
    main()
finally:
    print("loaded:", *sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help(taskspace, words):
    said = taskspace(*words)
    assert (said.code, said.err) == (0, "")
    assert "Usage: taskspace" in said.out
    assert all(verb in said.out for verb in VERBS) or words != ["--help"]


def test_defaults_that_depend_on_the_atlas_are_told(taskspace):
    help_text = " ".join(taskspace("embed", "--help").out.replace("│", " ").split())
    for default in ("(default: the atlas's, else response)", "(default: guessed)", "(default: the atlas's, else 0)"):
        assert default in help_text


def test_version(taskspace):
    assert taskspace("--version").out == f"{__version__}\n"


@pytest.mark.parametrize("argv", [["--help"], ["rank", "--help"], ["show"], ["rank", "mood"], ["near", "mood"]])
def test_what_needs_no_model_loads_nothing_heavy(atlas, argv):
    script = WATCHED.format(argv=["taskspace", *argv])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.rpartition("loaded:")[2].split())
    assert {"taskspace", "typer"} <= loaded
    assert not loaded & HEAVY


def test_a_word_that_is_no_verb_or_option(taskspace):
    verb, option = taskspace("rnak", "mood"), taskspace("rank", "mood", "--kidn", "model")
    assert (verb.code, verb.out, option.code, option.out) == (2, "", 2, "")
    assert verb.err.startswith("taskspace: no such command 'rnak', did you mean 'rank'?")
    assert verb.err.endswith("; see taskspace --help\n")
    assert option.err.startswith("taskspace: no such option: --kidn")
    assert option.err.endswith("; see taskspace rank --help\n")
    assert verb.err.count("\n") == option.err.count("\n") == 1


@pytest.mark.parametrize(("words", "told"), [(["rank"], "TARGET"), (["rank", "mood", "-k", "many"], "'-k'")])
def test_a_missing_or_unfitting_word_is_one_sentence(taskspace, one_sentence, words, told):
    said = taskspace(*words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert one_sentence(said.err.strip())


def test_without_a_word_it_helps(taskspace):
    assert "Usage: taskspace" in taskspace().out


# Exit codes


def test_a_bug_keeps_its_traceback_and_exits_with_1(folder, atlas):
    script = (
        "import sys\n"
        "from taskspace.atlas import Atlas\n"
        "def broken(self, *words, **options): raise RuntimeError('a bug of ours')\n"
        "Atlas.rank = broken\n"
        "sys.argv = ['taskspace', 'rank', 'mood']\n"
        "from taskspace.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("RuntimeError: a bug of ours\n")


def test_with_json_a_sentence_leaves_stdout_empty(taskspace, atlas):
    for words in (["rank", "moood"], ["show", "moood"], ["embed"], ["remove", "moood"], ["export", "x.csv"]):
        said = taskspace(*words, "--json")
        assert (said.code, said.out) == (2, "")
        assert said.sentence.startswith("taskspace: ")


def test_debug_shows_where_a_sentence_came_from(taskspace, atlas):
    plain, debug = taskspace("rank", "moood"), taskspace("rank", "moood", "--debug")
    assert plain.code == debug.code == 2
    assert "Traceback" not in plain.err
    assert debug.err.startswith("Traceback")
    assert _target.target_of.__name__ in debug.err
    assert debug.err.endswith(plain.err)


def test_debug_also_shows_what_a_run_went_on_after(taskspace, atlas):
    plain, debug = (taskspace("embed", "gone.jsonl", "trip.jsonl", *more) for more in ([], ["--debug"]))
    assert plain.code == debug.code == 2
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err
    assert "DataError: there is no file gone.jsonl" in debug.err
    assert plain.out == debug.out
    assert "Traceback" not in taskspace("embed", "gone.jsonl").err  # nothing of it stays


def test_nobody_reads_on(atlas):
    read, write = os.pipe()
    os.close(read)
    try:
        words = [sys.executable, "-m", "taskspace", "show", "--json"]
        done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_control_c_keeps_what_is_finished(atlas, process):
    Path("slow.py").write_text(
        "import pathlib, time\ndef slow(texts):\n    pathlib.Path('asked').touch()\n    time.sleep(60)\n"
    )
    Path("trip.jsonl").rename("voyage.jsonl")
    command = [sys.executable, "-m", "taskspace", "embed", "voyage.jsonl", "--labeler", "python:slow.py:slow"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(600):
            if Path("asked").exists():
                break
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert out.startswith("embedded  voyage")
    assert process("show", "voyage").code == 0
    assert err == "taskspace: stopped; what was finished is kept, run the same command to go on\n"


# Warnings


@pytest.fixture
def gappy(atlas, tasks, rows_of, write):
    """A file with one row in forty that has no text."""
    rows = rows_of(tasks["trip"])
    return write("gappy.jsonl", [*rows[:5], {"text": "  ", "label": "yes"}, *rows[5:]])


NOTE = "taskspace: note: 1 of 41 rows of gappy.jsonl have no text in column 'text' (first: line 6) and are left out"


def test_a_warning_of_ours_is_one_plain_line(taskspace, gappy):
    said = taskspace("embed", "gappy.jsonl", "--json")
    assert said.code == 0
    assert said.document["outcomes"][0]["status"] == "embedded"
    assert said.err.splitlines() == [NOTE]
    assert said.document["outcomes"][0]["provenance"]["input_rows"] == 40


def test_a_warning_of_ours_is_told_once_even_if_a_file_is_read_twice(process, files, gappy, tiny_encoder):
    said = process("embed", "gappy.jsonl", "--surrogate", tiny_encoder, "--atlas", "new.db")
    assert said.code == 0, said.err
    lines = said.err.splitlines()
    assert lines.count(NOTE) == 1
    assert not any("Warning" in line or ".py:" in line for line in lines)


def test_warnings_of_others_look_as_python_shows_them(process, atlas):
    Path("noisy.py").write_text(
        "import warnings\n"
        "def noisy(texts):\n"
        "    warnings.warn('not ours', UserWarning)\n"
        "    return [len(text) % 2 for text in texts]\n"
    )
    said = process("embed", "--labeler", "python:noisy.py:noisy")
    assert said.code == 0
    assert f"{atlas.parent / 'noisy.py'}:3: UserWarning: not ours" in said.err.splitlines()


def test_the_settings_of_the_process_are_left_as_they_were(taskspace, gappy):
    before = warnings.showwarning, list(warnings.filters)
    assert NOTE in taskspace("embed", "gappy.jsonl").err.splitlines()
    assert (warnings.showwarning, list(warnings.filters)) == before


def test_a_class_with_one_row_is_noted(taskspace, atlas, tasks, rows_of, write):
    rows = rows_of(tasks["trip"])
    write("lone.jsonl", [*rows, {"text": "we saw soup", "label": "hardly"}])
    said = taskspace("embed", "lone.jsonl")
    assert said.code == 0
    assert said.out.startswith("embedded  lone (dataset; 41 rows, 3 classes")
    (note,) = [line for line in said.err.splitlines() if line.startswith("taskspace: note: ")]
    assert "1 of 3 classes" in note
    assert "'hardly'" in note
