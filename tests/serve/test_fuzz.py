"""Requests made up from the OpenAPI document: no answer may be a fault, and each must be as the document says.

``benchmarks/rest_load.py --fuzz`` runs some thousands of them.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings

import taskspace.atlas.map
from taskspace.serve import Limits, create_app

schemathesis = pytest.importorskip("schemathesis")

OPERATIONS = [
    "GET /v1/compare", "GET /v1/health", "GET /v1/jobs/{id}", "GET /v1/map", "GET /v1/near", "GET /v1/rank",
    "GET /v1/similarities", "GET /v1/spaces", "GET /v1/task", "GET /v1/tasks", "GET /v1/transfers", "POST /v1/embed",
]  # fmt: skip
WITHOUT_PARAMETERS = ("GET /v1/health", "GET /v1/spaces")
CASES = [("positive", operation) for operation in OPERATIONS]
CASES += [("negative", operation) for operation in OPERATIONS if operation not in WITHOUT_PARAMETERS]
EXAMPLES = 8


@pytest.fixture(scope="module")
def app(filled):
    """A service that embeds, and of which much may be asked in a short time."""
    return create_app(
        filled, allow_embed=True, token="t", hosts=["testserver"], limits=Limits(jobs_per_minute=10**6, queue=10**6)
    )


@pytest.fixture(scope="module")
def document(app):
    schemathesis.serializer("application/jsonl")(lambda context, value: str(value))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.fixture(scope="module")
def session(app):
    from schemathesis.python.asgi import get_client

    with get_client(app) as client:  # one for all, since a client of its own starts and ends the service each time
        yield client


def test_all_operations_are_tried(document):
    assert sorted(found.ok().label for found in document.get_all_operations()) == OPERATIONS


@pytest.fixture
def quick_umap(monkeypatch):
    """Another method under its name, since the import alone takes half a minute."""
    usual = taskspace.atlas.map.map_of
    monkeypatch.setattr(taskspace.atlas.map, "map_of", lambda matrix, method, seed: usual(matrix, seed=seed))


@pytest.mark.parametrize(("mode", "operation"), CASES)
def test_made_up_requests(document, session, quick_umap, mode, operation):
    method, path = operation.split()
    cases = document[path][method].as_strategy(generation_mode=schemathesis.GenerationMode(mode))

    turns = itertools.count()
    # A string is all that OpenAPI can say of JSON lines, and most strings are none.
    unfit = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")] if method == "POST" else []

    @settings(max_examples=EXAMPLES, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def every(case):
        known = next(turns) % 2 == 0  # made-up names and tokens alone would never get far
        for key in ("name", "first", "second") if known and mode == "positive" else ():
            if key in case.query:
                case.query[key] = "imdb"
        headers = {"Authorization": "Bearer t"} if known else {}
        case.validate_response(case.call(session=session, headers=headers, timeout=600), excluded_checks=unfit)

    every()
