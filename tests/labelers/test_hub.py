"""Hub classifiers: batched answers equal those given one by one, whatever the family and whatever it says."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers import AnswerStore, ask, from_hub
from taskspace.labelers import hub as module
from taskspace.labelers._classifier import Classifier
from taskspace.learners import gather
from taskspace.learners.response import respond
from taskspace.task import Inputs, Pool

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

PAD, UNKNOWN, BEGIN, END = range(4)
WORDS = [f"w{number}" for number in range(4, 60)]
PLACES = 48

FAMILIES = {
    "bert": {},
    "distilbert": {"sinusoidal_pos_embds": False},  # takes no token types
    "roberta": {"pad_token_id": 1},  # positions count from the padding token
    "xlm-roberta": {},
    "mpnet": {"pad_token_id": 1},
    "deberta-v2": {},
    "gpt2": {"pad_token_id": None},  # the last place, but no padding token to find it by
    "llama": {"pad_token_id": None},
    "mistral": {"pad_token_id": END},  # pads with the end
    "gemma": {},
    "bart": {},  # reads the last end token, and wants as many in all rows
    "t5": {},
    "xlnet": {},  # mixes padding in
    "mobilebert": {"embedding_size": 16, "true_hidden_size": 16, "intra_bottleneck_size": 16},
    "fnet": {"tpu_short_seq_length": 8},  # takes no mask
}
SIZES = {
    "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": PLACES, "num_key_value_heads": 2, "head_dim": 8, "n_embd": 16, "n_layer": 2, "n_head": 2,
    "n_positions": PLACES, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "d_ff": 32, "num_layers": 2,
    "num_heads": 2, "d_kv": 8, "dim": 16, "n_heads": 2, "n_layers": 2, "hidden_dim": 32, "decoder_start_token_id": PAD,
    "d_inner": 32, "d_head": 8, "pad_token_id": PAD, "bos_token_id": BEGIN, "eos_token_id": END, "num_labels": 3,
}  # fmt: skip
UNENDING = {"xlnet": ("max_position_embeddings", "n_positions"), "t5": ("n_positions",)}


def save_tokenizer(folder, marked=True, **settings):
    """Words by number; unless plain, texts stand between marks as in BERT, and pairs have two token types."""
    vocabulary = {"[PAD]": PAD, "[UNK]": UNKNOWN, "[CLS]": BEGIN, "[SEP]": END} | {w: i for i, w in enumerate(WORDS, 4)}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    if marked:
        marks = [("[CLS]", BEGIN), ("[SEP]", END)]
        pair = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
        words.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", pair, special_tokens=marks)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special, **settings).save_pretrained(folder)


def save_classifier(folder, family="bert", *, seed=0, marked=True, tokenizer=None, **config):
    sizes = {key: value for key, value in SIZES.items() if key not in UNENDING.get(family, ())}
    if family not in ("gemma", "mistral", "llama"):
        sizes.pop("head_dim")
    if "id2label" in config:
        del sizes["num_labels"]
    settings = transformers.AutoConfig.for_model(family, **(sizes | FAMILIES.get(family, {}) | config))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = transformers.AutoModelForSequenceClassification.from_config(settings)
        for weight in network.parameters():
            if weight.dim() > 1:  # far apart, so that answers differ
                torch.nn.init.normal_(weight, std=0.3)
    transformers.utils.logging.disable_progress_bar()
    network.save_pretrained(folder)
    transformers.utils.logging.enable_progress_bar()
    save_tokenizer(folder, marked, **(tokenizer or {}))
    return folder


def texts_of(count, seed=0, longest=30):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, longest))) for _ in range(count)]


SINGLES = [*texts_of(14), "w4", "unheard of", " ".join(WORDS * 3)]
PAIRED = Inputs.of(SINGLES + texts_of(8, 1), [None] * len(SINGLES) + texts_of(6, 2, 15) + [" ".join(WORDS * 2), "w5"])


def reference(folder, inputs, limit):
    """float64[n, labels]: raw outputs of a plain loop over the rows, one at a time."""
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = []
    for text, pair in zip(inputs.texts, inputs.pairs, strict=True):
        row = tokenizer(text, pair, truncation=True, max_length=limit, return_tensors="pt")
        if network.config.model_type in ("distilbert", "bart", "t5", "gpt2", "llama", "mistral", "gemma", "fnet"):
            row.pop("attention_mask" if network.config.model_type == "fnet" else "token_type_ids", None)
        if network.config.model_type in ("roberta", "xlm-roberta", "mpnet", "deberta-v2"):
            row.pop("token_type_ids", None)  # one type only
        with torch.inference_mode():
            rows.append(network(**row).logits[0].double().numpy())
    return np.array(rows)


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """``saved(family, **config)``: the folder of a microscopic classifier, made once; not to be written to."""
    made = {}

    def save(family="bert", **config):
        key = json.dumps([family, config], sort_keys=True)
        if key not in made:
            made[key] = save_classifier(tmp_path_factory.mktemp("hub") / f"{family}-model", family, **config)
        return made[key]

    bars = transformers.utils.logging
    bars.disable_progress_bar()
    yield save
    bars.enable_progress_bar()


@pytest.fixture
def memory():
    return AnswerStore(None)


def softmax(outputs):
    return torch.softmax(torch.tensor(outputs), dim=1).numpy()


# What it answers


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_of_mixed_lengths_equal_one_by_one(saved, memory, family):
    """Singles and pairs, some longer than the model reads; padding must not be seen."""
    types = {"tokenizer": {"model_input_names": ["input_ids", "attention_mask"]}}
    folder = saved(family, **({} if family in ("bert", "xlnet", "mobilebert", "fnet") else types))
    labeler = from_hub(folder, reads="both", store=memory)
    limit = {"roberta": PLACES - 2, "xlm-roberta": PLACES - 2, "mpnet": PLACES - 2, "t5": 512, "xlnet": 512}
    assert labeler.provenance["max_length"] == limit.get(family, PLACES)
    expected = softmax(reference(folder, PAIRED, limit.get(family, PLACES)))
    assert expected.std(axis=0).max() > 0.02
    answers = labeler.answer(PAIRED)
    assert answers.kind == "classes"
    np.testing.assert_allclose(answers.values, expected, atol=2e-6)


@pytest.mark.parametrize("family", ["bert", "llama", "bart"])
@pytest.mark.parametrize("batch_tokens", [1, 40, 100_000])
def test_the_batch_size_changes_nothing(saved, memory, family, batch_tokens):
    folder = saved(family)
    usual = from_hub(folder, reads="both", store=AnswerStore(None)).answer(PAIRED).values
    other = from_hub(folder, reads="both", batch_tokens=batch_tokens, store=memory).answer(PAIRED).values
    np.testing.assert_allclose(other, usual, atol=2e-6)


@pytest.mark.parametrize("side", ["left", "right"])
def test_long_texts_are_cut_where_the_tokenizer_says(saved, memory, side):
    """The last is longer than what the tokenizer is given of a text."""
    folder = saved("bert", tokenizer={"truncation_side": side})
    inputs = Inputs.of([" ".join(WORDS * 2), " ".join(random.Random(0).choices(WORDS, k=4000))])
    expected = softmax(reference(folder, inputs, PLACES))
    np.testing.assert_allclose(from_hub(folder, store=memory).answer(inputs).values, expected, atol=2e-6)


def test_batches_keep_to_their_budget(saved, memory, monkeypatch):
    seen = []
    whole = Classifier._forward

    def watched(self, rows):
        lengths = [len(row["input_ids"]) for row in rows]
        seen.append((len(rows), max(lengths)))
        return whole(self, rows)

    monkeypatch.setattr(Classifier, "_forward", watched)
    from_hub(saved("bert"), batch_tokens=90, store=memory).answer(Inputs.of(SINGLES))
    assert sum(rows for rows, _ in seen) == len(SINGLES)
    assert all(rows * longest <= 90 for rows, longest in seen)
    assert max(rows for rows, _ in seen) > 2
    assert [longest for _, longest in seen] == sorted((longest for _, longest in seen), reverse=True)


def test_several_labels_at_once_are_a_probability_each(saved, memory):
    folder = saved("bert", problem_type="multi_label_classification", id2label={0: "toxic", 1: "rude", 2: "sad"})
    labeler = from_hub(folder, store=memory)
    answers = labeler.answer(Inputs.of(SINGLES))
    assert answers.kind == "numbers"
    expected = torch.sigmoid(torch.tensor(reference(folder, Inputs.of(SINGLES), PLACES))).numpy()
    np.testing.assert_allclose(answers.values, expected, atol=2e-6)
    assert np.abs(answers.values.sum(axis=1) - 1).max() > 0.1
    assert (labeler.provenance["output"], labeler.provenance["labels"]) == ("labels", ["toxic", "rude", "sad"])
    _, checked = ask(labeler, Pool(SINGLES))
    np.testing.assert_array_equal(checked.values, answers.values)


@pytest.mark.parametrize("config", [{"num_labels": 1}, {"num_labels": 2, "problem_type": "regression"}])
def test_regressions_give_their_numbers(saved, memory, config):
    folder = saved("bert", **config)
    labeler = from_hub(folder, store=memory)
    _, answers = ask(labeler, Pool(SINGLES))
    assert (answers.kind, labeler.provenance["output"]) == ("numbers", "numbers")
    expected = reference(folder, Inputs.of(SINGLES), PLACES)
    assert answers.values.shape == (len(SINGLES), config["num_labels"])
    np.testing.assert_allclose(answers.values, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("output", "expected"), [("classes", [[1, 0], [0.5, 0.5]]), ("labels", [[1, 0.5], [0, 0]]), ("numbers", None)]
)
def test_outputs_far_apart_by_hand(output, expected):
    raw = np.array([[1000.0, 0.0], [-800.0, -800.0]])
    np.testing.assert_array_equal(module.activated(raw, output), raw if expected is None else expected)


def test_a_text_of_which_the_tokenizer_leaves_nothing_abstains(saved, memory):
    labeler = from_hub(saved("gpt2", marked=False), store=memory)
    answers = labeler.answer(Inputs.of(["w5 w6", "", "  ", "w7"]))
    assert answers.known.tolist() == [True, False, False, True]
    assert labeler.collect(Inputs.of(["", "w7"])).items[0] is None
    with pytest.raises(LabelerError, match="abstained on all 2 texts"):
        ask(labeler, Pool(["", " "]))


def test_half_characters_and_texts_of_megabytes(saved, memory):
    answers = from_hub(saved("bert"), store=memory).answer(Inputs.of(["w5 \ud800 w6", "w5 ? w6", "w7 " * 700_000]))
    assert answers.known.all()
    np.testing.assert_array_equal(answers.values[0], answers.values[1])


# Learners and several labels


def test_the_order_of_labels_changes_no_embedding(saved, rng):
    """Numbers side by side are a task: its vector depends neither on their order nor on a copy being classes."""
    inputs = Inputs.of(SINGLES)
    names = {"problem_type": "multi_label_classification", "id2label": {0: "a", 1: "b", 2: "c"}}
    answers = from_hub(saved("bert", **names), store=AnswerStore(None)).answer(inputs)
    x = rng.standard_normal((len(SINGLES), 8))

    def vector(answers):
        evidence = gather(inputs, answers)
        order = [inputs.digests.index(digest) for digest in evidence.inputs.digests]
        return respond(x[order], evidence, 0.1).blocks["response"]

    turned = type(answers)(answers.values[:, [2, 0, 1]], answers.known, "numbers")
    np.testing.assert_allclose(vector(turned), vector(answers), atol=1e-6)
    p = answers.values[:, :1]
    one, two = type(answers)(p, answers.known, "numbers"), type(answers)(np.hstack([1 - p, p]), answers.known)
    np.testing.assert_allclose(vector(one), vector(two), atol=1e-6)
    assert np.abs(vector(one) - vector(answers)).max() > 1e-3


# What it says of itself


@pytest.mark.parametrize(
    ("config", "reads"),
    [
        ({"id2label": {0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}}, "pairs"),
        ({"id2label": {0: "not_entailment", 1: "entailment"}}, "pairs"),
        ({"id2label": {0: "not_duplicate", 1: "duplicate"}}, "pairs"),
        ({"id2label": {0: "unrelated", 1: "Paraphrase"}}, "pairs"),
        ({"id2label": {0: "equivalent", 1: "not_equivalent"}}, "pairs"),
        ({"num_labels": 1, "sentence_transformers": {"version": "5"}}, "pairs"),
        ({"id2label": {0: "negative", 1: "neutral", 2: "positive"}}, "texts"),
        ({"num_labels": 3}, "texts"),
    ],
)
def test_what_it_reads_is_guessed_and_told(saved, config, reads):
    guessed = from_hub(saved("bert", **config))
    assert (guessed.reads, guessed.provenance["reads"], guessed.provenance["reads_is_guessed"]) == (reads, reads, True)
    said = from_hub(saved("bert", **config), reads="both")
    assert (said.reads, said.provenance["reads_is_guessed"]) == ("both", False)


@pytest.mark.parametrize("labels", [1, 2, 3, 12])
def test_labels_are_those_of_transformers(saved, labels):
    """In particular where the config leaves them out, and where ten stands before two."""
    folder = saved("bert", num_labels=labels)
    config = transformers.AutoConfig.from_pretrained(folder)
    assert from_hub(folder).provenance["labels"] == [config.id2label[code] for code in range(labels)]


@pytest.mark.parametrize("config", [{"num_labels": 5}, {"num_labels": 1}, {}])
def test_a_config_that_only_counts_its_labels(saved, tmp_path, config):
    folder = shutil.copytree(saved("bert"), tmp_path / "counted")
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({k: v for k, v in said.items() if "label" not in k} | config))
    expected = transformers.AutoConfig.from_pretrained(folder).id2label
    assert from_hub(folder).provenance["labels"] == [expected[code] for code in range(len(expected))]


def test_provenance_is_plain(saved):
    labeler = from_hub(saved("bert"), name="mine")
    about = json.loads(json.dumps(dict(labeler.provenance)))
    assert (about["source"], about["model"], about["revision"]) == ("hub", str(saved("bert")), "local")
    assert (labeler.name, labeler.kind) == ("mine", "model")
    assert from_hub(saved("bert")).name == "bert-model"


def test_fingerprints_differ_where_answers_may_and_keys_where_items_may(saved, tmp_path):
    here = saved("bert")
    copy = shutil.copytree(here, tmp_path / "elsewhere")
    usual = from_hub(here)
    same = [from_hub(copy), from_hub(here, name="other"), from_hub(here, batch_tokens=7), from_hub(here, device="cpu")]
    assert {labeler.fingerprint for labeler in same} == {usual.fingerprint}
    assert len(usual.fingerprint) == 64
    others = [
        from_hub(saved("bert", seed=1)),
        from_hub(here, max_length=10),
        from_hub(here, dtype="bfloat16"),
        from_hub(saved("bert", problem_type="multi_label_classification")),
    ]
    assert len({labeler.answerer.key for labeler in [usual, *others]}) == 5
    assert len({labeler.fingerprint for labeler in [usual, *others]}) == 5
    both = from_hub(here, reads="both")
    assert both.fingerprint != usual.fingerprint
    assert both.answerer.key == usual.answerer.key


@pytest.mark.parametrize(
    ("config", "tokenizer", "limit"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 10**30, 512),
        ({"model_type": "bert", "max_position_embeddings": 512}, 128, 128),
        ({"model_type": "bert", "max_position_embeddings": 512}, None, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, int(1e30), 512),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024, 1024),
        ({"model_type": "t5", "n_positions": 512}, 10**30, 512),
        ({"model_type": "xlnet", "max_position_embeddings": -1}, None, 512),
        ({"model_type": "gemma3", "text_config": {"max_position_embeddings": 4096}}, 10**30, 4096),
    ],
)
def test_texts_are_cut_at_what_model_and_tokenizer_allow(tmp_path, config, tokenizer, limit):
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    if tokenizer is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": tokenizer}))
    assert from_hub(tmp_path).provenance["max_length"] == limit


# Kept answers


SECOND = """
import sys
from taskspace.labelers import ask, from_hub
from taskspace.task import Pool

