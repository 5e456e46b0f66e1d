"""The door of the staff pages. A URL whose view has no guard cannot be added: the portal does not start."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from memoryportal.accounts import second_factor, sessions
from memoryportal.accounts.http import PortalRequest, is_htmx, login_url, page_path, send_to
from memoryportal.accounts.roles import roles_of
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record

View = Callable[..., HttpResponseBase]


class StaffRequest(PortalRequest):
    """For annotations: a request as views behind `staff` see it."""

    role: str
    roles: set[str]


def staff(*roles: str) -> Callable[[View], View]:
    """Let in whoever holds one of these roles now and showed a second factor in this session.
    `request.role` is the first role that matches, `request.roles` are all that they hold.

    Anonymous people are sent to the login, everybody else gets the 404 of a page that does not exist.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            held = roles_of(request.user)
            sessions.note_staff(request, bool(held))
            # Asked again here, where a role that was given during the session makes it a shorter one.
            if not request.user.is_authenticated or not sessions.go_on(request):
                is_a_page = request.method == "GET" and not is_htmx(request)
                return send_to(request, login_url(request.get_full_path() if is_a_page else page_path(request)))
            matching = [role for role in roles if role in held]
            if not matching:
                _denied(request, held)
                raise Http404
            if not settings.DEMO and (refusal := second_factor.refusal(request)):
                return refusal
            request.role, request.roles = matching[0], held  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        guarded.staff_roles = roles  # type: ignore[attr-defined]
        return guarded

    return decorate


def _denied(request: HttpRequest, held: set[str]) -> None:
    """Staff who lack the role leave an event; for everybody else the page simply does not exist."""
    if held:
        page = request.resolver_match.view_name if request.resolver_match else ""
        record(Action.ACCESS_DENIED, actor=Actor(str(request.user.pk), min(held)), details={"page": page})


def staff_path(route: str, view: View, name: str) -> URLPattern:
    """A URL of the staff pages. Raises ImproperlyConfigured for a view without a guard."""
    if not getattr(view, "staff_roles", ()):
        raise ImproperlyConfigured(f"the staff page {route!r} has no guard: decorate its view with @staff(...)")
    return path(route, view, name=name)
