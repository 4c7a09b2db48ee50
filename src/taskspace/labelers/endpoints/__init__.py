"""OpenAI-compatible servers as prompt models: label probabilities where they give them, words where not."""

from __future__ import annotations

from taskspace.labelers.endpoints._budget import Usage
from taskspace.labelers.endpoints._endpoint import Endpoint, open_endpoint

__all__ = ["Endpoint", "Usage", "open_endpoint"]
