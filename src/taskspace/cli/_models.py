"""Models named on the command line, wherever they are loaded."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

from taskspace.labelers.load import Loader

if TYPE_CHECKING:
    from taskspace.labelers import Labeler
    from taskspace.labelers._labeler import Reads


@final
class Models:
    """A :class:`Loader` that may be sent to workers: in each of them all models of a run share one.

    So a language model is opened once per worker, for all the prompts that come there.
    """

    def __init__(self, loader: Loader, run: str = "") -> None:
        self._loader = loader
        self._run = run or secrets.token_hex(8)

    def __reduce__(self) -> tuple[Any, ...]:
        loader = self._loader
        return _arrived, (self._run, loader.trust_pickle, loader.reads, loader.device)

    def load(self, spec: str, name: str | None) -> Labeler:
        return self._loader.load(spec, name=name)


@lru_cache(maxsize=1)
def _arrived(run: str, trust_pickle: bool, reads: Reads | None, device: str | None) -> Models:
    return Models(Loader(trust_pickle, reads, device), run)
