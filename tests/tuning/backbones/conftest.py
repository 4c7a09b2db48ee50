"""Microscopic models of every family that reads its inputs in its own way, and the simplest things to tune on them."""

from __future__ import annotations

import shutil
import warnings
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

from taskspace.task import Inputs
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.rows import Examples

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXTS = ["the soup is good", "it was a very dull grey train", "snow", "we saw the red bridge is fine", "bread"]
LONGEST = "rain " * 60


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


class Prompt:
    """K prompts of m tokens, and nothing else: the test double of a tuned part."""

    def __init__(self, backbone, rows, length, seed=0):
        drawn = torch.randn(rows, length, backbone.width, generator=torch.Generator().manual_seed(seed))
        # At the size of the embeddings, so that a prompt is neither lost nor all there is.
        self.tokens = (drawn * backbone.embeddings.float().std()).requires_grad_()
        self.rows, self.parameters, self.shared, self.rates = rows, {"tokens": self.tokens}, {}, {}

    def enter(self, embeds, mask, owners):
        return self.tokens[owners].to(embeds.dtype), embeds

    def inside(self, backbone, owners):
        return nullcontext()


class Shift:
    """K numbers times a fixed direction, added to what one layer gives while the part is inside."""

    def __init__(self, backbone, rows, layer):
        self.layer = backbone.module.get_submodule(layer)
        self.by = torch.linspace(-2, 3, rows).requires_grad_()
        self.rows, self.parameters, self.shared, self.rates = rows, {"by": self.by}, {}, {}
        self.opened = []

    def enter(self, embeds, mask, owners):
        return embeds[:, :0], embeds

    @contextmanager
    def inside(self, backbone, owners):
        self.opened.append(owners.tolist())

        def shifted(_module, _inputs, output):
            direction = torch.cos(torch.arange(output.shape[-1]))
            return output + (self.by[owners, None, None] * direction).to(output.dtype)

        handle = self.layer.register_forward_hook(shifted)
        try:
            yield
        finally:
            handle.remove()


class Head:
    """A linear head per bank row; what :class:`taskspace.tuning.parts._head.Head` does, written plainly."""

    def __init__(self, rows, outputs, width, seed=0):
        drawn = torch.Generator().manual_seed(seed)
        self.outputs = outputs
        self.weight = torch.randn(rows, max(outputs), width, generator=drawn, requires_grad=True)

    def __call__(self, features, owners):
        scores = torch.stack([self.weight[k] @ x for k, x in zip(owners.tolist(), features.float(), strict=True)])
        outputs = torch.tensor(self.outputs)[owners, None]
        return scores.masked_fill(torch.arange(scores.shape[1]) >= outputs, -torch.inf)


@pytest.fixture(scope="session")
def prompt():
    return Prompt


@pytest.fixture(scope="session")
def shift():
    return Shift


@pytest.fixture(scope="session")
def head():
    return Head


@pytest.fixture(scope="session")
def classes():
    """``classes(texts, answers, codes, pairs=None)``: examples with hard labels, one code per text."""

    def make(texts=TEXTS, answers=("good", "bad", "fine"), codes=None, pairs=None):
        codes = [i % len(answers) for i in range(len(texts))] if codes is None else codes
        return Examples(Inputs.of(texts, pairs), "classes", np.eye(len(answers))[codes], answers)

    return make


@pytest.fixture(scope="session")
def targets():
    """``targets(texts, said)``: examples with texts to be written."""

    def make(texts=TEXTS, said=("good", "very bad", "the red train", "it was fine", "dull"), answers=()):
        return Examples(Inputs.of(texts), "targets", np.zeros((len(texts), 0)), answers, tuple(said))

    return make


def _roberta(words):
    tokenizer = _words(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *words])
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=66, initializer_range=0.2, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        type_vocab_size=1,
    )  # fmt: skip
    return transformers.RobertaForMaskedLM, config, tokenizer


def _bart(words):
    tokenizer = _words(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *words])
    config = transformers.BartConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, init_std=0.3,
        scale_embedding=True, dropout=0.1, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2,
        forced_eos_token_id=None,
    )  # fmt: skip
    return transformers.BartForConditionalGeneration, config, tokenizer


def _words(vocabulary):
    """Marked and split as RoBERTa does, whole words for tokens."""
    tokenizers = pytest.importorskip("tokenizers")
    numbered = {word: i for i, word in enumerate(vocabulary)}
    cut = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbered, unk_token="<unk>"))
    cut.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    marks = [("<s>", 0), ("</s>", 2)]
    cut.post_processor = tokenizers.processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", marks)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=cut, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        mask_token="<mask>",
    )  # fmt: skip


def _gpt2(tokenizer):
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=96, initializer_range=0.3,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel, config, tokenizer


def _gemma(tokenizer):
    """Scaled embeddings, capped logits, and windows of 12 tokens in every second layer."""
    config = transformers.Gemma2Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=256, initializer_range=0.3, sliding_window=12,
        attn_logit_softcapping=None, final_logit_softcapping=3.0, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return transformers.Gemma2ForCausalLM, config, tokenizer


_MAKERS = {"roberta": _roberta, "bart": _bart, "gpt2": _gpt2, "gemma": _gemma}


@pytest.fixture(scope="session")
def saved(tmp_path_factory, words, request):
    """``saved(family)``: the folder of a microscopic model; not to be written to."""
    known = {"bert": "tiny_mlm", "sentence": "tiny_encoder", "t5": "tiny_t5", "llama": "tiny_decoder"}
    made = {}

    def save(family):
        if family in known:
            return request.getfixturevalue(known[family])
        if family not in made:
            reader = transformers.AutoTokenizer.from_pretrained(request.getfixturevalue("tiny_decoder"))
            kind, config, tokenizer = _MAKERS[family](words if family in ("roberta", "bart") else reader)
            made[family] = tmp_path_factory.mktemp("models") / family
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                kind(config).save_pretrained(made[family])
            tokenizer.save_pretrained(made[family])
        return made[family]

    transformers.utils.logging.disable_progress_bar()
    yield save
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture(scope="session")
def load(saved):
    """``load(family, **options)``: the same backbone each time for the same options."""
    held = {}

    def backbone(family, **options):
        key = (family, *options.items())
        if key not in held:
            held[key] = load_backbone(saved(family), **options)
        return held[key]

    return backbone


@pytest.fixture
def in_peft():
    """``in_peft(folder, loader, task_type, tokens)``: the model with that prompt float32[m, d], by peft."""
    peft = pytest.importorskip("peft")

    def model(folder, loader, task_type, tokens):
        config = peft.PromptTuningConfig(
            task_type=task_type, num_virtual_tokens=len(tokens), num_transformer_submodules=1
        )
        with warnings.catch_warnings():  # peft 0.21.2 still asks transformers by an older name
            warnings.simplefilter("ignore", FutureWarning)
            tuned = peft.get_peft_model(getattr(transformers, loader).from_pretrained(folder), config).eval()
        with torch.no_grad():
            tuned.prompt_encoder["default"].embedding.weight.copy_(tokens)
        return tuned

    return model


@pytest.fixture
def copied(saved, tmp_path):
    """``copied(family)``: a folder that a test may change."""
    return lambda family: shutil.copytree(saved(family), tmp_path / family)
