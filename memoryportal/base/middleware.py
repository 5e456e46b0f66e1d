"""What holds for every answer: kept nowhere, told apart by cookie and htmx, and honest when the store is gone."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from django.contrib.auth.signals import user_logged_out
from django.db import InterfaceError, OperationalError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from .errors import explained, is_unavailability, unavailable
from .installation import settle_start
from .request_id import HEADER, numbered

logger = logging.getLogger(__name__)
_SIGNED_OUT = "_memoryportal_signed_out"


@receiver(user_logged_out)
def _remember_sign_out(request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None:
        setattr(request, _SIGNED_OUT, True)


class BrokenOff(Exception):
    """An answer that had begun could not be ended. Why stands in the portal's log, as far as a log may say it."""


class SafeResponseMiddleware:
    """Sets the headers of every dynamic answer (static files are answered further out) and turns outages into 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            with numbered() as number:
                response = self._answer(request)
        finally:
            # An error page that is made out here asks who is signed in, which sets their zone; the thread goes on.
            timezone.deactivate()
        response.headers[HEADER] = number
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            settle_start()
        except (OperationalError, InterfaceError) as error:
            response: HttpResponseBase = unavailable(request, error)
        else:
            response = self.get_response(request)
            if isinstance(response, HttpResponseNotAllowed) and not response.content:
                response = explained(request, response)
            if isinstance(response, StreamingHttpResponse):
                pieces = cast("Iterable[bytes]", response.streaming_content)  # under WSGI
                response.streaming_content = _broken_off_in_silence(pieces)
        # Overrides what a view says: a page that some cache keeps is a page that somebody else may see.
        response.headers["Cache-Control"] = "no-store"
        patch_vary_headers(response, ("Cookie", "HX-Request", "HX-Target"))
        if getattr(request, _SIGNED_OUT, False):
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable(request, exception) if is_unavailability(exception) else None


def _broken_off_in_silence(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What goes wrong while an answer is sent reaches the web server, which logs exceptions with their texts."""
    try:
        yield from pieces
    except Exception as error:
        if is_unavailability(error):
            raise  # of these no text repeats anything
        logger.error("an answer was broken off (%s)", type(error).__name__, exc_info=error)
    else:
        return
    raise BrokenOff("an answer was broken off")  # out here the error has no context
