"""Candidates that can be run: checkpoints that were embedded by their answers and are still where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from taskspace.errors import TaskspaceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.ranking import Hit
    from taskspace.surrogates import Surrogate
    from taskspace.task import Inputs


@final
class Checkpoint:
    """A ``hub:`` model of the atlas.  Its weights are read for each question and let go of after it."""

    def __init__(self, name: str, revision: str | None, max_length: int) -> None:
        self._name = name
        self._revision = None if revision in (None, "local", "wheel") else revision
        self._max_length = max_length

    def surrogate(self) -> Surrogate:
        """The checkpoint's body; raises :class:`SurrogateError` where its files are gone."""
        from taskspace.surrogates import load_surrogate

        return load_surrogate(self._name, revision=self._revision, max_length=self._max_length, cache=False)

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        """float32[n, hidden]: its mean last-layer state of each row."""
        return self.surrogate().last_states(inputs)

    def probabilities(self, inputs: Inputs) -> NDArray[np.float64]:
        """float64[n, classes]: its answers."""
        from taskspace.labelers import from_hub

        return from_hub(self._name, revision=self._revision).answer(inputs).values


def runnable(hits: Iterable[Hit], count: int) -> tuple[dict[str, Checkpoint], list[str]]:
    """The first ``count`` hits that are checkpoints and can be found, and a sentence for each that cannot."""
    models: dict[str, Checkpoint] = {}
    notes: list[str] = []
    for hit in hits:
        about = hit.provenance
        if len(models) == count:
            break
        if about.get("source") != "hub" or "model" not in about:
            continue
        model = Checkpoint(about["model"], about.get("revision"), about.get("max_length") or 128)
        try:
            model.surrogate()  # its files are looked for, no weight is read
        except TaskspaceError as error:
            notes.append(f"{hit.name!r} was not run: {error}")
        else:
            models[hit.name] = model
    return models, notes
