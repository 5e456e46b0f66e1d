"""Redirects that htmx understands, and the way back to the page that a person was on."""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from memoryportal.memory import ScopedMemory

    from .models import User


class PortalRequest(HttpRequest):
    """For annotations: a request as views behind `login_required` see it."""

    user: "User"
    memory: "ScopedMemory"
    htmx: HtmxDetails


def is_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))


def send_to(request: HttpRequest, url: str) -> HttpResponse:
    """A redirect of the whole page: an htmx request would otherwise put the next page inside a fragment."""
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def with_next(url: str, path: str | None) -> str:
    return f"{url}?{urlencode({REDIRECT_FIELD_NAME: path})}" if path else url


def page_path(request: HttpRequest) -> str | None:
    """The path of the page that a form or an htmx request was sent from, or None unless it is on this host.

    Without its query string, which may hold what the person was looking for.
    """
    address = urlsplit(request.headers.get("HX-Current-URL" if is_htmx(request) else "Referer", ""))
    if address.netloc != request.get_host() or address.scheme != request.scheme:
        return None
    return address.path if is_own_path(address.path) else None


def is_own_path(path: str) -> bool:
    return path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)


def login_url(path: str | None = None) -> str:
    return with_next(reverse("account_login"), path)


def asks_to_sign_in(response: HttpResponseBase) -> bool:
    """Whether this is `login_required` sending somebody to the sign-in, with the way back."""
    place, _, query = response.headers.get("Location", "").partition("?")
    return response.status_code == 302 and place == reverse("account_login") and REDIRECT_FIELD_NAME in parse_qs(query)
