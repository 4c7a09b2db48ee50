"""An adapter folder as a task vector."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.errors import TaskspaceWarning, WeightsError, did_you_mean
from taskspace.merging._agreement import matches, require_matches
from taskspace.merging._vector import TaskVector
from taskspace.merging.adapters._factors import finite, laid, read_pair
from taskspace.merging.adapters._settings import MERGE, WEIGHTS, base_name, read_settings
from taskspace.merging.base import Base
from taskspace.merging.carriers import Arrays, Carrier, Decomposed, Difference, Factors, Pair, combine
from taskspace.merging.checkpoint import Checkpoint, InMemory
from taskspace.merging.numbers import encode
from taskspace.merging.window import windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.merging.adapters._settings import Settings
    from taskspace.merging.checkpoint import Layout, Weights

_PREFIX = "base_model.model."
_PART = re.compile(r"(.+)\.lora_(A|B|embedding_A|embedding_B|magnitude_vector)(\.weight|\.bias)?$")


@dataclass
class _Found:
    """Keys of an adapter's file by what they are: parts of each module, biases of B, whole tensors by their names.

    ``beneath`` are embeddings as they lay under their factors.
    """

    parts: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    biases: dict[str, str] = field(default_factory=dict[str, str])
    saved: dict[str, str] = field(default_factory=dict[str, str])
    beneath: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def names(self) -> list[str]:
        """All tensors that the adapter changes."""
        return [*(f"{module}.weight" for module in self.parts), *self.biases, *self.saved]

    def without(self, ignored: Callable[[str], bool]) -> _Found:
        """Less the tensors of such names."""
        kept = (
            {name: key for name, key in keys.items() if not ignored(name)}
            for keys in (self.biases, self.saved, self.beneath)
        )
        return _Found({module: p for module, p in self.parts.items() if not ignored(f"{module}.weight")}, *kept)


def read_adapter(
    folder: Path, *, base: Weights | None = None, name: str | None = None, ignore: Sequence[str] = ()
) -> TaskVector:
    """A LoRA, rsLoRA or DoRA adapter as a difference to the model that it was trained on, its factors kept.

    With ``base`` names and shapes are checked, and the tensors digested; where the adapter's model has a head around
    the base, as ``bert.encoder`` around ``encoder``, names become the base's.  A base is needed for DoRA, and for what
    the adapter holds whole (modules_to_save, biases), whose difference is taken; ``ignore`` holds shell patterns
    (``classifier.*``) of tensors that are left out, by the adapter's names or the base's.  Of an adapted embedding peft
    saves what lies beneath too: it is compared with the base.

    Of other bases that the adapter fits in all its shapes only the name can tell: warns where that is another.  Raises
    :class:`WeightsError` for what is no such adapter or not whole, another base, and what a difference of weights
    cannot say, and :class:`SettingError` for a pattern that matches nothing.
    """
    settings = read_settings(folder)
    if not (folder / WEIGHTS).is_file():
        raise WeightsError(f"{folder} has no {WEIGHTS}; save the adapter again as safetensors")
    file = Checkpoint(folder / WEIGHTS)
    every = _sorted(file)
    found = every.without(lambda name: matches(name, ignore))
    called = _Called.of(found, base)
    found = found.without(lambda name: matches(called(name), ignore))
    require_matches(ignore, [*every.names, *map(called, every.names), *(base.layout if base else ())])
    if not found.names:
        raise WeightsError(f"ignore={list(ignore)} leaves nothing of {folder}; ignore less, or leave the adapter out")
    if base is not None:
        _warn_of_another(settings, base)
    pairs, magnitudes = _pairs(file, found, settings, base, called)
    carriers = _carriers(file, found, settings, base, called, pairs, magnitudes)
    carrier = carriers[0] if len(carriers) == 1 else combine([(1.0, carrier) for carrier in carriers])
    about = {"adapter": folder.name, "base": settings.base, "ignore": list(ignore)}
    under = Base.of(base, carrier.layout) if base is not None else Base(settings.base) if settings.base else None
    return TaskVector(carrier, {name or folder.name: 1.0}, under, about)


def _warn_of_another(settings: Settings, base: Weights) -> None:
    """Folders are renamed and moved, so another name is told of, and not refused; by its last part, as folders go."""
    known = {base.name, base_name(base.path)} if isinstance(base, Checkpoint) else set[str]()
    if settings.base and known and _last(settings.base) not in map(_last, known):
        warnings.warn(
            f"{settings.folder.name} was trained on {settings.base}, and {base.name} is given as its base; where these"
            " are not the same model, its difference means nothing",
            TaskspaceWarning,
            stacklevel=4,
        )


def _last(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".safetensors")


def _sorted(file: Checkpoint) -> _Found:
    found = _Found()
    for key in file.layout:
        path = key.removeprefix(_PREFIX)
        part = _PART.match(path)
        if part and part[3] == ".bias":
            found.biases[f"{part[1]}.bias"] = key
            found.parts.setdefault(part[1], {})
        elif part:
            found.parts.setdefault(part[1], {})[part[2]] = key
        elif ".lora_" in path:
            raise WeightsError(f"{file.path} has {key!r}, which is no part of LoRA or DoRA; {MERGE}")
        elif path.endswith(".base_layer.weight"):
            found.beneath[path.replace(".base_layer", "")] = key
        else:
            found.saved[path.replace(".base_layer", "")] = key
    if not found.names:
        raise WeightsError(f"{file.path} holds no factors; give the folder that peft's save_pretrained wrote")
    return found


@final
class _Called:
    """A module's name in the adapter, and the base's name for it."""

    def __init__(self, drop: str = "", add: str = "") -> None:
        self._drop, self._add = drop, add

    def __call__(self, name: str) -> str:
        return self._add + name.removeprefix(self._drop)

    @classmethod
    def of(cls, found: _Found, base: Weights | None) -> _Called:
        """Names as they are where that fits, else less their first component, else with one of the base's before."""
        if base is None:
            return cls()
        names = [*(f"{module}.weight" for module in found.parts), *found.biases]
        heads = sorted({name.partition(".")[0] + "." for name in names})
        tops = sorted({name.partition(".")[0] + "." for name in base.layout})
        for called in (cls(), *(cls(drop=head) for head in heads), *(cls(add=top) for top in tops)):
            if all(called(name) in base.layout for name in names):
                return called
        lost = next(name for name in names if name not in base.layout)
        raise WeightsError(
            f"the adapter changes {lost!r}, which {base.name} has not{did_you_mean(lost, base.layout)}; give the model"
            " that it was trained on"
        )


