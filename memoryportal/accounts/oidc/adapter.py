"""What a good answer of the provider is for: to sign in, to connect an account, or to confirm who one is."""

import logging
from typing import Any

from allauth.account.adapter import get_adapter as account_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from memoryportal.audit.actions import Action
from memoryportal.audit.record import record
from memoryportal.memory import InvalidSubject, SubjectId

from .. import links, proofs
from ..configuration import the_provider
from ..models import Proof, SubjectBusy, SubjectTaken, User
from ..trail import actor_of, note_account
from .provider import ProviderUnavailable
from .tokens import TokenRefused

logger = logging.getLogger(__name__)
CONNECT = "connect"
PROVE = "prove"


class SocialAdapter(DefaultSocialAccountAdapter):
    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Before anything is done with a good answer. Whoever is refused finds everything as it was."""
        sociallogin.token = None  # nothing here calls the provider in the person's name
        process = sociallogin.state.get("process")
        if process == PROVE:
            raise ImmediateHttpResponse(proofs.answer(request, sociallogin))
        if _held_by_another(request, sociallogin):
            raise ImmediateHttpResponse(_refuse(request, sociallogin))
        if process == CONNECT:
            raise ImmediateHttpResponse(_connect(request, sociallogin))

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> Any:
        """A new account and its link, or neither."""
        try:
            with transaction.atomic():
                user = super().save_user(request, sociallogin, form)
                _link(user, sociallogin)
        except SubjectBusy as busy:
            raise ImmediateHttpResponse(_not_now(request, busy)) from None
        except SubjectTaken:
            raise ImmediateHttpResponse(_refuse(request, sociallogin)) from None
        return user

    def on_authentication_error(self, request: HttpRequest, provider: Any, **about: Any) -> None:
        """An event, and in the log our own words or the error's name: what the provider wrote may name somebody."""
        why = about.get("exception")
        ours = isinstance(why, (TokenRefused, ProviderUnavailable))
        logger.warning("sign-in at the provider failed: %s", why if ours else type(why).__name__)
        record(Action.SESSION_REFUSED, actor=actor_of(request), details={"method": str(Proof.OIDC)})


def subject_in(sociallogin: SocialLogin) -> SubjectId | None:
    """The id that assistants use for this person, or None where the provider names none. Raises InvalidSubject."""
    found = sociallogin.account.extra_data.get("subject")
    return None if found is None else SubjectId(found)


def _held_by_another(request: HttpRequest, sociallogin: SocialLogin) -> bool:
    """Also true for an id that no store may know, and for somebody who signs in as two people at once."""
    account = sociallogin.user if sociallogin.is_existing else None
    if sociallogin.state.get("process") == CONNECT:
        if account is not None and account != request.user:
            return True
        account = request.user if isinstance(request.user, User) else None
    try:
        subject = subject_in(sociallogin)
    except InvalidSubject:
        return True
    return subject is not None and links.is_held_by_another(subject, account)


def _refuse(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    try:
        subject = subject_in(sociallogin)
    except InvalidSubject:
        subject = None
    links.refuse(subject, actor_of(request), Proof.OIDC)
    return render(request, "accounts/link_refused.html", {"name": the_provider().name}, status=409)


def _not_now(request: HttpRequest, busy: SubjectBusy) -> HttpResponse:
    return render(request, "accounts/link_refused.html", {"name": the_provider().name, "busy": busy}, status=409)


def _connect(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    """Let the signed-in person sign in there as well from now on, and see what is kept under the id of theirs there."""
    if not isinstance(request.user, User) or sociallogin.state.get("data") != request.user.pk:
        return redirect("account_login")
    try:
        with transaction.atomic():
            _link(request.user, sociallogin)
            if not sociallogin.is_existing:
                sociallogin.account.user = request.user
                sociallogin.account.save()
                note_account(request.user, Action.ACCOUNT_CHANGED, request, fields=["provider"])
    except SubjectBusy as busy:
        return _not_now(request, busy)
    except SubjectTaken:
        return _refuse(request, sociallogin)
    if not sociallogin.is_existing:
        about = {"account": sociallogin.account, "provider": sociallogin.provider}
        account_adapter(request).send_notification_mail("socialaccount/email/account_connected", request.user, about)
    messages.success(request, f"Connected with {the_provider().name}.")
    return redirect("accounts:settings")


def _link(user: User, sociallogin: SocialLogin) -> None:
    subject = subject_in(sociallogin)
    if subject is not None and subject != user.subject:
        links.make(user, subject, proof=Proof.OIDC, issuer=the_provider().issuer, claim=the_provider().claim, by=user)
