"""The application as a whole: what it tells of itself, how it starts and ends, and readers while somebody writes."""

from __future__ import annotations

import asyncio
import sys
import threading

import httpx
import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.errors import AtlasError, MissingExtra
from taskspace.serve import create_app, models


def test_what_it_tells_of_itself(client):
    document = client.get("/openapi.json").json()
    assert document["info"]["title"] == "taskspace"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["operationId"].isidentifier()
            assert operation["summary"]
            assert "422" not in operation["responses"]
            assert {"400", "503"} <= set(operation["responses"])
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])
    embed = document["paths"]["/v1/embed"]["post"]
    assert embed["security"] == [{"HTTPBearer": []}]
    assert "application/jsonl" in embed["requestBody"]["content"]
    assert "security" not in document["paths"]["/v1/near"]["get"]
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


@pytest.mark.parametrize(
    ("path", "model", "query"),
    [
        ("health", models.Health, {}), ("spaces", models.Spaces, {}), ("map", models.TaskMap, {}),
        ("tasks", models.Tasks, {}), ("task", models.Card, {"name": "sst2"}),
        ("near", models.Ranking, {"name": "sst2"}), ("rank", models.Ranking, {"name": "sst2"}),
        ("compare", models.Comparison, {"first": "sst2", "second": "imdb"}),
        ("similarities", models.Similarities, {}), ("transfers", models.Transfers, {}),
    ],
)  # fmt: skip
def test_answers_hold_what_their_models_say_and_no_more(ask, path, model, query):
    answer = ask(f"/v1/{path}", space="response", **query)
    assert model.model_validate(answer).model_dump(mode="json") == answer


def test_nothing_of_another_origin_unless_it_is_listed(serving, filled):
    origin = {"origin": "https://notebook.example"}
    assert "access-control-allow-origin" not in serving(filled).get("/v1/health", headers=origin).headers
    client = serving(filled, cors=["https://notebook.example"])
    assert client.get("/v1/health", headers=origin).headers["access-control-allow-origin"] == origin["origin"]
    other = client.get("/v1/health", headers={"origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers
    asked = origin | {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    assert client.options("/v1/embed", headers=asked).status_code == 200
    refused = client.options("/v1/embed", headers=asked | {"origin": "https://other.example"})
    assert "access-control-allow-origin" not in refused.headers


def test_a_service_of_nothing_does_not_start(tmp_path, one_sentence):
    with pytest.raises(AtlasError, match="no atlas") as raised:
        create_app(tmp_path / "missing.db")
    assert one_sentence(raised.value)
    assert not list(tmp_path.glob("missing*"))


def test_without_its_packages_one_sentence_says_how_to_get_them(filled, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"fastapi.*pip install 'taskspace\[serve\]'"):
        create_app(filled)


def test_importing_it_costs_nothing(elsewhere):
    script = (
        "import sys, taskspace.serve\nprint(sorted({'fastapi', 'starlette', 'uvicorn', 'torch'} & set(sys.modules)))"
    )
    assert elsewhere(script) == "[]"


def test_it_can_end_and_start_again_and_do_without_either(filled):
    from starlette.testclient import TestClient

    app = create_app(filled)
    for _ in range(2):
        with TestClient(app, "http://localhost") as client:
            assert client.get("/v1/task", params={"name": "imdb"}).status_code == 200

    async def bare():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/v1/health")

    assert asyncio.run(bare()).status_code == 200
    asyncio.run(app.state.service.close())


def test_an_atlas_that_somebody_else_opened_stays_open(serving, filled):
    from starlette.testclient import TestClient

    with Atlas(filled) as atlas:
        with TestClient(create_app(atlas), "http://localhost") as client:
            assert client.get("/v1/health").json()["entries"] == 16
        assert len(atlas) == 16


def test_readers_see_whole_states_while_somebody_writes(serving, own, made):
    """A writer adds pairs, both or none; whoever reads finds as many of one as of the other."""
    client = serving(own)
    done, problems = threading.Event(), []

    def write():
        rng = np.random.default_rng(0)
        with Atlas(own) as writer:
            for i in range(25):
                left, right = (made(f"{side} {i}", rng.standard_normal(6)) for side in ("left", "right"))
                writer.add(left, right)
        done.set()

    def read():
        while not done.is_set():
            answers = [
                client.get("/v1/tasks", params={"space": "response", "q": "left", "limit": 1000}),
                client.get("/v1/map", params={"space": "response"}),
                client.get("/v1/near", params={"name": "imdb", "k": 1000}),
                client.get("/v1/spaces"),
            ]
            problems.extend(answer.text for answer in answers if answer.status_code != 200)
            placed = answers[1].json()
            sides = [sum(name.startswith(side) for name in placed["names"]) for side in ("left", "right")]
            if sides[0] != sides[1] or len(placed["x"]) != len(placed["names"]):
                problems.append(f"the map has {sides}")

    threads = [threading.Thread(target=write), *(threading.Thread(target=read) for _ in range(4))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert client.get("/v1/tasks", params={"space": "response"}).json()["total"] == 13 + 50


def test_the_other_store_answers_alike(serving, filled, tmp_path, made):
    pytest.importorskip("lancedb")
    path = tmp_path / "same.lance"
    with Atlas(filled) as source, Atlas(path) as copy:
        for space in source.spaces():
            copy.add(*(source.get(entry.name, space=space) for entry in source.entries(space=space)))
        for row in source.transfers():
            copy.observe(
                source=row.source, target=row.target, score=row.score, baseline=row.baseline, metric=row.metric,
                seed=row.seed,
            )  # fmt: skip
    first, second = serving(filled), serving(path)
    assert second.get("/v1/health").json()["atlas"] == "same.lance"
    space = {"space": "response"}
    for path, query in {
        "/v1/tasks": space, "/v1/near": space | {"name": "sst2"}, "/v1/rank": space | {"name": "a b+c&d=e"},
        "/v1/transfers": {}, "/v1/similarities": space | {"name": ["sst2", "imdb", "trec"]},
    }.items():  # fmt: skip
        assert second.get(path, params=query).json() == first.get(path, params=query).json(), path
    cards = [client.get("/v1/task", params=space | {"name": "trec"}).json() for client in (first, second)]
    assert {key for key in cards[0] if cards[0][key] != cards[1][key]} <= {"added"}
    with Atlas(tmp_path / "same.lance") as writer:
        writer.add(made("new here", np.ones(6)))
    assert second.get("/v1/task", params={"name": "new here"}).status_code == 200
