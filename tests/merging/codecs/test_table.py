"""Codecs by name, with what they take."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.merging import TaskVector, save_many


@pytest.mark.parametrize(
    ("codec", "options", "sentence"),
    [
        ("int4", {"group": "128"}, "group of int4 is '128'; give a whole number"),
        ("int8", {"group": 2.5}, "group of int8 is 2.5; give a whole number"),
        ("svd", {"rank": 2.5}, "rank of svd is 2.5; give a whole number"),
        ("svd", {"share": "half"}, "share of svd is 'half'; give one number"),
        ("sparse", {"density": "0.1"}, "density of sparse is '0.1'; give one number"),
        ("raw", {"density": 0.1}, "raw has no option 'density'; there is 'dtype'; it takes dtype"),
    ],
)
def test_options_of_another_kind(tmp_path, codec, options, sentence, one_sentence):
    vector = TaskVector.from_arrays({"w": np.ones((4, 4), np.float32)})
    with pytest.raises(SettingError) as caught:
        vector.save(tmp_path / "v.safetensors", codec, **options)
    assert str(caught.value).startswith(sentence)
    assert one_sentence(caught.value)
    assert not (tmp_path / "v.safetensors").exists()


@pytest.mark.parametrize("options", [{"base_bits": "3"}, {"offset_bits": 2.5}, {"group": "128"}])
def test_those_of_several_vectors_too(tmp_path, options, one_sentence):
    vector = TaskVector.from_arrays({"w": np.ones((4, 4), np.float32)})
    with pytest.raises(SettingError, match="give a whole number") as caught:
        save_many([vector, vector], tmp_path / "v.safetensors", **options)
    assert one_sentence(caught.value)
