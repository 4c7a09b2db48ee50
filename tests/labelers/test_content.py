from __future__ import annotations

import functools
import threading

import numpy as np
import pytest

from taskspace.labelers._content import content_hash, qualified_name


def keep(threshold):
    def call(texts, extra={"x", "y"}, *, power=2):  # noqa: B006
        return [len(t) ** power > threshold and t in {"a", "b", "c"} for t in texts if extra]

    return call


class Holder:
    def __init__(self, **held):
        self.__dict__.update(held)

    def method(self):
        return self


def test_equal_content_is_equal_whatever_its_order_or_sharing():
    part = [1, 2]
    assert content_hash({"a": part, "b": part}) == content_hash({"b": [1, 2], "a": [1, 2]})
    assert content_hash({3, 1, 2}) == content_hash({2, 3, 1})
    assert content_hash({"x": np.int64(1), "y": 2}) == content_hash({"y": 2, "x": 1})
    assert content_hash(np.int64(3)) == content_hash(3)
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert content_hash(fortran) == content_hash(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 23], [12, 3]),
        (["ab", "c"], ["a", "bc"]),
        (1, "1"),
        (1, True),
        (1, 1.0),
        ("a", b"a"),
        (None, "None"),
        ([[1], 2], [1, [2]]),
        ({"a": "b"}, {"b": "a"}),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": 12}, {"a1": 2}),
        ({"a": 1}, {1: "a"}),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(4, "f4"), np.zeros(4, "f8")),
        (np.zeros(2), np.ones(2)),
        (np.array(["a", None], object), np.array(["b", None], object)),
        (keep(1), keep(2)),
        (len, max),
        (functools.partial(len, 1), functools.partial(len, 2)),
        (lambda t: t + 1, lambda t: t + 2),
        (lambda t: t.upper(), lambda t: t.lower()),
    ],
)
def test_other_content_is_other(one, other):
    assert content_hash(one) != content_hash(other)
    assert content_hash(one) == content_hash(one)


def test_two_functions_made_alike_are_alike():
    assert content_hash(keep(1)) == content_hash(keep(1))


def test_objects_count_by_state_only_when_asked_deeply():
    assert content_hash(Holder(a=1)) == content_hash(Holder(a=2))
    assert content_hash(Holder(a=1), deep=True) != content_hash(Holder(a=2), deep=True)
    assert content_hash(Holder(a=1), deep=True) == content_hash(Holder(a=1), deep=True)


def test_gaps_in_structured_rows_are_not_content():
    layout = np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 8], "itemsize": 16})
    raw = np.zeros(2 * 16, np.uint8)
    filled = raw.copy()
    filled[1:8] = 255
    assert content_hash(raw.view(layout)) == content_hash(filled.view(layout))
    filled[0] = 1
    assert content_hash(raw.view(layout)) != content_hash(filled.view(layout))


def test_cycles_end():
    ring: list[object] = [1]
    ring.append(ring)
    other: list[object] = [2]
    other.append(other)
    assert content_hash(ring) != content_hash(other)


def test_what_cannot_be_pickled_counts_by_its_class():
    assert content_hash(threading.Lock(), deep=True) == content_hash(threading.Lock(), deep=True)


SCRIPT = """
import functools, re, sys
import numpy as np
from taskspace.labelers._content import content_hash

def keep(threshold):
    def call(texts, extra={"x", "y", "z"}):
        return [len(t) > threshold and t in {"a", "b", "c", "d"} for t in texts]
    return call

class Thing:
    def __init__(self):
        self.names = {"p", "q", "r"}
        self.pattern = re.compile("a+")
        self.helper = keep(3)
        self.lock = object()

print(content_hash(keep(2), functools.partial(keep(3), extra=frozenset("abc")), {"a", "b", 3, None},
      np.arange(5), {"k": [1.5, b"x"]}, Thing(), Thing, sys, re.compile("b"), np.float32, np.dtype("f8")))
print(content_hash(Thing(), Thing().__init__, np.random.RandomState(0), deep=True))
"""


def test_the_same_in_another_process_with_other_hash_seeds(elsewhere):
    assert elsewhere(SCRIPT, seed="1") == elsewhere(SCRIPT, seed="2")


def test_qualified_names():
    assert qualified_name(np.linalg.norm) == "numpy.linalg.norm"
    assert qualified_name(Holder()).endswith("Holder")
    assert "0x" not in qualified_name(Holder().method)
