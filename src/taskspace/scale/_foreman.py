"""The driver's side of a run with workers: who does what, what is tried again, and what is told in which order."""

from __future__ import annotations

import warnings
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from taskspace.errors import DataError, SettingError, TaskspaceError, TaskspaceWarning
from taskspace.learners import FitsPool
from taskspace.scale._outcomes import Outcome, failed
from taskspace.scale._worker import Lost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from taskspace.embedding import TaskEmbedding
    from taskspace.scale._crew import Crew
    from taskspace.scale._desk import Desk
    from taskspace.scale._outcomes import Card, Source
    from taskspace.scale._worker import Reply
    from taskspace.space import Space

TRIES = 3
"""How often a source may take its worker along before it is given up."""

AHEAD = 8
"""Sources per worker that may be under way or done while one before them is not: what a killed driver loses at most."""


@dataclass(eq=False)
class _Job:
    """A source on its way.

    ``wanted`` is False once it is known that nothing has to be learned of it; ``twin`` is the same thing under way
    elsewhere, whose embedding serves both.
    """

    number: int
    source: Source
    packed: bytes
    card: Card | None = None
    wanted: bool | None = None
    twin: _Job | None = None
    made: TaskEmbedding | None = None
    problem: TaskspaceError | None = None
    bug: Exception | None = None
    losses: int = 0
    reading_notes: tuple[str, ...] = ()
    learning_notes: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        return self.wanted is False or not (self.made is None and self.problem is None and self.bug is None)

    @property
    def ripe(self) -> bool:
        """Whether it can be told what became of it, once its turn has come."""
        return self.done and (self.twin is None or self.twin.done)

    def share(self, twin: _Job) -> None:
        """Take what was learned of the same thing."""
        if self.made is None and twin.card == self.card:
            self.made, self.learning_notes = twin.made, twin.learning_notes

    def begin_again(self, *, wanted: bool | None = None) -> None:
        self.card, self.wanted, self.twin = None, wanted, None
        self.reading_notes = self.learning_notes = ()


@dataclass(eq=False)
class _Hand:
    """A worker as the driver sees it: what it was asked last (nothing: it is idle), and what it has at hand."""

    number: int
    verb: str | None = "start"
    job: _Job | None = None
    opened: bool = False
    grounded: bool = False


