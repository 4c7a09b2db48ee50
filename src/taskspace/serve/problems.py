"""Errors as the client sees them: a status, a kind and one sentence, never a path or a traceback."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from taskspace.errors import AtlasError, DataError, MissingExtra, SettingError, SpaceMismatch, TaskspaceError
from taskspace.errors import UnknownName as UnknownInAtlas
from taskspace.serve.headers import SECURITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

_STATUS: tuple[tuple[type[TaskspaceError], int], ...] = (
    (UnknownInAtlas, 404),
    (AtlasError, 503),
    (MissingExtra, 400),
    (SettingError, 400),
    (SpaceMismatch, 400),
    (DataError, 400),
)
"""The first that fits counts."""


class Problem(Exception):
    """What this service itself refuses."""

    def __init__(self, status: int, kind: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.kind = kind
        self.headers = headers


def problem_response(status: int, kind: str, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """The one form that all errors have."""
    body = json.dumps({"error": {"kind": kind, "sentence": sentence}}, separators=(",", ":")).encode("ascii")
    return Response(body, status, {**(headers or {}), "cache-control": "no-store"}, "application/json")


def handle_all(app: FastAPI) -> None:
    """Every way in which a request can fail ends in that form."""
    app.add_exception_handler(Problem, _refused)
    app.add_exception_handler(TaskspaceError, _told)
    app.add_exception_handler(RequestValidationError, _not_right)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _fault)


def _refused(request: Request, error: Exception) -> Response:
    problem = cast("Problem", error)
    return problem_response(problem.status, problem.kind, str(problem), problem.headers)


def _told(request: Request, error: Exception) -> Response:
    """The library's own sentence, in which the atlas goes by its name; of a store that fails only that it does."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:  # what an engine says may name any of its files
        logging.getLogger(__name__).error("%s", error)
        sentence = "the atlas cannot be read now; the log of the service says why"
        return problem_response(status, type(error).__name__, sentence, {"retry-after": "5"})
    return problem_response(status, type(error).__name__, request.app.state.service.library.without_path(str(error)))


def _not_right(request: Request, error: Exception) -> Response:
    first = cast("RequestValidationError", error).errors()[0]
    name, why = first["loc"][-1], str(first["msg"])
    sentence = f"the parameter {name!r} is not right ({why[:1].lower()}{why[1:]}); /openapi.json says what it may be"
    return problem_response(400, "BadParameter", sentence)


def _no_route(request: Request, error: Exception) -> Response:
    known = cast("HTTPException", error)
    if known.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (known.headers or {}).get("Allow", "GET")
        sentence = f"{request.method} is not for this address; use {allowed}"
        return problem_response(405, "BadMethod", sentence, known.headers)
    kind = "UnknownAddress" if known.status_code == HTTPStatus.NOT_FOUND else "BadRequest"
    return problem_response(known.status_code, kind, "there is nothing at this address; see /openapi.json")


def _fault(request: Request, error: Exception) -> Response:
    """Answered outside of all else, so that the usual headers are put on here."""
    return problem_response(500, "Fault", "the service met a fault of its own; its log says more", SECURITY)