labeler = from_hub(sys.argv[1])
_, answers = ask(labeler, Pool(sys.argv[2].split("|")))
print(sorted({"torch", "transformers", "tokenizers", "huggingface_hub"} & set(sys.modules)))
print(answers.values.tobytes().hex())
"""


def test_what_was_answered_needs_no_model(saved, elsewhere):
    texts = [text for text in SINGLES if len(text) < 60]
    _, answers = ask(from_hub(saved("bert")), Pool(texts))
    loaded, values = elsewhere(SECOND, str(saved("bert")), "|".join(texts[::-1])).splitlines()
    assert loaded == "[]"
    assert values == answers.values[::-1].tobytes().hex()


def test_a_run_that_breaks_off_goes_on_where_it_was(saved, memory, monkeypatch):
    whole, done = Classifier._forward, []

    def breaks(self, rows):
        if len(done) == 3:
            raise LabelerError("the device is gone; bring it back")
        done.append(len(rows))
        return whole(self, rows)

    inputs = Inputs.of(SINGLES)
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "_forward", breaks)
        with pytest.raises(LabelerError, match="the device is gone; bring it back") as caught:
            from_hub(saved("bert"), batch_tokens=100, store=memory).answer(inputs)
    assert f"({sum(done)} of {len(SINGLES)} answers came before and are kept" in str(caught.value)
    assert len(memory) == sum(done) > 3
    collected = from_hub(saved("bert"), batch_tokens=100, store=memory).collect(inputs)
    assert collected.asked == len(SINGLES) - sum(done)
    expected = softmax(reference(saved("bert"), inputs, PLACES))
    np.testing.assert_allclose(collected.items, expected, atol=2e-6)


def test_making_one_loads_nothing(saved, elsewhere):
    script = """
