"""What allauth asks us: who may sign up, where redirects may go, what every mail says."""

from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context as allauth_context
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from memoryportal.audit.actions import Action

from . import mailboxes
from .models import User
from .trail import note_account
from .zones import zone_names


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "This e-mail address and this password do not go together. Check both.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP_OPEN)

    def is_safe_url(self, url: str) -> bool:
        """Only this host: allauth's own rule also lets through whatever ALLOWED_HOSTS and the trusted origins name."""
        request = allauth_context.request
        return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())

    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: Form, commit: bool = True
    ) -> AbstractBaseUser:
        """A new account has the time zone of the browser that made it, where that is one; people can change it."""
        made = cast(User, super().save_user(request, user, form, commit=False))
        if (zone := form.cleaned_data.get("time_zone")) in zone_names():
            made.time_zone = zone
        if commit:
            made.save()
        return made

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Save the password alone: a full save could write back what an administrator has changed meanwhile."""
        user.set_password(password)
        with transaction.atomic():
            user.save(update_fields=["password"])
            note_account(cast(User, user), Action.PASSWORD_CHANGED)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Confirm an address. Where it takes the place of another one, that is an act with an event.

        Only in a browser that shows how one signs in: the mailbox alone may be that of somebody who knows of nothing.
        """
        if not mailboxes.is_signing_in(request, email_address.user_id):
            messages.error(request, "Nothing was confirmed: sign in here first, then open the link of our mail again.")
            return False
        before = EmailAddress.objects.filter(user=email_address.user, verified=True).exclude(pk=email_address.pk)
        with transaction.atomic():
            is_change = before.exists()
            done: bool = super().confirm_email(request, email_address)
            if done and is_change:
                note_account(email_address.user, Action.ADDRESS_CHANGED, request)
        return done

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Whoever has a second factor is asked for it: their password alone must not show, change or remove factors.

        allauth offers and takes what is listed here, and nothing else.
        """
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        factors = [method for method in methods if method["id"] != "reauthenticate"]
        return factors or methods

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("usersessions_list")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        responsible = {
            "controller_name": settings.CONTROLLER_NAME,
            "privacy_contact": settings.PRIVACY_CONTACT,
            "complaint_url": settings.COMPLAINT_URL,
        }
        super().send_mail(template_prefix, email, {**context, **responsible})
