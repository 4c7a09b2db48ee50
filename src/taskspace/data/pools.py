"""Pools: the texts of a file, labels left aside."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from taskspace._files import replacing
from taskspace.data.cells import as_text
from taskspace.data.columns import choose_texts
from taskspace.data.files import existing, open_table
from taskspace.data.folder import split_file
from taskspace.data.reading import check_limit, read_examples
from taskspace.data.rows import Examples
from taskspace.errors import DataError
from taskspace.task import Pool


def read_pool(
    path: str | Path, *, text: str | None = None, text_pair: str | None = None, limit: int | None = None, seed: int = 0
) -> Pool:
    """Read the texts of any file that :func:`taskspace.data.read_task` reads, or of a ``.txt`` with one per line.

    Rows keep their order, also in a sample of ``limit``, in which every row has the same chance.
    Rows without a text are left out with a warning, so predictions for a file that has some do not
    line up by number until these are removed.

    Raises :class:`DataError` with file and line for whatever cannot be read.
    """
    check_limit(limit)
    path = existing(path)
    source = open_table(split_file(path, "train") if path.is_dir() else path)
    columns = choose_texts(source.what, source.columns(), text=text, text_pair=text_pair)
    rows, _ = read_examples(Examples(source, columns), limit, seed, "targets")
    return Pool([row.text for row in rows], [row.pair for row in rows])


def write_pool(pool: Pool, path: str | Path) -> Path:
    """Write ``{"text": …, "text_pair": …}`` per line; :func:`read_pool` gives back the same fingerprint.

    The same pool gives the same bytes, gzipped or not.  An older file is replaced at once or not at all.

    Raises :class:`DataError` for another suffix, a row that would not come back, or a folder that cannot be written.
    """
    path = Path(path)
    if not path.name.casefold().endswith((".jsonl", ".jsonl.gz")):
        raise DataError(f"a pool is written as .jsonl or .jsonl.gz, not as {path.name}; rename it")
    lines = [
        _line(row, text, pair)
        for row, (text, pair) in enumerate(zip(pool.inputs.texts, pool.inputs.pairs, strict=True))
    ]
    data = "".join(lines).encode("utf-8")
    try:
        with replacing(path) as partial:
            partial.write_bytes(gzip.compress(data, mtime=0) if path.suffix.casefold() == ".gz" else data)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); check the folder and its rights") from error
    return path


def _line(row: int, text: str, pair: str | None) -> str:
    if as_text(text) != text or (pair is not None and as_text(pair) != pair):
        raise DataError(f"row {row} of the pool holds an empty text or half a surrogate pair; remove it before writing")
    return json.dumps({"text": text, "text_pair": pair}, ensure_ascii=False) + "\n"
