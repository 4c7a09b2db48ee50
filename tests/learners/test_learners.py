from __future__ import annotations

import json

import pytest

from taskspace.errors import SettingError
from taskspace.learners import LEARNERS, load_learner


@pytest.mark.parametrize("name", LEARNERS)
def test_every_name_gives_its_learner(name):
    learner = load_learner(name)
    assert learner.name == name
    assert isinstance(learner.needs_labels, bool)
    settings = dict(learner.settings)
    assert json.loads(json.dumps(settings)) == settings
    assert load_learner(name, **settings).settings == settings


@pytest.mark.parametrize(("name", "meant"), [("respnse", "response"), ("Fisher", "fisher"), ("texts", "text")])
def test_did_you_mean(name, meant, one_sentence):
    with pytest.raises(SettingError, match=f"learner '{name}' is not known; did you mean '{meant}'?") as caught:
        load_learner(name)
    assert one_sentence(caught.value)


def test_all_names_are_told_where_none_is_near():
    with pytest.raises(SettingError, match="there is 'fisher', 'response', 'text', 'tuned:bitfit'"):
        load_learner("zzz")


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("response", "components, shrinkage"),
        ("text", "none"),
        ("fisher", "labels, pooling, rows, sketch"),
        ("tuned:lora", "length, rank, form, sketch, .*, rows, at_once"),
    ],
)
def test_a_setting_it_does_not_have(name, takes):
    with pytest.raises(SettingError, match=f"learner '{name}' has no such setting .*'colour'.*; it takes {takes}$"):
        load_learner(name, colour=1)
