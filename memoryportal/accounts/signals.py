"""What happens by itself: when sessions start, accounts are disabled, factors are added, tables are made."""

import logging
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.signals import authentication_step_completed
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added
from allauth.socialaccount.models import SocialAccount
from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.exceptions import PermissionDenied
from django.db.models.signals import post_delete, post_migrate, post_save, pre_save
from django.http import HttpRequest

from . import events, roles, second_factor, sessions
from .models import User

logger = logging.getLogger(__name__)


def use_up_code(request: HttpRequest, authenticator: Authenticator, **_: Any) -> None:
    """The code that activated an authenticator app must not sign anybody in as well."""
    if authenticator.type == Authenticator.Type.TOTP:
        authenticator.wrap().validate_code(request.POST.get("code", ""))


def record_sign_in(request: HttpRequest, user: User, **_: Any) -> None:
    logger.info("signed in: account %s from %s", user.pk, _address(request))


def record_refusal(request: HttpRequest | None = None, **_: Any) -> None:
    """Without the address that was typed: people mistake fields, and then it is their password."""
    logger.warning("sign-in refused: wrong password or unknown account, from %s", _address(request))


def _address(request: HttpRequest | None) -> str:
    """The client's, as far as the configured proxies can be trusted (ALLAUTH_TRUSTED_PROXY_COUNT)."""
    if request is None:
        return "the command line"
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:
        return "an unknown address"


def connect(config: AppConfig) -> None:
    """Events come first: what follows must not have happened when one of them cannot be written."""
    user_logged_in.connect(events.begun, dispatch_uid="accounts.begun")
    user_logged_out.connect(events.ended, dispatch_uid="accounts.ended")
    user_login_failed.connect(events.refused, dispatch_uid="accounts.refused")
    authentication_step_completed.connect(events.confirmed, dispatch_uid="accounts.confirmed")
    authentication_failed.connect(events.factor_refused, dispatch_uid="accounts.factor_refused")
    pre_save.connect(events.factor_added, sender=Authenticator, dispatch_uid="accounts.factor_added")
    post_delete.connect(events.provider_removed, sender=SocialAccount, dispatch_uid="accounts.provider_removed")
    post_delete.connect(events.factor_removed, sender=Authenticator, dispatch_uid="accounts.factor_removed")
    user_logged_in.connect(sessions.stamp, dispatch_uid="accounts.stamp")
    authentication_step_completed.connect(sessions.renew_id, dispatch_uid="accounts.renew_id")
    authenticator_added.connect(use_up_code, dispatch_uid="accounts.use_up_code")
    authenticator_added.connect(second_factor.note_added, dispatch_uid="accounts.note_added")
    user_logged_in.connect(record_sign_in, dispatch_uid="accounts.record_sign_in")
    user_login_failed.connect(record_refusal, dispatch_uid="accounts.record_refusal")
    post_save.connect(sessions.end_when_disabled, sender=User, dispatch_uid="accounts.end_when_disabled")
    post_migrate.connect(roles.make_groups, sender=config, dispatch_uid="accounts.make_groups")
