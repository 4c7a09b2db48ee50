from __future__ import annotations

import pytest

from taskspace.errors import SettingError
from taskspace.serve import Limits


@pytest.mark.parametrize("name", vars(Limits()))
def test_a_limit_of_nothing_is_none(name, one_sentence):
    with pytest.raises(SettingError, match=name) as raised:
        Limits(**{name: 0})
    assert one_sentence(raised.value)
