"""What is looked at before a request is read: its size, its type, its parameters. And how answers leave."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from .problems import Problem

logger = logging.getLogger(__name__)
MAX_BODY = 256 * 1024
PARAMETERS = {("GET", "memories"): {"after", "limit", "order"}}  # (method, name of the route); everything else has none
View = Callable[..., HttpResponseBase]


def gateway(view: View, route: str, methods: frozenset[str] = frozenset()) -> View:
    """One view of the gateway, for these methods; for none: whatever it answers to.

    Exempt from CSRF because it looks at no cookie: a browser has nothing to lend here.
    """

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if methods:
                _check(request, route, methods)
            response = view(request, *args, **kwargs)
        except Problem as problem:
            response = problem.response()
        except SuspiciousOperation:  # a thousand parameters, and what else Django does not even read
            response = Problem("bad-request").response()
        if response.status_code == 405:
            response.headers["Allow"] = ", ".join(sorted(methods))
        return _leaving(request, response, route)

    return answer


def _check(request: HttpRequest, route: str, methods: frozenset[str]) -> None:
    if request.method not in methods:
        raise Problem("method-not-allowed")
    _check_parameters(request, PARAMETERS.get((str(request.method), route), set()))
    length = request.META.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in request.META or not (length.isascii() and length.isdecimal()):
        raise Problem("bad-request", "Say how long the body is (Content-Length).")
    if len(length) > 10 or int(length) > MAX_BODY:
        raise Problem("too-large")
    if request.method not in ("POST", "PATCH"):
        if int(length):
            raise Problem("bad-request", "This takes no body.")
    elif not _is_json(request):
        raise Problem("not-json")


def _check_parameters(request: HttpRequest, known: set[str]) -> None:
    if not set(request.GET) <= known:
        raise Problem("invalid", errors=[{"field": "query", "problem": "unknown parameter"}])
    if any(len(values) > 1 for _, values in request.GET.lists()):
        raise Problem("invalid", errors=[{"field": "query", "problem": "the same parameter twice"}])


def _is_json(request: HttpRequest) -> bool:
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    compressed = request.headers.get("Content-Encoding", "identity").lower() != "identity"
    return request.content_type == "application/json" and charset in ("utf-8", "utf8") and not compressed


def _leaving(request: HttpRequest, response: HttpResponseBase, route: str) -> HttpResponseBase:
    if response.status_code >= 400:
        # Django's own line would name the path, which a caller may have filled with anything.
        response._has_been_logged = True  # type: ignore[attr-defined]
        logger.info("%s %s: %s", request.method if request.method in _METHODS else "?", route, response.status_code)
    return response


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
