"""Any checkpoint as a backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.tuning.backbones._loading import load
from taskspace.tuning.backbones.decoder import Decoder
from taskspace.tuning.backbones.encoder import Encoder
from taskspace.tuning.backbones.encoder_decoder import EncoderDecoder

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.tuning.backbones._backbone import Backbone
    from taskspace.tuning.backbones._loading import Precision, Quantization

_KINDS = {"encoder": Encoder, "encoder-decoder": EncoderDecoder, "decoder": Decoder}


def load_backbone(
    name: str | Path,
    *,
    revision: str | None = None,
    device: str | None = None,
    dtype: Precision = "auto",
    quantize: Quantization | None = None,
    checkpointing: bool = False,
) -> Backbone:
    """Load a folder or Hub checkpoint, frozen, to tune parts on; what it is, its configuration says.

    ``dtype`` "auto" is the stored precision, and float32 on the CPU.  ``quantize`` keeps the frozen weights in 8 or
    4 bits (bitsandbytes).  ``checkpointing`` gives memory for time: layers are run again in the backward pass.

    Raises :class:`SurrogateError` when it cannot be found, loaded or tuned on, :class:`SettingError` for an option
    that cannot be met, :class:`MissingExtra` for a package that is not installed.
    """
    loaded = load(name, revision=revision, device=device, dtype=dtype, quantize=quantize)
    return _KINDS[loaded.kind](loaded, checkpointing=checkpointing)
