"""Files of prompts: TOML, one prompt or many, and the sets that come with the package.

The model, the answers and any other field of a prompt may stand at the top, where they are the default of
every ``[[prompts]]`` table; a file without such tables is one prompt.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace.errors import DataError, SettingError, did_you_mean
from taskspace.labelers.prompts._prompt import Example, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.resources.abc import Traversable


@dataclass(frozen=True)
class PromptFile:
    """What a file of prompts says.

    ``model`` is a Hub id, a folder (a path relative to the file is found from there), or what an endpoint
    calls its model; ``base_url`` is that endpoint, ``endpoint`` the settings given for it.  ``None`` is
    what the file leaves open.
    """

    path: Path
    prompts: tuple[Prompt, ...]
    model: str | None = None
    base_url: str | None = None
    revision: str | None = None
    device: str | None = None
    dtype: str | None = None
    endpoint: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def named(self, name: str) -> Prompt:
        """The prompt of that name; raises :class:`SettingError` when there is none."""
        found = {prompt.name: prompt for prompt in self.prompts}
        if name not in found:
            raise SettingError(f"{self.path.name} has no prompt {name!r}{did_you_mean(name, found)}")
        return found[name]

    def with_answers(self, answers: Mapping[str, Sequence[str] | str]) -> PromptFile:
        """The same templates for other labels; best for templates that list them by ``{labels}``."""
        given = {label: (words,) if isinstance(words, str) else tuple(words) for label, words in answers.items()}
        return replace(self, prompts=tuple(replace(prompt, answers=given) for prompt in self.prompts))


def read_prompts(path: str | Path) -> PromptFile:
    """Read a file of prompts, or one of :func:`builtin_sets` by its name unless there is such a file.

    Raises :class:`DataError` when it is not there or not sound; the sentence names file, prompt and key.
    """
    file = Path(path)
    packaged = None if file.is_file() else _packaged().get(str(path))
    if packaged is not None:
        return _checked(Path(str(packaged)), _parsed(packaged.name, packaged.read_bytes()))
    if not file.is_file():
        raise DataError(f"there is no file of prompts {file}, nor a packaged set{_hint(str(path))}")
    try:
        return _checked(file, _parsed(file.name, file.read_bytes()))
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}); check its permissions") from error


def builtin_sets() -> tuple[str, ...]:
    """The names of the prompt sets that come with the package."""
    return tuple(sorted(_packaged()))


def _packaged() -> dict[str, Traversable]:
    """As data, not by import: the folder lies on a higher floor than this module."""
    folder = files("taskspace").joinpath("prompting", "choosing", "sets")
    return {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}


def _hint(name: str) -> str:
    return did_you_mean(name, _packaged()) or "; check the path"


def _parsed(name: str, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{name} is not TOML: {error}; mend it there") from error


def _checked(path: Path, table: dict[str, Any]) -> PromptFile:
    many = table.pop("prompts", None)
    head = {key: table.pop(key) for key in tuple(table) if key in _HEAD}
    for key, value in head.items():
        _require_type(path.name, key, value, _HEAD[key])
    if many is None:
        prompts = (_prompt(path.name, {"name": path.stem} | table, also=(*_HEAD, "prompts")),)
    else:
        prompts = _many(path.name, table, many)
    said: dict[str, Any] = {**head, **_located(path, head)}
    return PromptFile(path, prompts, **said)


def _many(file: str, shared: dict[str, Any], tables: Any) -> tuple[Prompt, ...]:
    if not _is_list_of_tables(tables) or not tables:
        raise DataError(f"{file} says prompts = {_shown(tables)}; write a [[prompts]] table for each prompt")
    if "name" in shared:
        raise DataError(f"{file} gives a name beside its [[prompts]]; give each of them its own")
    _require_known(f"{file}", shared, (*_FIELDS, *_HEAD, "prompts"))
    names: set[str] = set()
    prompts: list[Prompt] = []
    for number, table in enumerate(tables, 1):
        if "name" not in table:
            raise DataError(f'{file} has no name for prompt {number}; add one, such as name = "plain"')
        prompts.append(_prompt(file, shared | table, also=()))
        if prompts[-1].name in names:
            raise DataError(f"{file} has two prompts named {prompts[-1].name!r}; rename one")
        names.add(prompts[-1].name)
    return tuple(prompts)


def _prompt(file: str, table: dict[str, Any], *, also: tuple[str, ...]) -> Prompt:
    where = f"{file}, prompt {table['name']!r},"
    _require_known(where, table, (*_FIELDS, *also))
    for key, value in table.items():
        _require_type(where, key, value, _FIELDS[key])
    for key in ("template", "answers"):
        if key not in table:
            raise DataError(f"{where} has no {key}; give it one, or one for all prompts at the top of the file")
    examples = tuple(_example(where, number, given) for number, given in enumerate(table.get("examples", []), 1))
    given: dict[str, Any] = {**table, "examples": examples}
    try:
        return Prompt(**given)
    except SettingError as error:
        raise DataError(f"{file}: {error}") from error


def _example(where: str, number: int, table: dict[str, Any]) -> Example:
    where = f"{where} example {number},"
    _require_known(where, table, ("text", "label", "text_pair"))
    for key in ("text", "label"):
        if key not in table:
            raise DataError(f"{where} has no {key}; add it")
    for key, value in table.items():
        _require_type(where, key, value, _TEXT)
    return Example(**table)


def _located(path: Path, head: dict[str, Any]) -> dict[str, str]:
    """A folder that is named relative to the file, from wherever it is read."""
    model = head.get("model")
    beside = path.parent / model if model and "base_url" not in head else None
    return {"model": str(beside)} if beside is not None and beside.is_dir() else {}


def _require_known(where: str, table: dict[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key in _HEAD and key not in known:
            raise DataError(f"{where} says {key}; move it to the top of the file, where it holds for all prompts")
        if key not in known:
            raise DataError(f"{where} has an unknown key {key!r}{did_you_mean(key, known)}")


_Kind = tuple[str, "Callable[[Any], bool]"]


def _require_type(where: str, key: str, value: Any, kind: _Kind) -> None:
    what, fits = kind
    if not fits(value):
        raise DataError(f"{where} says {key} = {_shown(value)}; make it {what}")


def _shown(value: Any) -> str:
    text = " ".join(str(value).split()) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _is_words(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(word, str) for word in value))


def _is_answers(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_words(words) for words in value.values())


_TEXT: _Kind = ("a text", lambda value: isinstance(value, str))
_SWITCH: _Kind = ("true or false", lambda value: isinstance(value, bool))
_COUNT: _Kind = ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
_TABLE: _Kind = ("a table", lambda value: isinstance(value, dict))
_EXAMPLES: _Kind = ("[[examples]] tables with text and label", _is_list_of_tables)
_ANSWERS: _Kind = ('a table that gives each label its words, such as good = ["good", "fine"]', _is_answers)

_HEAD: dict[str, _Kind] = {
    **dict.fromkeys(("model", "base_url", "revision", "device", "dtype"), _TEXT),
    "endpoint": _TABLE,
}
_FIELDS: dict[str, _Kind] = {
    **{entry.name: _TEXT for entry in fields(Prompt)},
    "answers": _ANSWERS,
    "examples": _EXAMPLES,
    "reasoning_tokens": _COUNT,
    "chat": _SWITCH,
    "with_end": _SWITCH,
}
