"""Divergence by compression: two texts are near when one helps to compress the other.

Normalised compression distance (Cilibrasi and Vitányi 2005) with gzip, as ZIP-FIT compares data with a target.  gzip
looks back 32 kB and no farther, so a pair that is compared must fit in there; its header is left out of all lengths;
the two texts are joined by one newline, the smaller first (as bytes compare), so that the distance is the same both
ways.  Builds of zlib differ in what they find, so the last digits may differ between machines.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences.samples import canonical_texts, thinned_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_AHEAD = 262
WINDOW = 2**15 - _AHEAD
"""Bytes that DEFLATE can look back: its window less the bytes it looks ahead."""
PIECE = 12_000
"""Bytes of a piece of a corpus: a pair of them fits the window with room to spare."""

_HALF = (WINDOW - 1) // 2
_SEPARATOR = b"\n"
_EMPTY = 2
"""Bytes that DEFLATE makes of nothing; gzip's header and checksum are never made."""


@dataclass(frozen=True)
class _Piece:
    """Bytes and their compressed length, which every pair they are in asks for."""

    data: bytes
    length: int

    @classmethod
    def of(cls, data: bytes) -> _Piece:
        return cls(data, compressed_length(data))


def compressed_length(data: bytes) -> int:
    """Bytes that gzip makes of ``data`` at its best, less what it makes of nothing."""
    # The least window and tables that hold all of it find what gzip's own find, and cost a short text far less.
    bits = min(max((len(data) + _AHEAD).bit_length(), 9), 15)
    packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, -bits, min(bits - 6, 8))
    return len(packer.compress(data)) + len(packer.flush()) - _EMPTY


def ncd(x: str | bytes, y: str | bytes) -> float:
    """Normalised compression distance [C(xy) - min(C(x), C(y))] / max(C(x), C(y)); lower is nearer.

    About 0 for long texts that are equal (a text of twenty letters is at 0.2 from itself), about 1 for texts that
    share nothing, at times a little more.  Of a pair that does not fit the window the ends are cut, so that each
    keeps half of it at least.  Two empty texts are at 0, an empty one and another at 1.
    """
    first, second = _fitting(_bytes(x), _bytes(y))
    return _distance(_Piece.of(first), _Piece.of(second))


def corpus_distance(
    texts_a: Iterable[str], texts_b: Iterable[str], *, pieces: int = 8, size: int = PIECE, seed: int = 0
) -> float:
    """Mean NCD of pieces of two corpora; lower is nearer, and a corpus is at some hundredths from itself.

    A piece is ``size`` bytes of texts joined in an order drawn by ``seed``; a corpus that holds less than one makes
    the pieces of both shorter, for NCD compares only what is of equal length.  Each piece meets one of the other
    corpus, in turn where that one has fewer, up to ``pieces`` of them.

    Raises :class:`DataError` for a corpus without letters, :class:`SettingError` for pieces that do not fit.
    """
    if pieces < 1:
        raise SettingError(f"pieces is {pieces}; compare 1 at least")
    if not 1 <= size <= _HALF:
        raise SettingError(f"pieces of {size} bytes do not fit twice in gzip's window; take 1 to {_HALF}")
    streams = [_stream(texts, pieces * size, seed) for texts in (texts_a, texts_b)]
    shortest = min(size, *(len(stream) for stream in streams))
    ours, theirs = (_pieces(stream, shortest)[:pieces] for stream in streams)
    pairs = islice(zip(cycle(ours), cycle(theirs), strict=True), max(len(ours), len(theirs)))
    return fmean(_distance(x, y) for x, y in pairs)


def alignment(
    candidates: Sequence[str], targets: Iterable[str], *, limit: int | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """float64[n], how well each candidate text fits the target texts: 1 minus its mean NCD to them (ZIP-FIT).

    A likeness and no distance: HIGHER is better, about 0 to 1, so that the texts to take are the first by score.
    Each pair is compressed once; ``limit`` target texts, drawn by ``seed``, stand for all.

    Raises :class:`DataError` when there are no candidates or no targets.
    """
    canonical_texts(candidates)
    wanted = [_Piece.of(_bytes(text)[:_HALF]) for text in thinned_texts(canonical_texts(targets), limit, seed)]
    given = (_Piece.of(_bytes(text)[:_HALF]) for text in candidates)
    return np.array([1 - fmean(_distance(piece, other) for other in wanted) for piece in given])


def _distance(x: _Piece, y: _Piece) -> float:
    if not x.data or not y.data:
        return float(x.data != y.data)
    together = compressed_length(_SEPARATOR.join(sorted((x.data, y.data))))
    return (together - min(x.length, y.length)) / max(x.length, y.length)


def _fitting(x: bytes, y: bytes) -> tuple[bytes, bytes]:
    room = WINDOW - len(_SEPARATOR)
    return x[: max(_HALF, room - len(y))], y[: max(_HALF, room - len(x))]


def _stream(texts: Iterable[str], most: int, seed: int) -> bytes:
    """At most ``most`` bytes of texts in drawn order; those without a visible letter say nothing and are left out."""
    told = [text for text in canonical_texts(texts) if text.strip()]
    if not told:
        raise DataError("no text of a corpus has a letter; give texts that say something")
    taken: list[bytes] = []
    length = 0
    for i in np.random.default_rng(seed).permutation(len(told)):
        taken.append(_bytes(told[i]))
        length += len(taken[-1]) + len(_SEPARATOR)
        if length > most:
            break
    return _SEPARATOR.join(taken)[:most]


def _pieces(stream: bytes, size: int) -> list[_Piece]:
    starts = range(0, len(stream) - size + 1, size)
    return [_Piece.of(stream[start : start + size]) for start in starts]


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
