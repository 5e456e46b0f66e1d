"""How people who sign in at a provider confirm that it is them: there once more, or with a code that we mail them.

A proof is good for one action in one session, for five minutes. An action is named by the path of its page.
"""

import secrets
import time
from typing import Any

from allauth.account import app_settings
from allauth.account.signals import authentication_step_completed
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from memoryportal.audit.actions import Action

from .configuration import the_provider
from .models import User
from .trail import note_account

_ASKED = "proof_asked"
_HELD = "proof_held"
_ASKED_SECONDS = 600
_AHEAD_SECONDS = 60  # how far the provider's clock may be ahead of ours


def has_provider(user: User) -> bool:
    """Whether this account can confirm itself at the provider that is configured now."""
    if settings.OIDC is None:
        return False
    found = SocialAccount.objects.filter(user=user, provider="oidc")
    return bool(found.filter(extra_data__issuer=the_provider().issuer).exists())


def ask(request: HttpRequest, action: str, back: str) -> None:
    """Note what the next proof is for, and where it leads. A former question is forgotten."""
    asked = {"id": secrets.token_urlsafe(12), "action": action, "back": back, "at": time.time(), "code": False}
    request.session[_ASKED] = asked


def asked(request: HttpRequest) -> dict[str, Any] | None:
    """The question that waits for a proof: id, action, back, and whether a mailed code may answer it."""
    found: dict[str, Any] | None = request.session.get(_ASKED)
    return found if found is not None and time.time() - found["at"] < _ASKED_SECONDS else None


def holds(request: HttpRequest, action: str) -> bool:
    """Whether this session has a fresh proof for this action."""
    held = request.session.get(_HELD)
    if not isinstance(held, dict) or (held["action"], held["user"]) != (action, request.user.pk):
        return False
    return bool(0 <= time.time() - held["at"] < app_settings.REAUTHENTICATION_TIMEOUT)


def give(request: HttpRequest, question: dict[str, Any], method: str) -> HttpResponse:
    """The person has proven it: remember it for this one action and lead back. The session gets a new id."""
    request.session.pop(_ASKED, None)
    request.session[_HELD] = {"action": question["action"], "user": request.user.pk, "at": time.time()}
    # Not through allauth's record, which would count for every action as soon as there is a password.
    authentication_step_completed.send(
        sender=User, request=request, user=request.user, method=method, reauthenticated=True
    )
    return HttpResponseRedirect(question["back"])


def challenge(question: dict[str, Any]) -> dict[str, Any]:
    """What goes along to the provider and comes back with its answer."""
    return {"ask": question["id"], "at": time.time()}


def answer(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    """The provider has answered: accept it, or say why not. Without a time of sign-in a mailed code has to do."""
    question, sent = asked(request), sociallogin.state.get("data") or {}
    if not isinstance(request.user, User) or question is None or sent.get("ask") != question["id"]:
        return _refuse(request, "late")
    if not SocialAccount.objects.filter(user=request.user, uid=sociallogin.account.uid, provider="oidc").exists():
        return _refuse(request, "other")
    if _is_fresh(sociallogin.claims.get("auth_time"), sent["at"]):
        return give(request, question, "oidc")
    request.session[_ASKED] = {**question, "code": True}
    return _refuse(request, "code")


def _is_fresh(auth_time: object, since: float) -> bool:
    """Whether the person has signed in after we asked; the provider counts whole seconds."""
    if not isinstance(auth_time, int) or isinstance(auth_time, bool):
        return False
    return int(since) <= auth_time <= time.time() + _AHEAD_SECONDS


def _refuse(request: HttpRequest, why: str) -> HttpResponse:
    if isinstance(request.user, User):
        note_account(request.user, Action.SESSION_REFUSED, request, method="oidc", kind=why)
    context = {"why": why, "name": the_provider().name}
    return render(request, "accounts/prove_refused.html", context, status=403)
