"""taskspace: a task is a point in a space.

Public names load on first use, so that ``import taskspace`` pulls in neither torch nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from taskspace._version import __version__

if TYPE_CHECKING:
    from taskspace import errors, labelers
    from taskspace.atlas import Atlas
    from taskspace.embedding import SpaceId, TaskEmbedding
    from taskspace.labelers.prompts import Prompt
    from taskspace.merging import TaskVector, merge
    from taskspace.prompting.bank import PromptBank
    from taskspace.prompting.choosing import choose_prompt
    from taskspace.prompting.soft import PromptVector, SoftPrompt
    from taskspace.ranking import Hit, Ranking
    from taskspace.space import Space
    from taskspace.task import Pool, Task

__all__ = [
    "Atlas",
    "Hit",
    "Pool",
    "Prompt",
    "PromptBank",
    "PromptVector",
    "Ranking",
    "SoftPrompt",
    "Space",
    "SpaceId",
    "Task",
    "TaskEmbedding",
    "TaskVector",
    "__version__",
    "choose_prompt",
    "errors",
    "labelers",
    "merge",
]

_HOMES = {
    "Atlas": "taskspace.atlas",
    "Hit": "taskspace.ranking",
    "Pool": "taskspace.task",
    "Prompt": "taskspace.labelers.prompts",
    "PromptBank": "taskspace.prompting.bank",
    "PromptVector": "taskspace.prompting.soft",
    "Ranking": "taskspace.ranking",
    "SoftPrompt": "taskspace.prompting.soft",
    "Space": "taskspace.space",
    "SpaceId": "taskspace.embedding",
    "Task": "taskspace.task",
    "TaskEmbedding": "taskspace.embedding",
    "TaskVector": "taskspace.merging",
    "choose_prompt": "taskspace.prompting.choosing",
    "merge": "taskspace.merging",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in ("errors", "labelers"):
        return import_module(f"taskspace.{name}")
    raise AttributeError(f"module 'taskspace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
