"""The space into which ``embed`` embeds: the atlas's, or a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taskspace.cli import _options as o

if TYPE_CHECKING:
    from taskspace.atlas import Atlas
    from taskspace.embedding import SpaceId
    from taskspace.scale import Source
    from taskspace.space import Space
    from taskspace.task import Pool

POOL_SIZE = 2000


def space_for(
    atlas: Atlas,
    data: list[Source],
    pool: Pool | None,
    *,
    learner: str | None,
    surrogate: str | None,
    seed: int | None,
    device: str | None,
) -> Space:
    """The atlas's space, or a new one that shares with the last whatever is not said anew."""
    from taskspace.space import Space, open_surrogate
    from taskspace.surrogates import DEFAULT_SURROGATE

    last, fits = _last_space(atlas, learner)
    kept = {} if last is None else atlas.options(last)
    shown = o.on_terminal()
    if last is not None and fits and pool is None and surrogate is None and seed in (None, last.seed):
        return Space.open(last, atlas.pool(last), **kept, device=device, progress=shown)
    settings = dict(last.settings) if last is not None and fits else {}
    named = last.learner if last is not None and fits else learner or "response"
    options = kept if surrogate is None else {"surrogate": _settled(surrogate)}
    if seed is None:
        seed = last.seed if last is not None else 0
    if pool is None:
        pool = atlas.pool(last) if last is not None else _drawn_pool(data, seed)
    if last is not None and surrogate is None:
        base = open_surrogate(last, surrogate=kept.get("surrogate"), device=device)
    else:
        base = options.get("surrogate", DEFAULT_SURROGATE)
    space = Space(pool, surrogate=base, learner=named, seed=seed, device=device, progress=shown, **settings)
    first = atlas.keep_space(space.identity, pool, options, unless_any=last is None)
    if first == space.identity:
        return space
    # Another process made the atlas's first space while this one was being prepared.
    return Space.open(first, atlas.pool(first), **atlas.options(first), device=device, progress=shown)


def _last_space(atlas: Atlas, learner: str | None) -> tuple[SpaceId | None, bool]:
    """The newest space that ``learner`` (a name, or the start of a fingerprint) may mean, else the newest of all."""
    spaces = [space for space in atlas.spaces() if space.reads_texts]
    fitting = [s for s in spaces if learner in (None, s.learner) or s.fingerprint.startswith(learner)]
    return (fitting or spaces or [None])[-1], bool(fitting)


def _settled(surrogate: str) -> str:
    """A folder by its full path, so that the atlas finds it from anywhere."""
    return str(Path(surrogate).resolve()) if Path(surrogate).is_dir() else surrogate


def _drawn_pool(data: list[Source], seed: int) -> Pool:
    """Texts of the data given and of the sample tasks, whose pairs let relations be seen.

    Raises what reading raised when no input can be read: a space without their texts would stay.
    """
    from taskspace.data import sample_tasks
    from taskspace.errors import TaskspaceError
    from taskspace.task import Pool, Task

    tasks: list[Task] = []
    problems: list[TaskspaceError] = []
    for source in data:
        try:
            task = source.load()
        except TaskspaceError as problem:  # told when its turn to be embedded comes
            problems.append(problem)
        else:
            tasks += [task] if isinstance(task, Task) else []
    if problems and not tasks:
        raise problems[0]
    drawn = Pool.from_tasks([*sample_tasks(), *tasks], size=POOL_SIZE, seed=seed)
    o.say(f"new space: a pool of {len(drawn)} texts was drawn from the data given and the sample tasks")
    return drawn
