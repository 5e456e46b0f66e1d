"""What happens by itself: when sessions start, accounts are disabled, factors are added, tables are made."""

from typing import Any

from allauth.account.signals import authentication_step_completed
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate, post_save
from django.http import HttpRequest

from . import roles, sessions
from .models import User


def use_up_code(request: HttpRequest, authenticator: Authenticator, **_: Any) -> None:
    """The code that activated an authenticator app must not sign anybody in as well."""
    if authenticator.type == Authenticator.Type.TOTP:
        authenticator.wrap().validate_code(request.POST.get("code", ""))


def connect(config: AppConfig) -> None:
    user_logged_in.connect(sessions.stamp, dispatch_uid="accounts.stamp")
    authentication_step_completed.connect(sessions.renew_id, dispatch_uid="accounts.renew_id")
    authenticator_added.connect(use_up_code, dispatch_uid="accounts.use_up_code")
    post_save.connect(sessions.end_when_disabled, sender=User, dispatch_uid="accounts.end_when_disabled")
    post_migrate.connect(roles.make_groups, sender=config, dispatch_uid="accounts.make_groups")
