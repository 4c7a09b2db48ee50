"""One look per method, whatever the company."""

from __future__ import annotations

from taskspace.prompting.study.looks import LOOKS, look, ordered
from taskspace.prompting.transfer import METHODS


def test_every_transfer_method_has_a_look_of_its_own():
    assert set(METHODS) <= set(LOOKS)
    assert len({(each.colour, each.marker) for each in LOOKS.values()}) == len(LOOKS)
    assert len({each.colour for each in LOOKS.values()}) == len(LOOKS)


def test_known_methods_come_first_and_in_one_order():
    assert ordered(["zeta", "tpv", "alpha", "random", "tpv"]) == ["random", "tpv", "alpha", "zeta"]


def test_unknown_methods_get_spare_looks_that_differ():
    names = ["tpv", "one", "two"]
    assert look("tpv", names) == LOOKS["tpv"]
    assert look("one", names) != look("two", names)
    assert look("one", names).label == "one"
    assert look("one", names).colour not in {each.colour for each in LOOKS.values()}
