"""What allauth asks us: who may sign up, where redirects may go, what every mail says."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP_OPEN)

    def is_safe_url(self, url: str) -> bool:
        """Only this host: allauth's own rule also lets through whatever ALLOWED_HOSTS and the trusted origins name."""
        request = allauth_context.request
        return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Save the password alone: a full save could write back what an administrator has changed meanwhile."""
        user.set_password(password)
        user.save(update_fields=["password"])

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("usersessions_list")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        responsible = {
            "controller_name": settings.CONTROLLER_NAME,
            "privacy_contact": settings.PRIVACY_CONTACT,
            "complaint_url": settings.COMPLAINT_URL,
        }
        super().send_mail(template_prefix, email, {**context, **responsible})
