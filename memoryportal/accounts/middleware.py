"""Who is asking, and which memories are theirs. Nothing is looked up before a view asks for it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from memoryportal.memory import ScopedMemory

from .http import asks_to_sign_in, is_htmx, login_url, page_path, send_to
from .models import User
from .sessions import current_user
from .stepup import refuse_silent_pass
from .subjects import NotSignedIn, subject_of
from .zones import zone


class MemoryMiddleware:
    """Gives each request `user` (of a living session) and `memory` (of that user), both lazily.

    Lazily also because an exception in a view becomes the 503 page when the database is down; one in here would not.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.user = SimpleLazyObject(partial(_user, request, request.user))  # type: ignore[assignment]
        request.memory = SimpleLazyObject(partial(_memory, request))  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            timezone.deactivate()
        return _with_a_page_to_return_to(request, response)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        return refuse_silent_pass(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, NotSignedIn):
            return None
        return _to_sign_in(request)

    def process_template_response(self, request: HttpRequest, response: TemplateResponse) -> TemplateResponse:
        # allauth's sign-in pages put the host there as `site`, which would hide who is responsible (base/context.py).
        if response.context_data:
            response.context_data.pop("site", None)
        return response


def _user(request: HttpRequest, found: Any) -> Any:
    user = current_user(request, found)
    if isinstance(user, User):
        timezone.activate(zone(user.time_zone))
    return user


def _memory(request: HttpRequest) -> ScopedMemory:
    return ScopedMemory.for_person(subject_of(request))


def _reads(request: HttpRequest) -> bool:
    return request.method in ("GET", "HEAD")


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in, and afterwards to a page: never to the address of a form or a fragment."""
    is_a_page = _reads(request) and not is_htmx(request)
    return send_to(request, login_url(request.get_full_path() if is_a_page else page_path(request)))


def _with_a_page_to_return_to(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """`login_required` would put the sign-in form inside a list (htmx), or lead back to where only forms go (POST)."""
    if not asks_to_sign_in(response):
        return response
    form_with_a_page = not _reads(request) and page_path(request) is not None
    return _to_sign_in(request) if is_htmx(request) or form_with_a_page else response
