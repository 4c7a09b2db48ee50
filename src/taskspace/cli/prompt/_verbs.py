"""The verbs of ``taskspace prompt``, gathered."""

from __future__ import annotations

from taskspace.cli._group import group
from taskspace.cli.prompt.bring import bring
from taskspace.cli.prompt.combine import combine
from taskspace.cli.prompt.evaluate import evaluate
from taskspace.cli.prompt.export import export
from taskspace.cli.prompt.rank import rank
from taskspace.cli.prompt.tune import tune

prompt = group(
    "prompt",
    "Soft prompts: tune many at once, add and negate what tuning added, compare them, bring them in and out.",
    {"tune": tune, "combine": combine, "eval": evaluate, "rank": rank, "import": bring, "export": export},
)
