"""What holds for every answer: kept nowhere, told apart by cookie and htmx, and honest when the store is gone."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db import InterfaceError, OperationalError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from .errors import explained, is_unavailability, unavailable
from .installation import settle_start
from .request_id import HEADER, numbered

_SIGNED_OUT = "_memoryportal_signed_out"


@receiver(user_logged_out)
def _remember_sign_out(request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None:
        setattr(request, _SIGNED_OUT, True)


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
        # Overrides what a view says: a page that some cache keeps is a page that somebody else may see.
        response.headers["Cache-Control"] = "no-store"
        patch_vary_headers(response, ("Cookie", "HX-Request", "HX-Target"))
        if getattr(request, _SIGNED_OUT, False):
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable(request, exception) if is_unavailability(exception) else None