import sys
from taskspace.labelers import from_hub
labeler = from_hub(sys.argv[1])
labeler.fingerprint, labeler.reads, labeler.provenance
print(sorted({"torch", "transformers", "huggingface_hub", "tqdm"} & set(sys.modules)))
"""
    assert elsewhere(script, str(saved("bert"))) == "[]"


# What will not do


@pytest.fixture
def copied(saved, tmp_path):
    return shutil.copytree(saved("bert"), tmp_path / "copied")


def test_a_bare_encoder_is_refused(tiny_encoder, memory, one_sentence):
    with pytest.raises(LabelerError, match=r"is no classifier: its weights lack classifier\.") as caught:
        from_hub(tiny_encoder, store=memory).answer(Inputs.of(["red"]))
    assert one_sentence(caught.value)
    assert len(memory) == 0


def test_a_bare_decoder_is_refused(tmp_path, memory):
    network = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**SIZES, "num_labels": 2}))
    network.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    with pytest.raises(LabelerError, match="is no classifier: its weights lack score.weight; .* prompt:"):
        from_hub(tmp_path, store=memory).answer(Inputs.of(["w5"]))


def spoiled_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: spoiled_config(f, model_type="nonsense"), "cannot be loaded"),
        (lambda f: spoiled_config(f, id2label={"a": "x", "b": "y"}), "has keys that are no numbers"),
        (lambda f: spoiled_config(f, id2label={str(i): "x" for i in range(5)}), "cannot be loaded"),
        (lambda f: (f / "model.safetensors").write_bytes(b"no weights"), "cannot be loaded"),
        (lambda f: (f / "model.safetensors").unlink(), r"holds no \*.safetensors weights"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "a pickle|the pickle"),
        (lambda f: (f / "config.json").write_text("{"), "config.json in .* cannot be read"),
        (lambda f: [(f / n).unlink() for n in ("tokenizer.json", "tokenizer_config.json")], "holds no tokenizer"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "cannot be loaded"),
    ],
)
def test_folders_that_will_not_do(copied, memory, one_sentence, spoil, said):
    spoil(copied)
    with pytest.raises(LabelerError, match=said) as caught:
        from_hub(copied, store=memory).answer(Inputs.of(["w5"]))
    assert one_sentence(caught.value)
    assert "surrogate" not in str(caught.value)
    assert len(memory) == 0


def test_weights_that_are_not_finite(tmp_path, memory, one_sentence):
    folder = save_classifier(tmp_path / "broken")
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    network.classifier.bias.data[0] = float("nan")
    network.save_pretrained(folder)
    with pytest.raises(LabelerError, match="gave outputs that are not finite in float32") as caught:
        from_hub(folder, store=memory).answer(Inputs.of(["w5"]))
    assert one_sentence(caught.value)
    assert len(memory) == 0


def test_a_tokenizer_of_another_model(tmp_path, memory, one_sentence):
    folder = save_classifier(tmp_path / "mixed", vocab_size=20)
    with pytest.raises(LabelerError, match="check that tokenizer and weights belong together") as caught:
        from_hub(folder, store=memory).answer(Inputs.of(["w5 w50"]))
    assert one_sentence(caught.value)


@pytest.mark.parametrize("name", ["nobody/has-this", "not a name/at all/", "missing-folder"])
def test_names_that_nobody_has(name, one_sentence):
    pytest.importorskip("huggingface_hub")
    with pytest.raises(LabelerError, match="^classifier .* is neither a local folder nor in the Hub cache") as caught:
        from_hub(name)
    assert one_sentence(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_length": PLACES + 1}, f"max_length={PLACES + 1} does not fit .* give at least 1 and at most {PLACES}"),
        ({"max_length": 0}, "max_length=0 does not fit"),
        ({"batch_tokens": 0}, "batch_tokens is 0"),
        ({"dtype": "float8"}, "dtype 'float8' is not known; did you mean 'float"),
        ({"reads": "pair"}, "cannot read 'pair'; did you mean 'pairs'"),
        ({"name": ""}, "name '' is empty"),
    ],
)
def test_settings_that_make_no_sense(saved, settings, said, one_sentence):
    with pytest.raises(SettingError, match=said) as caught:
        from_hub(saved("bert"), **settings)
    assert one_sentence(caught.value)


def test_a_length_without_room_for_a_text(saved, memory, one_sentence):
    with pytest.raises(LabelerError, match="max_length=2 leaves no room beside the 2 special tokens") as caught:
        from_hub(saved("bert"), max_length=2, store=memory).answer(Inputs.of(["w5"]))
    assert one_sentence(caught.value)


def test_a_device_that_is_not_there(saved, memory, one_sentence):
    with pytest.raises(SettingError, match="device 'nonsense' cannot be used") as caught:
        from_hub(saved("bert"), device="nonsense", store=memory).answer(Inputs.of(["w5"]))
    assert one_sentence(caught.value)
