from __future__ import annotations

import asyncio
import json

import pytest

from taskspace.serve.documents import Document, Shelf


def test_a_document_is_ascii_json_whatever_is_in_it():
    value = {"name": "Ünïcode ★ \ud800", "x": [1.5, None]}
    document = Document.of(value)
    assert document.body.isascii()
    assert json.loads(document.body) == value
    with pytest.raises(ValueError, match="JSON"):
        Document.of({"x": float("nan")})


def test_its_tag_is_that_of_its_content():
    assert Document.of([1]).tag == Document.of([1]).tag != Document.of([2]).tag


def sized(size):
    return Document(b"x" * size, None, str(size))


async def give(document):
    return document


def test_a_shelf_lets_go_of_what_was_not_asked_for_longest():
    async def story():
        shelf = Shelf(100)
        for key in "abc":
            await shelf.get(key, lambda: give(sized(30)))
        await shelf.get("a", lambda: give(sized(1)))  # held already: stays as it was, and is the newest now
        await shelf.get("d", lambda: give(sized(30)))
        assert {key: each.size for key, each in shelf.contents.items()} == {"c": 30, "a": 30, "d": 30}
        big = await shelf.get("e", lambda: give(sized(1000)))  # answered, though there is no room to keep it
        assert big.size == 1000
        assert sum(each.size for each in shelf.contents.values()) <= 100

    asyncio.run(story())


def test_those_who_wait_get_the_same_and_the_next_one_anew_after_a_failure():
    calls = []

    async def story():
        shelf, gate = Shelf(100), asyncio.Event()

        async def fail():
            calls.append("fail")
            await gate.wait()
            raise LookupError("no luck")

        waiting = [asyncio.create_task(shelf.get("k", fail)) for _ in range(5)]
        await asyncio.sleep(0)
        gate.set()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [LookupError] * 5
        assert (await shelf.get("k", lambda: give(sized(3)))).size == 3

    asyncio.run(story())
    assert calls == ["fail"]


def test_work_goes_on_though_the_first_to_ask_has_gone():
    async def story():
        shelf, gate = Shelf(100), asyncio.Event()

        async def slowly():
            await gate.wait()
            return sized(7)

        first, second = (asyncio.create_task(shelf.get("k", slowly)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert (await second).size == 7

    asyncio.run(story())
