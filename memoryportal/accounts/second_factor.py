"""Second factors: an authenticator app or a passkey. Recovery codes alone are none.

The staff's pages open to a session that showed one. That the account has one says nothing about who is sitting there:
the session may be older than the factor.
"""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from . import sessions
from .http import is_htmx, page_path, with_next
from .models import User
from .roles import roles_of

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_ADDED = "factors_added"


def has_second_factor(user: Any) -> bool:
    """Read from the database each time."""
    return bool(Authenticator.objects.filter(user=user, type__in=FACTORS).exists())


def refusal(request: HttpRequest) -> HttpResponse | None:
    """The page that says what is missing, or None for a session that showed a factor which the account still has."""
    held = dict(Authenticator.objects.filter(user=request.user).values_list("pk", "type"))
    if not set(held.values()) & set(FACTORS):
        return render(request, "support/second_factor.html", status=403)
    if not _shown(request) & set(held):
        # An act that allauth set aside earlier must not be resumed by what is asked for now.
        request.session.pop(STATE_SESSION_KEY, None)
        return render(request, "support/second_factor_again.html", {"ways": _ways(request)}, status=403)
    return None


def _shown(request: HttpRequest) -> set[int]:
    """The authenticators that this session was opened or confirmed with, or that were added in it. A recovery code
    counts: it is what people have left when the telephone is gone."""
    records = get_authentication_records(request, request.user)
    return {record["id"] for record in records if record["method"] == "mfa"} | set(request.session.get(_ADDED, ()))


def _ways(request: HttpRequest) -> list[dict[str, Any]]:
    """allauth's ways to show a factor, each with `url` (and back to where they were) and `description`."""
    back = request.get_full_path() if request.method == "GET" and not is_htmx(request) else page_path(request)
    ways = get_adapter(request).get_reauthentication_methods(request.user)
    mine = [way for way in ways if way["id"].startswith("mfa_reauthenticate")]
    return [{**way, "url": with_next(way["url"], back)} for way in mine]


def note_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    """Receiver of authenticator_added: whoever added the first factor has it in their hands.

    A further one counts only in a session that showed one before; otherwise a session that is older than the factor
    could add one of its own. Other sessions of the staff end: they began without this factor. Those of other people go
    on, and are asked for the factor before the next act that asks for proof.
    """
    if authenticator.type not in FACTORS:
        return
    before = Authenticator.objects.filter(user=user, type__in=FACTORS).exclude(pk=authenticator.pk)
    if not before.exists() or _shown(request) & set(before.values_list("pk", flat=True)):
        request.session[_ADDED] = [*request.session.get(_ADDED, ()), authenticator.pk]
    if user.is_superuser or roles_of(user):
        sessions.end_others(request, user)
    else:
        sessions.forget_proofs(request, user)