def _pairs(
    file: Checkpoint, found: _Found, settings: Settings, base: Weights | None, called: _Called
) -> tuple[dict[str, Pair], dict[str, NDArray[np.float32]]]:
    """All pairs by weight, and the magnitudes of those that have one."""
    pairs: dict[str, Pair] = {}
    magnitudes: dict[str, NDArray[np.float32]] = {}
    for module, keys in found.parts.items():
        name = called(f"{module}.weight")
        pairs[name] = read_pair(file, module, keys, settings)
        if "magnitude_vector" in keys:
            magnitudes[name] = finite(file, keys["magnitude_vector"]).reshape(-1)
            if len(magnitudes[name]) != len(pairs[name].up):
                raise WeightsError(f"the magnitudes of {module!r} do not fit its factors; save the adapter again")
    return pairs if base is None else laid(pairs, base, settings), magnitudes


def _carriers(
    file: Checkpoint,
    found: _Found,
    settings: Settings,
    base: Weights | None,
    called: _Called,
    pairs: Mapping[str, Pair],
    magnitudes: Mapping[str, NDArray[np.float32]],
) -> list[Carrier]:
    """Plain pairs, decomposed pairs, biases and whole tensors: those that there are."""
    carriers: list[Carrier] = []
    if plain := {name: pair for name, pair in pairs.items() if name not in magnitudes}:
        carriers.append(Factors.of(plain))
    if magnitudes:
        if base is None:
            raise WeightsError(f"{settings.folder} is a DoRA adapter, whose weights depend on its base; give base= too")
        directions = Factors.of({name: pairs[name] for name in magnitudes})
        carriers.append(Decomposed(base, directions, magnitudes))
    if found.biases:
        carriers.append(Arrays(InMemory(_biases(file, found, settings, called))))
    if found.saved:
        carriers.append(_difference(file, found.saved, settings, base, called))
    if base is not None:
        _require_beneath(file, found.beneath, base, called)
    return carriers


def _biases(file: Checkpoint, found: _Found, settings: Settings, called: _Called) -> dict[str, NDArray[Any]]:
    """``s b`` of the biases of B (lora_bias), which add to the module's own."""
    biases: dict[str, NDArray[Any]] = {}
    for name, key in found.biases.items():
        module = name.removesuffix(".bias")
        rank = file.layout[f"{key.removesuffix('B.bias')}A.weight"].shape[0]
        biases[called(name)] = (settings.scaling(module, rank) * finite(file, key).astype(np.float64)).astype("f4")
    return biases


def _difference(
    file: Checkpoint, saved: Mapping[str, str], settings: Settings, base: Weights | None, called: _Called
) -> Difference:
    if base is None:
        first = next(iter(saved))
        raise WeightsError(
            f"{settings.folder} holds {first!r} whole, of which only a base gives the difference; give base= too, or"
            f" name it in ignore (such as {first.partition('.')[0] + '.*'!r})"
        )
    tuned = _Renamed(file, {called(name): key for name, key in saved.items()})
    for name, spec in tuned.layout.items():
        if name not in base.layout:
            raise WeightsError(
                f"the adapter holds {name!r} whole, which {base.name} has not; give the model with that head as base,"
                f" or name it in ignore (such as {name.partition('.')[0] + '.*'!r})"
            )
        if base.layout[name].shape != spec.shape:
            raise WeightsError(
                f"the adapter holds {name!r} as {list(spec.shape)}, and it is {list(base.layout[name].shape)} in"
                f" {base.name}; give the model that it was trained on, or name it in ignore"
            )
    return Difference(tuned, base, {name: base.layout[name] for name in tuned.layout})


def _require_beneath(file: Checkpoint, beneath: Mapping[str, str], base: Weights, called: _Called) -> None:
    """An embedding as the adapter was trained on it: the base's, or that rounded to the dtype of the training."""
    held = _Renamed(file, {called(name): key for name, key in beneath.items()})
    for name, spec in held.layout.items():
        same = name in base.layout and base.layout[name].shape == spec.shape
        if not same or not all(
            np.array_equal(held.stored(name, at.start, at.stop), encode(at.of(base), spec.dtype, name))
            for at in windows(name, spec)
        ):
            raise WeightsError(
                f"the adapter was trained on another {name!r} than that of {base.name}; give the model that it was"
                " trained on"
            )


@final
class _Renamed:
    """Some tensors of a file under other names."""

    def __init__(self, file: Checkpoint, keys: Mapping[str, str]) -> None:
        self.name, self._file, self._keys = file.path.parent.name, file, keys
        self.layout: Layout = {name: file.layout[key] for name, key in keys.items()}

    def stored(self, name: str, start: int, stop: int) -> NDArray[Any]:
        return self._file.stored(self._keys[name], start, stop)
