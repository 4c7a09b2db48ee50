"""What goes with the weights of a model in its folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

_WEIGHTS = (
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".ot", ".onnx", ".tflite", ".gguf",
    ".index.json",
)  # fmt: skip


def carry(source: Path, folder: Path, *, dtype: str | None = None) -> None:
    """Configuration and tokenizer, so that the result loads like its base; further modules of a sentence encoder.

    ``dtype`` (F32, F16, BF16) is put into the configuration, from which loaders take it.
    """
    for file in sorted(source.iterdir()):
        if file.is_file() and not file.name.endswith(_WEIGHTS) and not file.name.startswith((".", "README")):
            shutil.copyfile(file, folder / file.name)
    for module in _modules(source / "modules.json"):
        if (source / module).is_dir():
            shutil.copytree(source / module, folder / module, dirs_exist_ok=True)
    if dtype is not None:
        _say_dtype(folder / "config.json", dtype)


def _modules(listing: Path) -> list[str]:
    """Folders such as ``1_Pooling``, which sentence-transformers lists."""
    try:
        named = [str(module["path"]) for module in json.loads(listing.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):
        return []  # it is no sentence encoder, or its own loader will tell
    return [path for path in named if path and Path(path).name == path]


_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def _say_dtype(configuration: Path, dtype: str) -> None:
    try:
        said = json.loads(configuration.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # a base without one loads without one
    keys = [key for key in ("dtype", "torch_dtype") if isinstance(said, dict) and key in said]
    for key in keys:
        said[key] = _NAMES[dtype]
    if keys:
        configuration.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
