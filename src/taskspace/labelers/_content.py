"""A hash of what Python objects hold, equal in every process: no memory address or ``repr`` of an object enters.

The digest of a value is made from the digests of its parts, so shared parts, the order of dicts and
sets, and string interning make no difference.
"""

from __future__ import annotations

import copyreg
import functools
import hashlib
import types
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_NO_PLAIN_VALUE = "gG"
"""Type codes of the long doubles, which Python has no number for."""

_WHOLE = (int, np.int64, np.int32)

_NOT_CONTENT = {"_stop_words_id", "_sklearn_version"}
"""A memory address and a package version that scikit-learn keeps in an estimator's state."""


def content_hash(*values: Any, deep: bool = False) -> str:
    """SHA-256 of plain values, containers, numpy arrays and functions (code, defaults, closure).

    Any other object counts by its class and, with ``deep``, by the state that pickling would write;
    nothing is pickled.  State that cannot be had (locks, open files) is left out.
    """
    return _Digester(deep).of(values).hex()


def qualified_name(value: Any) -> str:
    """``module.name`` of a function or class, or of the class of anything else."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(named, '__module__', None) or 'builtins'}.{named.__qualname__}"


class _Digester:
    def __init__(self, deep: bool) -> None:
        self.deep = deep
        self.known: dict[int, tuple[Any, bytes]] = {}
        self.open: dict[int, int] = {}

    def of(self, value: Any) -> bytes:
        if isinstance(value, np.generic) and value.dtype.char not in _NO_PLAIN_VALUE:
            value = value.item()
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
            return _atom(value)
        key = id(value)
        if key in self.known:
            return self.known[key][1]
        if key in self.open:  # an object that holds itself: how far up it stands is its content
            return _join("up", [b"%d" % (len(self.open) - self.open[key])])
        self.open[key] = len(self.open)
        digest = self._parts(value)
        del self.open[key]
        self.known[key] = (value, digest)  # holding the value keeps its id from being used again
        return digest

    def _parts(self, value: Any) -> bytes:
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, types.CodeType):
            return self._list("code", [value.co_code, value.co_names, value.co_consts, value.co_exceptiontable])
        if isinstance(value, types.FunctionType):
            held = [value.__code__, value.__defaults__, value.__kwdefaults__, _closure(value)]
            return self._list(f"function {qualified_name(value)}", held)
        if isinstance(value, types.MethodType):
            return self._list("method", [value.__func__, value.__self__])
        if isinstance(value, type | types.BuiltinFunctionType):
            return _join(f"name {qualified_name(value)}", [])
        if isinstance(value, types.ModuleType):
            return _join(f"module {value.__name__}", [])
        if isinstance(value, functools.partial):
            return self._list("partial", [value.func, value.args, value.keywords])
        if isinstance(value, list | tuple):
            return self._list(type(value).__name__, value)
        if isinstance(value, set | frozenset):
            return _join("set", sorted(self.of(item) for item in value))
        if isinstance(value, dict | types.MappingProxyType):
            return self._mapping(value)
        return self._object(value)

    def _list(self, tag: str, items: Iterable[Any]) -> bytes:
        return _join(tag, [self.of(item) for item in items])

    def _mapping(self, value: Mapping[Any, Any]) -> bytes:
        kept = {key: part for key, part in value.items() if not (isinstance(key, str) and key in _NOT_CONTENT)}
        if all(type(key) is str and type(part) in _WHOLE for key, part in kept.items()):
            return _vocabulary(kept)
        keys = sorted(((self.of(key), key) for key in kept), key=lambda pair: pair[0])
        return _join("dict", [part for digest, key in keys for part in (digest, self.of(kept[key]))])

    def _array(self, value: NDArray[Any]) -> bytes:
        """Field by field where the rows are structured: the gaps between fields are not content."""
        if value.dtype.names:
            return self._list("fields", [part for name in value.dtype.names for part in (name, value[name])])
        if value.dtype.hasobject:
            return self._list("objects", [value.shape, value.ravel().tolist()])
        return _join(f"array {value.dtype.str} {value.shape}", [np.ascontiguousarray(value).tobytes()])

    def _object(self, value: Any) -> bytes:
        name = f"object {qualified_name(type(value))}"
        if not self.deep:
            return _join(name, [])
        reducer = copyreg.dispatch_table.get(type(value))
        try:
            reduced: Any = reducer(value) if reducer else value.__reduce_ex__(2)
        except Exception:  # whatever an unpicklable object raises
            return _join(name, [])
        if isinstance(reduced, str):
            return _join(f"{name} {reduced}", [])
        make, arguments, state, items, pairs = [*reduced, None, None, None][:5]
        return self._list(name, [make, arguments, state, list(items or ()), dict(pairs or ())])


def _vocabulary(codes: Mapping[str, Any]) -> bytes:
    """Words and their numbers at one stroke: fitted vectorizers hold hundreds of thousands."""
    rows = "".join(f"{len(word)}:{word}{int(code)};" for word, code in sorted(codes.items()))
    return _join("vocabulary", [rows.encode("utf-8", "surrogatepass")])


def _closure(function: types.FunctionType) -> list[Any]:
    cells: list[Any] = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # named but not filled yet
            cells.append(None)
    return cells


def _atom(value: Any) -> bytes:
    if isinstance(value, bytes):
        return _join("bytes", [value])
    return _join(f"atom {type(value).__name__}", [str(value).encode("utf-8", "surrogatepass")])


def _join(tag: str, parts: Iterable[bytes]) -> bytes:
    """Lengths go in first, so that no two different lists of parts are written alike."""
    hasher = hashlib.sha256(f"{len(tag)}:{tag}".encode())
    for part in parts:
        hasher.update(b"%d:" % len(part))
        hasher.update(part)
    return hasher.digest()
