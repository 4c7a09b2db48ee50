"""How what happens to a worker is told to the driver."""

from __future__ import annotations

import pickle
import warnings

import pytest

from taskspace.errors import AtlasError, DataError, TaskspaceError, TaskspaceWarning
from taskspace.scale._worker import Lost, perform


class Stubborn(DataError):
    """An error that cannot be made again from its message."""

    def __init__(self, name, reason):
        super().__init__(f"{name} is {reason}")


class Chatty(Exception):
    """One that can, and says something else then."""

    def __str__(self):
        return f"object at {id(self)}"


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


class Doing:
    """In place of a worker: does whatever it is given."""

    def learn(self, what):
        return what()

    def open(self, what):
        return what()


def raising(error):
    def act():
        raise error

    return act


def told(error, verb="learn"):
    reply = perform(Doing(), verb, (raising(error),))
    return reply if isinstance(reply, Lost) else pickle.loads(pickle.dumps(reply))


def test_what_the_user_can_mend_arrives_as_it_was_with_a_note_of_where():
    reply = told(DataError("there is no file"))
    assert reply.bug is None
    assert type(reply.problem) is DataError
    assert str(reply.problem) == "there is no file"
    assert reply.problem.__notes__[0].startswith("In a worker:\nTraceback")
    assert "in act" in reply.problem.__notes__[0]


def test_an_error_that_cannot_travel_keeps_its_sentence():
    reply = told(Stubborn("it", "odd"))
    assert type(reply.problem) is TaskspaceError
    assert str(reply.problem) == "it is odd"


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), AtlasError("the file is closed")])
def test_a_bug_and_a_broken_atlas_end_the_run(error):
    reply = told(error)
    assert reply.problem is None
    assert (type(reply.bug), str(reply.bug)) == (type(error), str(error))


def test_a_bug_that_cannot_travel_is_described():
    reply = told(Chatty("x"))
    assert type(reply.bug) is RuntimeError
    assert str(reply.bug) == "Chatty('x')"


def test_a_space_that_cannot_be_opened_ends_the_run():
    assert isinstance(told(DataError("no"), "open").bug, DataError)


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("CUDA out of memory")])
def test_without_memory_a_worker_is_of_no_more_use(error):
    assert told(error) == Lost("ran out of memory")


def test_notes_for_the_user_come_along_and_others_are_shown_here():
    def noisy():
        for _ in range(2):
            warnings.warn("mind the gap", TaskspaceWarning, stacklevel=1)
        warnings.warn("something old", DeprecationWarning, stacklevel=1)
        return 3

    with pytest.warns(DeprecationWarning, match="something old") as seen:
        reply = perform(Doing(), "learn", (noisy,))
    assert (reply.value, reply.notes) == (3, ("mind the gap", "mind the gap"))
    assert len(seen) == 1
