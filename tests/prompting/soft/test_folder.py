from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import PromptError
from taskspace.prompting.soft import SoftPrompt, read_prompt
from taskspace.prompting.soft import _folder as folders


def names(folder):
    return sorted(child.name for child in folder.iterdir())


def test_there_and_back_with_its_vector(tmp_path, make_prompt):
    prompt = replace(make_prompt("mnli"), weights={"mnli": -0.5})
    folder = prompt.save(tmp_path / "new" / "mnli")
    assert names(folder) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "init.safetensors", "taskspace.json",
    ]  # fmt: skip
    assert names(tmp_path / "new") == ["mnli"]
    for again in (SoftPrompt.load(folder), read_prompt(folder)):
        assert again.tokens.tobytes() == prompt.tokens.tobytes()
        assert again.vector.values.tobytes() == prompt.vector.values.tobytes()
        assert again.vector.sources == prompt.vector.sources
        for field in ("name", "tasks", "weights", "backbone", "provenance", "layout"):
            assert getattr(again, field) == getattr(prompt, field), field


@pytest.mark.parametrize("change", [
    {"init": None}, {"backbone": None}, {"tasks": (), "weights": {}}, {"name": ""}, {"layout": "prefix"},
    {"tasks": ("a", "b"), "weights": None},
])  # fmt: skip
def test_there_and_back_with_less_or_more(tmp_path, make_prompt, change):
    prompt = replace(make_prompt(), **change)
    again = SoftPrompt.load(prompt.save(tmp_path / "p"))
    assert again.tokens.tobytes() == prompt.tokens.tobytes()
    assert (again.init is None) == (prompt.init is None)
    for field in ("name", "tasks", "weights", "backbone", "layout"):
        assert getattr(again, field) == getattr(prompt, field), field


def test_saving_again_replaces_all_of_it(tmp_path, make_prompt):
    folder = make_prompt("a", seed=1).save(tmp_path / "p")
    second = replace(make_prompt("b", seed=2), init=None)
    second.save(folder)
    assert SoftPrompt.load(folder).tasks == ("b",)
    assert "init.safetensors" not in names(folder)
    assert names(tmp_path) == ["p"]


def test_a_save_that_fails_leaves_the_old_folder(tmp_path, make_prompt, monkeypatch, one_sentence):
    folder = make_prompt("a").save(tmp_path / "p")
    before = {child.name: child.read_bytes() for child in folder.iterdir()}

    def full(self, data):
        if self.name == "taskspace.json":
            raise OSError(28, "No space left on device")
        return real(self, data)

    real = type(tmp_path).write_bytes
    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(PromptError, match="No space left") as caught:
        make_prompt("b").save(folder)
    assert one_sentence(caught.value)
    assert {child.name: child.read_bytes() for child in folder.iterdir()} == before
    assert names(tmp_path) == ["p"]


def test_a_move_that_fails_puts_the_old_folder_back(tmp_path, make_prompt, monkeypatch):
    folder = make_prompt("a").save(tmp_path / "p")
    real = type(tmp_path).rename

    def stuck(self, target):
        if self.name.endswith(".part"):
            raise OSError(16, "Device or resource busy")
        return real(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", stuck)
    with pytest.raises(PromptError, match="busy"):
        make_prompt("b").save(folder)
    assert SoftPrompt.load(folder).tasks == ("a",)
    assert names(tmp_path) == ["p"]


def test_what_is_no_prompt_is_never_replaced(tmp_path, make_prompt, one_sentence):
    prompt = make_prompt()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("mine")
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "README.md").write_text("mine")
    mixed = prompt.save(tmp_path / "mixed")
    (mixed / "notes.txt").write_text("mine")
    for name in ("file", "work", "repo", "mixed"):
        with pytest.raises(PromptError, match="choose another") as caught:
            prompt.save(tmp_path / name)
        assert one_sentence(caught.value)
    assert (tmp_path / "file").read_text() == (tmp_path / "work" / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "repo" / "README.md").read_text() == (mixed / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert SoftPrompt.load(prompt.save(tmp_path / "empty")).tasks == ("mnli",)


def test_a_provenance_that_is_no_json(tmp_path, make_prompt, one_sentence):
    with pytest.raises(PromptError, match="JSON") as caught:
        replace(make_prompt(), provenance={"recipe": np.float32(1)}).save(tmp_path / "p")
    assert one_sentence(caught.value)
    assert names(tmp_path) == []


def test_a_folder_under_a_file(tmp_path, make_prompt, one_sentence):
    (tmp_path / "file").write_text("")
    with pytest.raises(PromptError, match="cannot write") as caught:
        make_prompt().save(tmp_path / "file" / "p")
    assert one_sentence(caught.value)


def damage(folder, name, data):
    if data is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data)


@pytest.mark.parametrize(("name", "data"), [
    ("taskspace.json", b"{"), ("taskspace.json", b"[]"), ("taskspace.json", b'{"format": 2}'),
    ("taskspace.json", b"\xff"), ("taskspace.json", b'{"format": 1}'),
    ("adapter_config.json", None), ("adapter_config.json", b"nothing"),
    ("adapter_config.json", b"[1]"), ("adapter_model.safetensors", None), ("adapter_model.safetensors", b"cut"),
    ("init.safetensors", None), ("init.safetensors", b""),
])  # fmt: skip
def test_a_damaged_folder(tmp_path, make_prompt, one_sentence, name, data):
    folder = make_prompt().save(tmp_path / "p")
    damage(folder, name, data)
    with pytest.raises(PromptError) as caught:
        SoftPrompt.load(folder)
    assert one_sentence(caught.value), caught.value
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(("name", "what"), [("adapter_model", "tokens"), ("init", "init")])
def test_numbers_changed_since(tmp_path, make_prompt, one_sentence, name, what):
    folder, other = make_prompt("a", seed=1, init=1).save(tmp_path / "p"), make_prompt("b", seed=2, init=2)
    other.save(tmp_path / "q")
    (folder / f"{name}.safetensors").write_bytes((tmp_path / "q" / f"{name}.safetensors").read_bytes())
    with pytest.raises(PromptError, match=f"the {what} in .* delete taskspace.json") as caught:
        read_prompt(folder)
    assert one_sentence(caught.value)


