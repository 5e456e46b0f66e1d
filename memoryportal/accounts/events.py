"""The events of signing in and of what signing in needs. Receivers of Django's and allauth's signals."""

import logging
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core import context as allauth_context
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.http import HttpRequest

from memoryportal.audit.actions import Action
from memoryportal.audit.record import NOBODY, AuditUnavailable, record
from memoryportal.memory.scope import SubjectId

from .models import User
from .trail import note_account, person

logger = logging.getLogger(__name__)
CODES = Authenticator.Type.RECOVERY_CODES


def begun(request: HttpRequest, user: User, **_: Any) -> None:
    """Receiver of user_logged_in. Raises AuditUnavailable: the sign-in then leaves no session (base/errors.py)."""
    methods = {str(record["method"]) for record in get_authentication_records(request, user)}
    about = {"method": "+".join(sorted(methods))} if methods else {}
    record(Action.SESSION_BEGUN, actor=person(user), subject=SubjectId(user.subject), details=about)


def ended(request: HttpRequest | None = None, user: User | None = None, **_: Any) -> None:
    """Receiver of user_logged_out. The one act that happens without its event: nobody is kept from leaving."""
    if user is None:
        return
    try:
        record(Action.SESSION_ENDED, actor=person(user), subject=SubjectId(user.subject))
    except AuditUnavailable:
        logger.exception("the trail has no session.ended for account %s", user.pk)


def confirmed(request: HttpRequest, user: User, method: str = "", reauthenticated: bool = False, **_: Any) -> None:
    """Receiver of authentication_step_completed: somebody proved again who they are."""
    if reauthenticated:
        note_account(user, Action.SESSION_CONFIRMED, request, method=method)


def refused(request: HttpRequest | None = None, **_: Any) -> None:
    """Receiver of user_login_failed. Never what was typed: people mistake fields, and then it is their password.

    Nor whose account it would have been: whoever tries addresses must not learn from the clock which ones exist.
    """
    user = getattr(request or allauth_context.request, "user", None)
    if isinstance(user, User):  # somebody who is signed in, and was asked for their password again
        note_account(user, Action.SESSION_REFUSED, request, method="password")
    else:
        record(Action.SESSION_REFUSED, actor=NOBODY, details={"method": "password"})


def factor_refused(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    """Receiver of authentication_failed: the password was right and the code was not."""
    note_account(user, Action.SESSION_REFUSED, request, method=str(authenticator.type))


def factor_added(instance: Authenticator, **_: Any) -> None:
    """Receiver of pre_save: the event stands before the factor does."""
    if instance._state.adding:
        action = Action.FACTOR_RESET if instance.type == CODES else Action.FACTOR_ADDED
        note_account(instance.user, action, kind=str(instance.type))


def provider_removed(instance: SocialAccount, **_: Any) -> None:
    """Receiver of post_delete, within the transaction of the deletion."""
    note_account(instance.user, Action.ACCOUNT_CHANGED, fields=["provider"], state="removed")


def factor_removed(instance: Authenticator, **_: Any) -> None:
    """Receiver of post_delete, within the transaction of the deletion. Recovery codes go along with other acts."""
    if instance.type != CODES:
        note_account(instance.user, Action.FACTOR_REMOVED, kind=str(instance.type))
