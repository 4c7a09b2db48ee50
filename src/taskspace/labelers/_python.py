"""``python:MODULE:NAME``: what a module holds under a name, as a labeler."""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace.errors import LabelerError, SettingError, did_you_mean
from taskspace.labelers._kept import KeptLabeler
from taskspace.labelers._labeler import Labeler, Reads, first_line, require_name
from taskspace.labelers.callables import CallableLabeler, callable_labeler
from taskspace.labelers.estimators import from_sklearn
from taskspace.labelers.store import AnswerStore, default_store

if TYPE_CHECKING:
    from types import ModuleType

_RUN = "_labeler_file_"
"""What modules that were run from a file are called."""


def labeler_in(
    where: str, attribute: str, *, name: str | None, reads: Reads | None, store: AnswerStore | None
) -> Labeler:
    """The function, estimator or labeler ``attribute`` of the module or file ``where``."""
    found = _attribute(_module(where), attribute, where)
    if isinstance(found, type):
        raise LabelerError(f"{attribute} in {where} is a class; name a function, a fitted estimator or a labeler")
    if isinstance(found, Labeler):
        if reads not in (None, found.reads):
            raise SettingError(f"labeler {attribute} in {where} reads {found.reads} by itself; leave --reads out")
        return found if name is None else _renamed(found, name)
    called = attribute if name is None else name
    settled: Any = reads or getattr(found, "reads", "texts")
    if hasattr(found, "predict") and (hasattr(found, "fit") or not callable(found)):
        return from_sklearn(found, name=called, reads=settled)
    if callable(found):
        made = _from_function(found, called, settled)
        # A file's content says nothing of what its function reads elsewhere: only a stated version vouches for that.
        return KeptLabeler(made, default_store() if store is None else store) if _version(found) else made
    raise LabelerError(
        f"{attribute} in {where} is a {type(found).__name__}; name a function, a fitted estimator or a labeler"
    )


def _from_function(found: Any, name: str, reads: Reads) -> CallableLabeler:
    size = getattr(found, "batch_size", None)
    settings: dict[str, Any] = {"batch_size": size} if isinstance(size, int) else {}
    return callable_labeler(found, name=name, reads=reads, version=_version(found) or _source_hash(found), **settings)


def _version(found: Any) -> str:
    return str(getattr(found, "version", None) or "")


def _source_hash(found: Any) -> str:
    """The file that a function stands in, by content: an edited helper beside it makes another model."""
    file = getattr(sys.modules.get(getattr(found, "__module__", "")), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else ""


def _renamed(labeler: Labeler, name: str) -> Labeler:
    if isinstance(labeler, KeptLabeler):
        return replace(labeler, answerer=_copied(labeler.answerer, name))
    return _copied(labeler, name)


def _copied(named: Any, name: str) -> Any:
    twin = copy.copy(named)
    try:
        object.__setattr__(twin, "name", require_name(name))
    except AttributeError as error:
        raise SettingError(f"labeler {named.name!r} does not let itself be renamed; leave the name out") from error
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
    name = f"{_RUN}{file.stem}"
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
