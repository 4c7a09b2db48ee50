"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskspace._files import replacing


def test_the_new_file_takes_the_place_of_the_old(tmp_path):
    file = tmp_path / "a.npz"
    file.write_text("old")
    with replacing(file) as partial:
        assert partial.suffix == ".npz"  # numpy adds it to names that lack it
        partial.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def write_half():
        with replacing(file) as partial:
            partial.write_text("ne")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_half()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "no" / "a.txt") as partial:
        partial.write_text("new")


def test_a_folder_is_no_file():
    with pytest.raises(IsADirectoryError), replacing(Path("/")):
        pass
