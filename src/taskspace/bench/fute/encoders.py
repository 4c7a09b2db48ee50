"""Base models to compare with, made of what is at hand: cut, emptied, or trained for a few minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.surrogates._modules import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from taskspace.surrogates import Surrogate

_WHY = "making base models"
_TOKENS, _BATCH, _RATE, _MASKED = 24, 16, 3e-3, 0.3
_MASK, _END, _PAD, _UNKNOWN = "<mask>", "</s>", "<pad>", "<unk>"


def first_layers(surrogate: Surrogate, folder: Path) -> None:
    """The embeddings and the lower half of the layers."""
    transformers = _transformers()
    config = transformers.AutoConfig.from_pretrained(surrogate.located.folder)
    config.num_hidden_layers = max(1, config.num_hidden_layers // 2)
    with quiet(transformers):
        module = transformers.AutoModel.from_pretrained(surrogate.located.folder, config=config)
    _save(transformers, module, surrogate.tokenizer, folder)


def forgotten(surrogate: Surrogate, folder: Path, *, seed: int) -> None:
    """The same shape and tokenizer with weights as before any training."""
    torch, transformers = require("torch", extra="embed", why=_WHY), _transformers()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(surrogate.located.folder))
    _save(transformers, module, surrogate.tokenizer, folder)


def tiny_t5(
    texts: Sequence[str], folder: Path, *, steps: int, seed: int, width: int = 128, layers: int = 2,
    vocabulary: int = 4000, tell: Callable[[str], None] = lambda line: None,
) -> None:  # fmt: skip
    """A T5 that has learned for ``steps`` batches to write a text from itself with 3 of 10 words masked."""
    torch, transformers = require("torch", extra="embed", why=_WHY), _transformers()
    tokenizer = _tokenizer(transformers, texts, vocabulary)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=width, d_kv=width // 4, d_ff=4 * width, num_layers=layers, num_heads=4,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id, dropout_rate=0.0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = transformers.T5ForConditionalGeneration(config)
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(module.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 50, 1 - step / (steps + 1)))
    for step in range(steps):
        rows: list[int] = rng.integers(len(texts), size=_BATCH).tolist()
        loss = module(**_masked(torch, tokenizer, [texts[row] for row in rows], rng)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if (step + 1) % 100 == 0:
            tell(f"tiny T5: step {step + 1} of {steps}, loss {float(loss.detach()):.2f}")
    _save(transformers, module, tokenizer, folder)


def _tokenizer(transformers: Any, texts: Sequence[str], vocabulary: int) -> Any:
    """Pieces of lower-case words, learned from the texts."""
    tokenizers = require("tokenizers", extra="embed", why=_WHY)
    special = [_PAD, _END, _UNKNOWN, _MASK]
    words = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token=_UNKNOWN))
    words.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    words.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    words.train_from_iterator(
        texts, tokenizers.trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    )
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"$A {_END}", pair=f"$A {_END} $B {_END}", special_tokens=[(_END, special.index(_END))]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=_PAD, eos_token=_END, unk_token=_UNKNOWN, mask_token=_MASK
    )


def _masked(torch: Any, tokenizer: Any, texts: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    batch = tokenizer(list(texts), padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    hidden = torch.from_numpy(rng.random(tuple(ids.shape)) < _MASKED) & (mask == 1) & (ids != tokenizer.eos_token_id)
    return {
        "input_ids": ids.masked_fill(hidden, tokenizer.mask_token_id),
        "attention_mask": mask,
        "labels": ids.masked_fill(mask == 0, -100),
    }


def _save(transformers: Any, module: Any, tokenizer: Any, folder: Path) -> None:
    """The folder is there whole or not at all."""
    partial = folder.with_name(f"{folder.name}.part")
    partial.mkdir(parents=True, exist_ok=True)
    with quiet(transformers):
        tokenizer.save_pretrained(partial)
        module.eval().save_pretrained(partial)
    partial.rename(folder)


def _transformers() -> Any:
    return require("transformers", extra="embed", why=_WHY)
