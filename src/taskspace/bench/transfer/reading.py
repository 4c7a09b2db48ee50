"""The tasks of a ground truth: folders by name, or files, as splits that share no row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taskspace.data.files import format_of, stem
from taskspace.errors import DataError, did_you_mean
from taskspace.task import Task
from taskspace.tuning.splits import Splits, split

if TYPE_CHECKING:
    from collections.abc import Iterable


def find_tasks(words: Iterable[str], folder: Path | None) -> dict[str, Path]:
    """Where each task lies, by name: the task folder ``folder/WORD``, or else the file or task folder at that path.

    Names are those of the folders and files.  Raises :class:`DataError` for a word that is neither, and for two tasks
    of one name.
    """
    found: dict[str, Path] = {}
    for word in words:
        path = _path_of(word, folder)
        name = (path.name or path.resolve().name) if path.is_dir() else stem(path)
        if found.setdefault(name, path).resolve() != path.resolve():
            raise DataError(f"{found[name]} and {path} are both called {name!r}; rename one of them")
    return found


def read_splits(path: Path, name: str, *, test_rows: int) -> Splits:
    """A task folder's own splits, or the rows of a file with a fifth of them held out.

    Of a folder's test split ``test_rows`` rows are drawn by class, and training rows that also stand among these are
    dropped.  A folder without one is read as a file is.
    """
    if path.is_dir() and any(stem(file) == "test" for file in path.iterdir() if format_of(file)):
        held = Task.from_file(path, split="test", limit=test_rows, seed=0, name=name)
        return split(Task.from_file(path, name=name), held, seed=0, validation=None, overlap="drop")
    return split(Task.from_file(path, name=name), seed=0, validation=None)


def _path_of(word: str, folder: Path | None) -> Path:
    if folder is not None and not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give --data the folder in which the task folders lie")
    if folder is not None and _there(folder / word):
        return folder / word
    if _there(Path(word)):
        return Path(word)
    known = [] if folder is None else [path.name for path in folder.iterdir() if path.is_dir()]
    place = "a file" if folder is None else f"a task in {folder} nor a file"
    raise DataError(f"{word!r} is {'not' if folder is None else 'neither'} {place}{did_you_mean(word, known) or _HOW}")


_HOW = "; give --data FOLDER, or a path"


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
