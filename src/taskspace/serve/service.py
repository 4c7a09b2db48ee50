"""What an application holds while it runs: made when first needed, let go of when it ends, made again after that."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, final

from taskspace.atlas import Atlas
from taskspace.serve.documents import Document
from taskspace.serve.jobs import Jobs
from taskspace.serve.library import Library
from taskspace.serve.rate import Rate

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.serve.limits import Limits


@final
class Service:
    """One atlas being served, to those who hold ``token`` with embedding, where there is one."""

    def __init__(self, atlas: Atlas | str | Path, *, token: str | None, limits: Limits) -> None:
        self._atlas = atlas
        self.token = token
        self.limits = limits
        self.rate = Rate(limits.jobs_per_minute)

    @cached_property
    def library(self) -> Library:
        """The atlas, opened if it was given by its path."""
        atlas = self._atlas
        return Library(atlas if isinstance(atlas, Atlas) else Atlas(atlas, create=False), self.limits)

    @cached_property
    def jobs(self) -> Jobs:
        """What is to be embedded, and what became of it."""
        return Jobs(self.library, self.limits)

    @cached_property
    def files(self) -> dict[str, tuple[str, Document]]:
        """The page: media type and content by path."""
        from taskspace.page import assets

        return {path: (media, Document.of_bytes(content)) for path, (media, content) in assets().items()}

    async def close(self) -> None:
        """End what runs; an atlas that somebody else opened stays open."""
        if "jobs" in vars(self):
            await vars(self).pop("jobs").close()
        if "library" in vars(self):
            library: Library = vars(self).pop("library")
            library.close()
            if library.atlas is not self._atlas:
                library.atlas.close()
