"""Step-up: acts that cannot be undone ask people to prove again that it is them.

allauth's own check says "recently re-authenticated" of everybody who has no password and no second factor. Here such
people are sent to the provider where they sign in (proofs.py), or told what to do instead.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, overload

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import (
    STATE_SESSION_KEY,
    did_recently_reauthenticate,
    get_reauthentication_flows,
)
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from . import proofs
from .configuration import the_provider
from .http import login_url, send_to, with_next
from .models import User
from .sessions import seconds_since_sign_in

View = Callable[..., HttpResponseBase]

# Pages of allauth that change how one signs in. They ask for proof, except where there is none to ask for.
_SIGN_IN_PAGES = {
    "account_email",
    "account_set_password",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_generate_recovery_codes",
    "socialaccount_connections",
}


@overload
def step_up(view: View) -> View: ...
@overload
def step_up(*, back_to: str) -> Callable[[View], View]: ...
def step_up(view: View | None = None, *, back_to: str = "") -> Any:
    """Run the view only for somebody who re-authenticated within ACCOUNT_REAUTHENTICATION_TIMEOUT seconds.

    Everybody else is asked first and then comes back by GET: to the URL named `back_to`, else to the same path. A POST
    is not repeated by itself; nothing is done before the person acts again.
    """
    if view is None:
        return lambda inner: _guarded(inner, back_to)
    return _guarded(view, back_to)


def _guarded(view: View, back_to: str) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return send_to(request, login_url(_way_back(request, back_to)))
        action = reverse(back_to) if back_to else request.path
        if not ways(request):
            return no_way(request)
        if not _has_proof(request, action):
            return _ask(request, action, _way_back(request, back_to))
        return view(request, *args, **kwargs)

    return guarded


def ways(request: HttpRequest) -> list[dict[str, Any]]:
    """How this person can prove that it is them: allauth's methods, else their provider; with `url`, `description`."""
    if not isinstance(request.user, User):
        return []
    methods: list[dict[str, Any]] = get_adapter(request).get_reauthentication_methods(request.user)
    if not methods and proofs.has_provider(request.user):
        again = f"Sign in at {the_provider().name} again"
        return [{"id": "oidc", "description": again, "url": reverse("accounts:prove")}]
    return methods


def confirmed(request: HttpRequest) -> bool:
    """Whether `step_up` would let this person through on this page now. For pages that say beforehand what is asked."""
    return bool(ways(request)) and _has_proof(request, request.path)


def _has_proof(request: HttpRequest, action: str) -> bool:
    """allauth's answer where it has something to ask for; a provider's proof counts for one action only."""
    if get_reauthentication_flows(request.user):
        return bool(did_recently_reauthenticate(request))
    return proofs.holds(request, action)


def no_way(request: HttpRequest) -> HttpResponse:
    """The page for people who have neither a password nor a second factor. Nothing was done."""
    return render(request, "accounts/no_step_up.html", status=403)


def _ask(request: HttpRequest, action: str, path: str) -> HttpResponse:
    # An act that allauth set aside earlier must not be resumed by this re-authentication.
    request.session.pop(STATE_SESSION_KEY, None)
    way = ways(request)[0]
    if way["id"] == "oidc":
        proofs.ask(request, action, path)
        return send_to(request, way["url"])
    return send_to(request, with_next(way["url"], path))


def _way_back(request: HttpRequest, back_to: str) -> str:
    if back_to:
        return reverse(back_to)
    return request.get_full_path() if request.method == "GET" else request.path


def refuse_silent_pass(request: HttpRequest) -> HttpResponse | None:
    """No new way to sign in, in a session that may be somebody else's, for people whom allauth would not ask.

    They may right after a sign-in; otherwise whoever holds their session could set a password and step up with it.
    """
    match = request.resolver_match
    if match is None or match.url_name not in _SIGN_IN_PAGES or not request.user.is_authenticated:
        return None
    fresh = seconds_since_sign_in(request) < app_settings.REAUTHENTICATION_TIMEOUT
    if fresh or (get_reauthentication_flows(request.user) and not _sets_first_password(request)):
        return None
    if not ways(request):
        return no_way(request)
    return None if _has_proof(request, request.path) else _ask(request, request.path, request.path)


def _sets_first_password(request: HttpRequest) -> bool:
    """The one of these pages on which allauth asks nobody, whatever they have to show."""
    match, user = request.resolver_match, request.user
    is_page = match is not None and match.url_name == "account_set_password"
    return is_page and isinstance(user, User) and not user.has_usable_password()