@final
class Foreman:
    """Gives the sources to a crew, and tells what became of them in the order in which they were given.

    A worker reads a source; the desk says what it knows of it; the worker goes on only where that is needed.  What
    the desk says then is provisional, since sources before it may still be under way: it judges again in turn.
    """

    def __init__(self, space: Space, desk: Desk, crew: Crew) -> None:
        self._space = space
        self._fits = isinstance(space.learner, FitsPool)
        self._desk = desk
        self._crew = crew
        self._line: deque[_Job] = deque()
        self._todo: deque[_Job] = deque()
        self._first: dict[Card, _Job] = {}
        self._admitted = 0
        self._hands: dict[int, _Hand] = {}
        self._idle: deque[_Hand] = deque()
        self._starting = 0
        self._false_starts = 0
        self._groundwork: Any = None
        self._preparing = False
        self._waiting: list[_Hand] = []

    def run(self, sources: Iterable[Source]) -> Iterator[Outcome]:
        coming = iter(sources)
        while True:
            self._admit(coming)
            if not self._line:
                return
            if not self._line[0].ripe:
                self._assign()
                self._hear(*self._crew.answer())
                continue
            outcome = self._settled(self._line[0])
            if outcome is not None:
                self._forget(self._line.popleft())
                yield outcome

    # The line

    def _admit(self, coming: Iterator[Source]) -> None:
        while len(self._line) < AHEAD * self._crew.size:
            source = next(coming, None)
            if source is None:
                return
            job = self._packed(self._admitted, source)
            self._admitted += 1
            self._line.append(job)
            if not job.done:
                self._todo.append(job)

    def _forget(self, job: _Job) -> None:
        if job.card is not None and self._first.get(job.card) is job:
            del self._first[job.card]

    def _packed(self, number: int, source: Source) -> _Job:
        try:
            return _Job(number, source, self._crew.pack(source))
        except Exception as error:  # pickling what others wrote raises anything
            problem = DataError(
                f"{source.origin} cannot be sent to a worker ({type(error).__name__}: {error}); load it with a function"
                " of a module, or use the local runner (--runner local)"
            )
            problem.__cause__ = error
            return _Job(number, source, b"", problem=problem)

    def _settled(self, job: _Job) -> Outcome | None:
        """What became of the source whose turn it is; nothing where it has to be learned after all."""
        if job.twin is not None:
            job.share(job.twin)
        outcome = None if job.card is None else self._judged(job.source, job.card)
        if job.bug is not None:
            raise job.bug
        if outcome is None and job.problem is None and job.made is None:
            job.begin_again(wanted=True)
            self._todo.appendleft(job)
            return None
        for note in job.reading_notes if outcome else job.reading_notes + job.learning_notes:
            warnings.warn(note, TaskspaceWarning, stacklevel=2)
        if outcome is None and job.problem is not None:
            outcome = failed(job.source, job.problem)
        if outcome is None and job.made is not None:
            made = replace(job.made, space=self._space.identity, pool=self._space.pool)
            outcome = self._desk.keep(job.source, made)
        return outcome

    def _judged(self, source: Source, card: Card) -> Outcome | None:
        try:
            return self._desk.judge(source, card)
        except DataError as error:
            return failed(source, error)

    # The workers

    def _assign(self) -> None:
        """Give every idle worker a source, and start workers for the rest."""
        while self._todo and self._idle:
            hand = self._idle.popleft()
            hand.job = self._todo.popleft()
            self._ask(hand, "read", hand.job.packed, hand.job.source.origin)
        while len(self._hands) < self._crew.size and self._starting < len(self._todo):
            number = self._crew.hire()
            self._hands[number] = _Hand(number)
            self._starting += 1

    def _ask(self, hand: _Hand, verb: str, *given: Any) -> None:
        hand.verb = verb
        self._crew.ask(hand.number, verb, *given)

    def _hear(self, number: int, answer: Reply | Lost) -> None:
        hand = self._hands[number]
        verb, hand.verb = hand.verb, None
        self._starting -= verb == "start"
        if isinstance(answer, Lost):
            self._lose(hand, verb, answer)
        elif hand.job is None:
            self._false_starts = 0
            self._idle.append(hand)
        else:
            self._take(hand, hand.job, verb, answer)
        if verb == "prepare":
            self._preparing = False
            waiting, self._waiting = self._waiting, []
            for other in waiting:
                self._go_on(other)

    def _take(self, hand: _Hand, job: _Job, verb: str | None, reply: Reply) -> None:
        """Use what a worker answered."""
        job.problem, job.bug = reply.problem, reply.bug
        if verb == "read":
            job.reading_notes += reply.notes
        else:
            job.learning_notes += reply.notes
        if not job.done:
            self._advance(hand, job, verb, reply.value)
        if job.done:
            hand.job = None
            self._idle.append(hand)
        else:
            self._go_on(hand)

    def _advance(self, hand: _Hand, job: _Job, verb: str | None, value: Any) -> None:
        match verb:
            case "read":
                job.card = value
                job.wanted = job.wanted or self._wants(job, value)
            case "open":
                hand.opened = True
            case "prepare":
                hand.grounded = True
                self._groundwork = self._crew.share(value)
            case "build_on":
                hand.grounded = True
            case _:
                job.made = value

    def _go_on(self, hand: _Hand) -> None:
        """Ask for the next step, unless another worker is at what it needs."""
        if not hand.opened:
            self._ask(hand, "open")
        elif hand.grounded or not self._needs_ground(hand.job):
            self._ask(hand, "learn")
        elif self._groundwork is not None:
            self._ask(hand, "build_on", self._groundwork)
        elif self._preparing:
            self._waiting.append(hand)
        else:
            self._preparing = True
            self._ask(hand, "prepare")

    def _needs_ground(self, job: _Job | None) -> bool:
        """Learners fit to the pool, and models answer it."""
        return self._fits or job is None or job.card is None or job.card.kind != "dataset"

    def _wants(self, job: _Job, card: Card) -> bool:
        """Whether it looks as if this had to be learned: not where the same thing is under way already."""
        first = self._first.setdefault(card, job)
        if first is not job:
            job.twin = first if first.number > job.number else None  # what comes before is in the atlas by then
            return False
        try:
            return self._desk.foresee(job.source, card) is None
        except DataError:
            return False

    def _lose(self, hand: _Hand, verb: str | None, lost: Lost) -> None:
        """Let the worker go; its source is tried again on a fresh one."""
        del self._hands[hand.number]
        self._crew.let_go(hand.number)
        job = hand.job
        if job is None:
            if verb == "start":
                self._require_starts(lost)
            else:
                self._idle.remove(hand)
            return
        job.losses += 1
        job.begin_again()
        if job.losses < TRIES:
            self._todo.appendleft(job)
            return
        job.problem = TaskspaceError(
            f"{job.source.origin} was given up, since {TRIES} workers in turn {lost.why} over it; give them more"
            " memory, or see whether it can be embedded alone"
        )

    def _require_starts(self, lost: Lost) -> None:
        self._false_starts += 1
        if self._false_starts >= TRIES:
            raise SettingError(
                f"{TRIES} workers in turn {lost.why} before they had anything to do; mend what they say above, or use"
                " the local runner (--runner local)"
            )
