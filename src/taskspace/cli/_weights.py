"""``taskspace embed weights:…``: adapters and checkpoint differences become points of their base's own space."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

from taskspace.errors import SettingError, TaskspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import typer

    from taskspace.atlas import Atlas
    from taskspace.embedding import SpaceId
    from taskspace.merging import TaskVector
    from taskspace.merging.checkpoint import Weights
    from taskspace.scale import Desk, Outcome

PREFIX = "weights:"
_OF_TEXTS = (
    "learner", "surrogate", "pool", "text", "text_pair", "label", "limit", "device", "reads", "trust_pickle", "runner",
    "workers", "address",
)  # fmt: skip
"""Options that say how texts are read and models run."""


@final
class WeightSources:
    """Each ``weights:PATH`` as a vector to ``base``, embedded where it is not there yet."""

    def __init__(
        self, said: Sequence[str], base: str | None, ignore: Sequence[str], name: str | None, seed: int | None
    ) -> None:
        self._said, self._base, self._ignore, self._name, self._seed = said, base, ignore, name, seed
        self._desks: dict[str, Desk] = {}
        self.spaces: list[SpaceId] = []

    def embedded(self, atlas: Atlas) -> Iterator[Outcome]:
        """One by one; what cannot be read is told and the others go on."""
        from taskspace.scale import Outcome

        for origin in self._said:
            try:
                yield self._one(atlas, origin)
            except TaskspaceError as problem:
                yield Outcome(origin, "failed", problem=str(problem))

    def _one(self, atlas: Atlas, origin: str) -> Outcome:
        """Its content is known once it was read whole, and so is its point then."""
        from taskspace.scale import Card, Source

        path = Path(origin.removeprefix(PREFIX))
        vector, name = self._vector(path), self._name or path.resolve().name.removesuffix(".safetensors")
        made = vector.embed(name, seed=0 if self._seed is None else self._seed)
        desk, source = self._desk(atlas, made.space), Source(origin, lambda: None)  # pyright: ignore[reportArgumentType]  # its reader is not asked
        return desk.judge(source, Card(name, "adapter", made.content)) or desk.keep(source, made)

    def _desk(self, atlas: Atlas, space: SpaceId) -> Desk:
        from taskspace.scale import Desk

        if space.fingerprint not in self._desks:
            self._desks[space.fingerprint] = Desk(space, atlas)
            self.spaces.append(space)
        return self._desks[space.fingerprint]

    @cached_property
    def _under(self) -> Weights | None:
        """Opened once, however many were taken from it."""
        from taskspace.merging.checkpoint import opened

        return None if self._base is None else opened(self._base)

    def _vector(self, path: Path) -> TaskVector:
        from taskspace.merging import TaskVector
        from taskspace.merging.checkpoint import metadata

        if (path / "adapter_config.json").is_file():
            return TaskVector.from_peft(path, base=self._under, ignore=self._ignore)
        if path.is_file() and "taskspace" in metadata(path):
            if self._base is not None or self._ignore:
                raise SettingError(f"{path} is a saved vector and knows its base; leave --base and --ignore out")
            return TaskVector.load(path)
        if self._base is None:
            raise SettingError(f"{path} is no adapter, and only a base gives its difference; name it with --base")
        return TaskVector.diff(path, self._under, ignore=self._ignore)


def only_weights(inputs: Sequence[str], models: Sequence[str], base: str | None, ignore: Sequence[str]) -> list[str]:
    """What is given as ``weights:…``; raises :class:`SettingError` where that is mixed with what is answers."""
    said = [each for each in inputs if each.startswith(PREFIX)]
    if said and (models or len(said) < len(inputs)):
        raise SettingError("weights: lies in a space of its own; embed data sets and models in another run")
    if not said and (base is not None or ignore):
        raise SettingError("--base and --ignore are for weights; name them as weights:PATH")
    if empty := [each for each in said if each == PREFIX]:
        raise SettingError(f"{empty[0]!r} names no file; say weights:PATH")
    return said


def require_none_of_texts(context: typer.Context) -> None:
    """Raise :class:`SettingError` for an option that weights have no use for, and that was given all the same."""
    for option in _OF_TEXTS:
        source = context.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE":
            raise SettingError(f"--{option.replace('_', '-')} is for data sets and models; leave it out for weights:")
