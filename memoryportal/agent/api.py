"""The gateway put together: its operations, and every error as a problem."""

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser
from pydantic_core import PydanticCustomError

from memoryportal.base.errors import is_unavailability
from memoryportal.memory import (
    BadCursor,
    BadQuery,
    EmbedderUnavailable,
    ErasureRunning,
    InferenceFailed,
    MemoryChanged,
    MemoryNotFound,
    UseRestricted,
    WordingStopped,
    WritesPaused,
)

from . import host, memories, strict_json
from .fields import problem_of
from .problems import Problem

logger = logging.getLogger(__name__)
VERSION = "1.0.0"


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        return strict_json.loads(request.body)


api = NinjaAPI(
    title="MemoryPortal gateway",
    version=VERSION,
    description=(
        "Memory for assistants, one person at a time. A host's back end holds a service key and exchanges it for "
        "subject tokens; an assistant holds a subject token and nothing else. No parameter names a person. Errors are "
        "problem details (RFC 9457) with a stable `code`."
    ),
    urls_namespace="gateway",
    openapi_url=None,
    docs_url=None,
    parser=StrictParser(),
)
api.add_router("", host.router)
api.add_router("", memories.router)

# The memory room's own words go along where they say what to do and cannot repeat what was sent.
_CODES: dict[type[Exception], str] = {
    MemoryNotFound: "not-found",
    MemoryChanged: "memory-changed",
    BadCursor: "bad-cursor",
    WritesPaused: "writes-paused",
    UseRestricted: "use-restricted",
    WordingStopped: "wording-stopped",
    ErasureRunning: "erasure-running",
    EmbedderUnavailable: "embedder-unavailable",
    InferenceFailed: "model-unavailable",
    UnreadablePostError: "bad-request",  # the caller was gone before the body was whole
}


@api.exception_handler(Problem)
def _problem(request: HttpRequest, error: Problem) -> HttpResponse:
    return error.response()


@api.exception_handler(BadQuery)
def _refused(request: HttpRequest, error: BadQuery) -> HttpResponse:
    """Its sentences name limits and characters, never the text. Those about metadata never get here (schemas.py)."""
    return Problem("refused", str(error)).response()


@api.exception_handler(PydanticCustomError)
def _custom(request: HttpRequest, error: PydanticCustomError) -> HttpResponse:
    return problem_of([{"type": error.type, "loc": ("body",)}]).response()


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return problem_of(error.errors).response()


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """ninja raises this for a body that the parser refuses, and for nothing else that we use."""
    return Problem("bad-json").response()


@api.exception_handler(Exception)
def _anything(request: HttpRequest, error: Exception) -> HttpResponse:
    for known, code in _CODES.items():
        if isinstance(error, known):
            return Problem(code).response()
    if is_unavailability(error):
        return _unavailable(error).response()
    logger.error("the gateway failed (%s)", type(error).__name__, exc_info=error)
    return Problem("internal").response()


def _unavailable(error: Exception) -> Problem:
    logger.error("the gateway cannot answer (%s)", type(error).__name__, exc_info=error)
    if getattr(error, "unconfirmed", False):
        return Problem("unconfirmed")
    if getattr(error, "unrecorded", False):
        return Problem("not-recorded", retry_after=30)
    return Problem("unavailable", retry_after=getattr(error, "retry_after", None) or 30)
