"""LoRA adapters in peft's folder format, read as factor pairs and written as one exact adapter."""

from __future__ import annotations

from taskspace.merging.adapters._reading import read_adapter
from taskspace.merging.adapters._writing import Adapter, write_adapter

__all__ = ["Adapter", "read_adapter", "write_adapter"]
