from __future__ import annotations

import sys

import pytest

from taskspace.errors import LabelerError, MissingExtra, SurrogateError
from taskspace.labelers._weights import find, told_of, unloadable


def test_a_checkpoint_that_is_there(tiny_encoder):
    located = find(tiny_encoder, revision=None, what="classifier")
    assert (located.folder, located.name) == (tiny_encoder, str(tiny_encoder))
    assert located.config["model_type"] == "bert"


def test_a_name_that_is_nowhere_is_called_what_it_was_looked_for_as(one_sentence):
    with pytest.raises(LabelerError, match="^classifier 'no-one/surrogate' at revision abc is neither") as caught:
        find("no-one/surrogate", revision="abc", what="classifier")
    assert one_sentence(caught.value)


def test_without_the_hub_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"^classifier 'no-one/nothing' needs huggingface_hub"):
        find("no-one/nothing", revision=None, what="classifier")


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        (["config.json"], r"holds no \*.safetensors weights; save the classifier there first"),
        (["config.json", "pytorch_model.bin"], r"has its weights in pytorch_model.bin, a pickle, never opened here;"),
        ([], "holds no config.json"),
    ],
)
def test_folders_without_weights(tmp_path, one_sentence, files, seen):
    for name in files:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(LabelerError, match=seen) as caught:
        find(tmp_path, revision=None, what="classifier")
    assert one_sentence(caught.value)


@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_not_this_folder(tmp_path, monkeypatch, one_sentence, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabelerError, match="the classifier has no name; give a Hub id or a folder") as caught:
        find(name, revision=None, what="classifier")
    assert one_sentence(caught.value)


def test_complaints_that_name_no_surrogate_stay_as_they_are():
    with pytest.raises(LabelerError, match="^a b; c$"), told_of("classifier"):
        raise SurrogateError("a b; c")


def test_what_cannot_be_loaded_is_one_sentence(tiny_encoder, one_sentence):
    located = find(tiny_encoder, revision=None, what="classifier")
    assert one_sentence(unloadable(located, RuntimeError("It broke. Do this!\nAnd that.")))
