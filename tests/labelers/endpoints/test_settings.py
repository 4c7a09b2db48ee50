from __future__ import annotations

import pytest

from taskspace.errors import SettingError
from taskspace.labelers.endpoints import open_endpoint
from taskspace.labelers.endpoints._settings import normal_url
from taskspace.labelers.prompts._model import PromptModel

URL = "http://localhost:8000/v1"


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("http://LocalHost:8000/v1/", URL),
        (" http://localhost:8000/v1/chat/completions ", URL),
        ("http://localhost:8000/v1/completions", URL),
        ("https://api.example.org:443/V1", "https://api.example.org/V1"),
        ("http://[::1]:80/v1", "http://[::1]/v1"),
    ],
)
def test_one_spelling_per_server(url, normal):
    assert normal_url(url) == normal


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "http://x:port/v1", "http://[/v1", ""])
def test_no_address(url, one_sentence):
    with pytest.raises(SettingError) as caught:
        normal_url(url)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("url", ["http://me:secretword@x/v1", "http://x/v1?key=secretword", "http://x/v1#secretword"])
def test_secrets_in_the_address_are_refused_and_not_repeated(url):
    with pytest.raises(SettingError) as caught:
        normal_url(url)
    assert "secretword" not in str(caught.value)


def test_address_and_key_from_the_environment(monkeypatch):
    with pytest.raises(SettingError, match="OPENAI_BASE_URL"):
        open_endpoint(model="m")
    monkeypatch.setenv("OPENAI_BASE_URL", URL + "/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    endpoint = open_endpoint(model="m")
    assert isinstance(endpoint, PromptModel)
    assert endpoint.fingerprint == open_endpoint(URL, model="m", api_key="sk-another-key").fingerprint
    assert "sk-" not in repr(endpoint) + repr(endpoint.provenance) + repr(endpoint._settings)


def test_what_decides_a_reading_is_in_the_fingerprint():
    def fingerprint(**settings):
        return open_endpoint(**({"base_url": URL, "model": "m"} | settings)).fingerprint

    same = [{}, {"concurrency": 2}, {"timeout": 5}, {"retries": 0}, {"budget_calls": 3}, {"price_in": 1.0}]
    assert len({fingerprint(**settings) for settings in same}) == 1
    other = [{"model": "n"}, {"base_url": "http://localhost:8001/v1"}, {"scoring": "text"}, {"max_tokens": 8}]
    assert len({fingerprint(**settings) for settings in [{}, *other]}) == 5


@pytest.mark.parametrize(
    "settings",
    [
        {"scoring": "ecko"}, {"model": " "}, {"concurrency": 0}, {"timeout": 0}, {"timeout": "5"},
        {"timeout": float("inf")}, {"retries": -1}, {"max_tokens": 0}, {"max_tokens": 2.5}, {"budget_calls": 0},
        {"api_key": "sk-with\nnewline"}, {"api_key": 5}, {"budget_calls": "5"}, {"budget_calls": 2.5},
        {"price_in": "a"}, {"price_out": True}, {"budget_cost": "x", "price_in": 1},
        {"budget_cost": True, "price_in": 1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant(settings, one_sentence):
    with pytest.raises(SettingError) as caught:
        open_endpoint(**({"base_url": URL, "model": "m"} | settings))
    assert one_sentence(caught.value)
    assert "sk-" not in str(caught.value)
