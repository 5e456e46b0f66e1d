"""What a browser keeps about a deletion request that is followed without an account: one secret, for its pages only."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from memoryportal.erasure import identity
from memoryportal.erasure.models import Erasure

LINK_LASTS = 60 * 60  # seconds: long enough to read one page


def _name(of: str) -> str:
    return f"__Secure-{of}" if settings.SESSION_COOKIE_SECURE else of


def _set(response: HttpResponse, name: str, value: str, path: str, seconds: int) -> HttpResponse:
    response.set_cookie(
        _name(name),
        value,
        max_age=seconds,
        path=path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


# --- the secret that shows a request ---------------------------------------------------------------------------------


def remember(response: HttpResponse, erasure: Erasure, secret: str) -> HttpResponse:
    """Give the browser the secret of a request, which it sends to the pages of this one and to nothing else."""
    path = reverse("mydata:request", args=[erasure.reference])
    return _set(response, "request", secret, path, int(identity.SECRET_LASTS.total_seconds()))


def read_secret(request: HttpRequest) -> str:
    return request.COOKIES.get(_name("request"), "")


# --- the token of a link in a mail -----------------------------------------------------------------------------------


def take_link(response: HttpResponse, token: str) -> HttpResponse:
    """Take the token out of the address into the browser, for the page that asks."""
    return _set(response, "request-link", token, reverse("mydata:request_confirm"), LINK_LASTS)


def read_link(request: HttpRequest) -> str:
    return request.COOKIES.get(_name("request-link"), "")


def drop_link(response: HttpResponse) -> HttpResponse:
    response.delete_cookie(_name("request-link"), path=reverse("mydata:request_confirm"), samesite="Lax")
    return response
