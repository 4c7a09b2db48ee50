"""What everything that runs a checkpoint shares."""

from __future__ import annotations

import pytest

from taskspace.errors import SettingError
from taskspace.surrogates._modules import gist, usable_device


def test_devices(one_sentence):
    pytest.importorskip("torch")
    assert usable_device("cpu") == "cpu"
    assert usable_device(None) in ("cpu", "cuda")
    with pytest.raises(SettingError, match="device 'tpu:9' cannot be used") as caught:
        usable_device("tpu:9")
    assert one_sentence(caught.value)


def test_the_gist_of_foreign_errors():
    assert gist(ValueError("It broke. Then more.\nAnd more")) == "It broke"
    assert gist(ValueError("It broke.")) == "It broke"
    assert gist(KeyError()) == "KeyError"
