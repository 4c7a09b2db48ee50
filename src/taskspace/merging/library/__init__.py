"""Libraries of adapters: which are alike (MBC), and which of them reads a token (Arrow)."""

from __future__ import annotations

from taskspace.merging.library._arrow import Router, arrow
from taskspace.merging.library._clusters import Clusters, clusters

__all__ = ["Clusters", "Router", "arrow", "clusters"]
