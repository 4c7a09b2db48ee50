"""Run what a study's folder does not hold yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from taskspace._files import replacing
from taskspace.bench.fute.parts import PARTS
from taskspace.bench.fute.records import Records
from taskspace.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.bench.fute.study import Study

SETTINGS = "study.json"


def run_study(study: Study) -> None:
    """Measure the plan's parts; a setting that is on record is not measured again, so a stopped study goes on.

    Raises :class:`DataError` for a folder of a study with other settings.
    """
    _settle(study)
    for name in study.plan.parts:
        records = Records(measured(study.folder, name))
        for setting, rows in PARTS[name].measure(study, dict(records.kept)):
            records.put(setting, rows)


def measured(folder: Path, part: str) -> Path:
    """Where the rows of a part are."""
    return folder / "measured" / f"{part}.csv"


def read_settings(folder: Path) -> dict[str, Any]:
    """What a folder's study was made with; raises :class:`DataError` where there is none."""
    try:
        return json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} holds no study ({error}); run it with 'taskspace bench fute' first") from error


def _settle(study: Study) -> None:
    """What must be equal for rows to stand in one table; names may be added later."""
    plan = study.plan
    settings: dict[str, Any] = {
        "model": study.surrogate.fingerprint, "source_rows": plan.source_rows, "shots": plan.shots,
        "fitted_rows": plan.fitted_rows, "pool_size": plan.pool_size, "pair_share": plan.pair_share,
        "domain_size": plan.domain_size, "seed": plan.seed,
        **{f"settings of {name}": dict(given) for name, given in plan.learners.items()},
    }  # fmt: skip
    path = study.folder / SETTINGS
    there = read_settings(study.folder)["settings"] if path.is_file() else settings
    odd = next((key for key in settings if there.get(key, settings[key]) != settings[key]), None)
    if odd is not None:
        raise DataError(
            f"the study in {study.folder} was made with {odd}={there.get(odd)!r}, not {settings[odd]!r}; choose "
            "another folder, or the same settings"
        )
    pairs = {name: study.tasks.pairs(name) for name in plan.names}
    study.folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        said = {"settings": there | settings, "pairs": pairs, "cross_domain": list(plan.cross_domain)}
        partial.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
