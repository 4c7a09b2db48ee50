from __future__ import annotations

import hashlib
import json

import pytest

from taskspace.errors import MissingExtra, SettingError, SurrogateError
from taskspace.tuning.backbones import BARE, load_backbone

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TABLES = {
    "bert": "bert.embeddings.word_embeddings.weight", "sentence": "embeddings.word_embeddings.weight",
    "roberta": "roberta.embeddings.word_embeddings.weight", "t5": "shared.weight", "bart": "model.shared.weight",
    "llama": "model.embed_tokens.weight", "gpt2": "transformer.wte.weight", "gemma": "model.embed_tokens.weight",
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "kind"),
    [("bert", "encoder"), ("sentence", "encoder"), ("t5", "encoder-decoder"), ("bart", "encoder-decoder"),
     ("llama", "decoder"), ("gemma", "decoder")],
)  # fmt: skip
def test_the_configuration_says_what_it_is(load, saved, family, kind):
    backbone = load(family)
    identity = backbone.identity
    assert (backbone.kind, identity.kind, identity.revision) == (kind, kind, "local")
    assert (identity.name, identity.width) == (str(saved(family)), 16)
    assert backbone.embeddings.shape == (identity.vocabulary, identity.width) == (len(backbone.tokenizer), 16)
    assert backbone.width == 16
    assert backbone.device in ("cpu", "cuda")


@pytest.mark.parametrize("family", TABLES)
def test_the_fingerprint_is_that_of_the_stored_table(load, saved, family):
    """Read by the safetensors package."""
    from safetensors.numpy import load_file

    stored = load_file(saved(family) / "model.safetensors")
    fitting = [stored[name] for name in (TABLES[family], TABLES[family].partition(".")[2]) if name in stored]
    head = json.dumps([list(fitting[0].shape), "F32"]).encode()
    assert load(family).identity.table == hashlib.sha256(head + fitting[0].tobytes()).hexdigest()


def test_the_fingerprint_does_not_depend_on_the_precision_read_in(load):
    for family in ("bert", "t5", "llama"):
        assert load(family).identity == load(family, dtype="bfloat16").identity


def test_other_embeddings_have_another_fingerprint(load, save_t5, tmp_path):
    other = load_backbone(save_t5(tmp_path / "other", seed=1))
    assert other.identity.table != load("t5").identity.table
    half = save_t5(tmp_path / "half")
    transformers.AutoModelForSeq2SeqLM.from_pretrained(half, dtype=torch.bfloat16).save_pretrained(half)
    assert load_backbone(half).identity.table != load("t5").identity.table


def test_a_checkpoint_without_its_head_is_a_sentence_encoder(copied, classes):
    """As where its configuration still speaks of the head."""
    folder = copied("bert")
    transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    backbone = load_backbone(folder)
    rows = backbone.prepare(classes(["snow"], ("very good", "very bad")), max_length=10)
    assert backbone.tokenizer.mask_token_id not in rows[0].ids
    assert backbone.scores(BARE, rows, [0]).exp().sum().item() == pytest.approx(1, rel=1e-5)


def test_a_missing_model_is_told(tmp_path, one_sentence):
    (tmp_path / "config.json").write_text("{}")
    for name in (tmp_path / "nothing", tmp_path):
        with pytest.raises(SurrogateError) as caught:
            load_backbone(name)
        assert one_sentence(caught.value)


def test_pickles_are_not_opened(copied, one_sentence):
    folder = copied("t5")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(SurrogateError, match="pickle") as caught:
        load_backbone(folder)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_broken_files_are_told(copied, file, one_sentence):
    folder = copied("llama")
    (folder / file).write_text("{]")
    with pytest.raises(SurrogateError, match="cannot be|loaded|read") as caught:
        load_backbone(folder)
    assert one_sentence(caught.value)


def test_absent_weights_are_told(copied, one_sentence):
    """They would be random numbers."""
    from safetensors.numpy import load_file, save_file

    folder = copied("llama")
    stored = load_file(folder / "model.safetensors")
    del stored["model.layers.1.mlp.up_proj.weight"]
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SurrogateError, match="lack 1 tensors such as model.layers.1.mlp.up_proj.weight") as caught:
        load_backbone(folder)
    assert one_sentence(caught.value)


def test_code_that_comes_with_a_model_is_not_run(copied, tmp_path, one_sentence):
    folder = copied("bert")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: ...")
    config = json.loads((folder / "config.json").read_text())
    remote = {"auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}, "model_type": "evil"}
    (folder / "config.json").write_text(json.dumps(config | remote))
    with pytest.raises(SurrogateError) as caught:
        load_backbone(folder)
    assert one_sentence(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("options", [{"dtype": "float8"}, {"quantize": "int3"}, {"device": "cuda:99"}])
def test_options_that_are_not_known_are_told(saved, options, one_sentence):
    with pytest.raises(SettingError) as caught:
        load_backbone(saved("t5"), **options)
    assert one_sentence(caught.value)
    assert str(next(iter(options.values()))) in str(caught.value)


def test_quantising_says_what_it_needs(saved, monkeypatch, one_sentence):
    monkeypatch.setattr("taskspace.tuning.backbones._loading.installed", lambda package: package != "bitsandbytes")
    with pytest.raises(MissingExtra, match="pip install bitsandbytes") as caught:
        load_backbone(saved("t5"), quantize="nf4")
    assert one_sentence(caught.value)


def test_loading_leaves_random_numbers_and_logs_alone(copied):
    """Also where a pooler is drawn at random, since the files have none and nothing reads it."""
    folder = copied("sentence")
    transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(folder)
    logs = transformers.utils.logging
    state = torch.get_rng_state()
    said = logs.get_verbosity(), logs.is_progress_bar_enabled()
    load_backbone(folder)
    assert torch.equal(torch.get_rng_state(), state)
    assert (logs.get_verbosity(), logs.is_progress_bar_enabled()) == said
