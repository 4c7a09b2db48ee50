"""An atlas to and from a data set repository of the Hub, with a card that people read."""

from __future__ import annotations

from taskspace.hub._pull import Pulled, pull
from taskspace.hub._push import Pushed, push

__all__ = ["Pulled", "Pushed", "pull", "push"]