def test_without_our_json_it_is_a_plain_adapter(tmp_path, make_prompt):
    prompt = make_prompt()
    folder = prompt.save(tmp_path / "p")
    (folder / "taskspace.json").unlink()
    with pytest.raises(PromptError, match="use read_prompt"):
        SoftPrompt.load(folder)
    again = read_prompt(folder)
    np.testing.assert_array_equal(again.tokens, prompt.tokens)
    assert again.backbone.name == "org/tiny"
    assert again.backbone.table == ""


def test_paths_that_are_no_folder_of_ours(tmp_path, one_sentence):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing", tmp_path / "file", tmp_path):
        with pytest.raises(PromptError, match="not a folder that taskspace saved") as caught:
            SoftPrompt.load(path)
        assert one_sentence(caught.value)


def test_the_caller_adds_to_what_our_files_know(tmp_path, make_prompt, backbone_of, one_sentence):
    bare = replace(make_prompt(backbone=None), init=None).save(tmp_path / "bare")
    start = np.ones((3, 4))
    prompt = read_prompt(bare, backbone=backbone_of(), init=start, task="other")
    assert prompt.backbone == backbone_of()
    assert prompt.vector.weights == {"other": 1.0}
    full = make_prompt().save(tmp_path / "full")
    assert read_prompt(full, backbone="tiny").backbone == backbone_of()
    for said, why in (
        ({"backbone": backbone_of(table="u" * 64)}, "known to be the same"),
        ({"backbone": backbone_of(8)}, "another backbone"), ({"effective": 2}, "effective="),
        ({"layout": "prefix"}, "layout="),
        ({"init": make_prompt(backbone=backbone_of(table="u" * 64))}, "of another backbone"),
        ({"init": np.ones((2, 4))}, "its init"), ({"backbone": "t5-small"}, "known to be the same"),
    ):  # fmt: skip
        with pytest.raises(PromptError, match=why) as caught:
            read_prompt(full, **said)
        assert one_sentence(caught.value)


def test_the_card_tells_and_survives_odd_names(tmp_path, make_prompt, backbone_of):
    prompt = replace(make_prompt('a | "b"\n---\nlicense: x', backbone=backbone_of(name="org/tiny")))
    card = (prompt.save(tmp_path / "p") / "README.md").read_text(encoding="utf-8")
    head, body = card.split("---\n", 2)[1:]
    assert head == 'library_name: "peft"\ntags: ["soft-prompt", "taskspace"]\nbase_model: "org/tiny"\n'
    report = prompt.report()
    assert f"| ‖P₀‖ / ‖τ‖ | {report['ratio']:.4g} |" in body
    assert "\\|" in body
    assert "\nlicense" not in card
    local = replace(prompt, backbone=backbone_of(name="/home/me/models/tiny"))
    assert "base_model" not in (local.save(tmp_path / "q") / "README.md").read_text(encoding="utf-8").split("---\n")[1]


def test_leftovers_of_a_killed_save_are_cleared(tmp_path, make_prompt):
    import os

    stale = tmp_path / f".p.{os.getpid()}.part"
    stale.mkdir()
    (stale / "half").write_text("")
    assert SoftPrompt.load(make_prompt().save(tmp_path / "p")).length == 3
    assert names(tmp_path) == ["p"]


def test_ours_are_the_files_that_are_written(tmp_path, make_prompt):
    written = names(make_prompt().save(tmp_path / "p"))
    assert set(written) <= folders._FILES
    assert json.loads((tmp_path / "p" / "taskspace.json").read_text())["format"] == 1


@pytest.mark.parametrize(("field", "value", "told"), [
    ("name", 3, "name is 3"), ("provenance", [], "provenance is"), ("backbone.name", 4, "backbone.name is 4"),
    ("backbone.kind", "tree", "backbone.kind is 'tree'"), ("backbone.width", "4", "backbone.width is '4'"),
    ("provenance.applied", [], "provenance.applied is"), ("provenance.recipe", "x", "provenance.recipe is 'x'"),
    ("provenance.imported", 3, "provenance.imported is 3"), ("provenance.metrics", [1], "provenance.metrics is"),
    ("provenance.recipe", {"max_length": "16"}, "max_length is '16'"),
    ("provenance.applied", {"sources": [1]}, "sources is"),
    ("provenance.applied", {"sources": {"a": {"provenance": {"recipe": 2}}}}, "sources.a.provenance.recipe is 2"),
])  # fmt: skip
def test_fields_of_another_type(tmp_path, make_prompt, one_sentence, field, value, told):
    path = make_prompt().save(tmp_path / "p") / "taskspace.json"
    header = json.loads(path.read_text())
    outer, _, inner = field.partition(".")
    header[outer] = {**header[outer], inner: value} if inner else value
    path.write_text(json.dumps(header))
    with pytest.raises(PromptError) as caught:
        read_prompt(tmp_path / "p")
    assert told in str(caught.value)
    assert one_sentence(caught.value)
