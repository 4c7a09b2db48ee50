"""The page: one static front end, served over REST or written as a file that needs nothing else."""

from __future__ import annotations

from taskspace.page._assets import assets
from taskspace.page._document import document_of
from taskspace.page._standalone import standalone

__all__ = ["assets", "document_of", "standalone"]
