from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.serve import frames

VALUES = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text(), max_size=3)


@given(st.lists(st.tuples(st.dictionaries(st.text(), VALUES, max_size=3), st.binary()), max_size=4))
def test_what_is_sent_arrives(messages):
    stream = io.BytesIO(b"".join(frames.packed(*message) for message in messages))
    assert [frames.read(stream) for _ in messages] == messages
    with pytest.raises(EOFError):
        frames.read(stream)


@given(st.data())
def test_a_cut_message_is_none(data):
    whole = frames.packed({"do": "embed"}, b"rows")
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(EOFError):
        frames.read(io.BytesIO(whole[:cut]))
