"""Health for machines, and the error pages that Django asks for."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from . import errors, readiness
from .keys import key_ring


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: this process answers. Asks nothing of the database, so that its outage restarts nobody."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Able to serve: 200, or 503 with the names of the parts that are not."""
    if missing := readiness.failing():
        return HttpResponse(f"not ready: {', '.join(missing)}\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


@require_safe
def public_keys(request: HttpRequest) -> JsonResponse:
    """The keys that receipts and heads of the audit trail are signed with, former ones too (RFC 7517, RFC 8037)."""
    return JsonResponse({"keys": key_ring().published()})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return errors.error_response(request, errors.BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return errors.error_response(request, errors.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return errors.error_response(request, errors.FORM_EXPIRED)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    of_a_request = request.path.startswith("/requests/")
    return errors.error_response(request, errors.NO_REQUEST if of_a_request else errors.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Also reached when a middleware could not reach the database: that is no fault, and gets the 503 page."""
    error = sys.exc_info()[1]
    if error is not None and errors.is_unavailability(error):
        return errors.unavailable(request, error)
    return errors.error_response(request, errors.SERVER_ERROR)
