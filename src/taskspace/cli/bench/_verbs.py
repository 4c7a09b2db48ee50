"""The verbs of ``taskspace bench``, gathered."""

from __future__ import annotations

from taskspace.cli._group import group
from taskspace.cli.bench.fute import fute
from taskspace.cli.bench.rank import rank
from taskspace.cli.bench.tpv import tpv
from taskspace.cli.bench.transfer import transfer

bench = group(
    "bench",
    "Studies that measure the methods on tasks of your own.",
    {"transfer": transfer, "rank": rank, "fute": fute, "tpv": tpv},
)
