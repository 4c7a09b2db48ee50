"""Labelers named on the command line: ``KIND:REST`` becomes a labeler."""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace.errors import LabelerError, SettingError, did_you_mean
from taskspace.labelers._labeler import Labeler, first_line, require_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def load_labeler(spec: str, *, name: str | None = None, trust_pickle: bool = False) -> Labeler:
    """Make the labeler that ``spec`` names.

    * ``predictions:FILE``: see :func:`taskspace.labelers.from_predictions`.
    * ``python:MODULE:NAME``: a function, an estimator or a labeler in an importable module, or in a
      ``.py`` file given by its path.  A function or estimator may carry ``reads``, ``version`` and
      ``batch_size`` as attributes.
    * ``sklearn:FILE``: see :func:`taskspace.labelers.estimators.load_estimator`.

    Without ``name`` it is called after the file, or after NAME.  Raises :class:`SettingError` when the
    spec cannot be understood and :class:`LabelerError` when what it names cannot be used.
    """
    kind, colon, rest = spec.partition(":")
    if not colon or not rest:
        raise SettingError(
            f"labeler {spec!r} does not say KIND:WHAT; the kinds are {', '.join(f'{k}:' for k in _KINDS)}"
        )
    if kind not in _KINDS:
        raise SettingError(f"labeler {spec!r} is of unknown kind {kind!r}{did_you_mean(kind, _KINDS)}")
    return _KINDS[kind](rest, name, trust_pickle)


def _predictions(rest: str, name: str | None, trust_pickle: bool) -> Labeler:
    from taskspace.labelers.predictions import from_predictions

    return from_predictions(rest, name=name)


def _sklearn(rest: str, name: str | None, trust_pickle: bool) -> Labeler:
    from taskspace.labelers.estimators import from_sklearn, load_estimator

    estimator = load_estimator(rest, trust_pickle=trust_pickle)
    return from_sklearn(estimator, name=Path(rest).stem if name is None else name)


def _python(rest: str, name: str | None, trust_pickle: bool) -> Labeler:
    where, colon, attribute = rest.rpartition(":")
    if not colon or not where or not attribute:
        raise SettingError(f"labeler 'python:{rest}' does not say python:MODULE:NAME; name what to use in the module")
    found = _attribute(_module(where), attribute, where)
    return _as_labeler(found, attribute, name, where)


_KINDS: dict[str, Callable[[str, str | None, bool], Labeler]] = {
    "predictions": _predictions,
    "python": _python,
    "sklearn": _sklearn,
}


def _as_labeler(found: Any, attribute: str, name: str | None, where: str) -> Labeler:
    from taskspace.labelers.callables import from_callable
    from taskspace.labelers.estimators import from_sklearn

    if isinstance(found, type):
        raise LabelerError(f"{attribute} in {where} is a class; name a function, a fitted estimator or a labeler")
    if isinstance(found, Labeler):
        return found if name is None else _renamed(found, name)
    called = attribute if name is None else name
    reads: Any = getattr(found, "reads", "texts")
    if hasattr(found, "predict") and (hasattr(found, "fit") or not callable(found)):
        return from_sklearn(found, name=called, reads=reads)
    if callable(found):
        version, batch_size = getattr(found, "version", None) or _source_hash(found), getattr(found, "batch_size", 256)
        settings: dict[str, Any] = {"batch_size": batch_size} if isinstance(batch_size, int) else {}
        return from_callable(found, name=called, reads=reads, version=str(version), **settings)
    raise LabelerError(
        f"{attribute} in {where} is a {type(found).__name__}; name a function, a fitted estimator or a labeler"
    )


def _source_hash(found: Any) -> str:
    """The file that a function stands in, by content: an edited helper beside it makes another model."""
    file = getattr(sys.modules.get(getattr(found, "__module__", "")), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else ""


def _renamed(labeler: Labeler, name: str) -> Labeler:
    twin = copy.copy(labeler)
    try:
        object.__setattr__(twin, "name", require_name(name))
    except AttributeError as error:
        raise SettingError(f"labeler {labeler.name!r} does not let itself be renamed; leave the name out") from error
    return twin


def _attribute(module: ModuleType, dotted: str, where: str) -> Any:
    found: Any = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            known = [key for key in vars(module) if not key.startswith("_")]
            raise LabelerError(f"{where} has no {dotted!r}{did_you_mean(dotted, known)}")
        found = getattr(found, part)
    return found


def _module(where: str) -> ModuleType:
    file = Path(where)
    try:
        if file.suffix == ".py":
            return _run_file(file)
        if _is_importable(where):
            return importlib.import_module(where)
        file = Path(where.replace(".", "/")).with_suffix(".py")
        if file.is_file():
            return _run_file(file)
    except LabelerError:
        raise
    except (Exception, SystemExit) as error:
        raise LabelerError(f"{where} cannot be imported ({first_line(error)}); mend it, then run again") from error
    raise LabelerError(f"there is no module {where}, neither installed nor as {file} in this folder; check the name")


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return False
        raise


def _run_file(file: Path) -> ModuleType:
    """Run a file as a module of its own; modules beside it can be imported from it, after all others."""
    if not file.is_file():
        raise LabelerError(f"there is no file {file}; check the path")
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    name = f"_labeler_file_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LabelerError(f"{file} cannot be run as Python; check that it ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their own module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
