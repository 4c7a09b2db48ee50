"""The door: files, folders, Hub data sets and data frames become tasks and pools.

The only room that knows file formats.  Importing it loads none of the packages that read them.
"""

from __future__ import annotations

from taskspace.data.frames import task_from_frame
from taskspace.data.hub import task_from_hub
from taskspace.data.pools import read_pool, write_pool
from taskspace.data.reading import read_task
from taskspace.data.samples import sample_tasks

__all__ = ["read_pool", "read_task", "sample_tasks", "task_from_frame", "task_from_hub", "write_pool"]
