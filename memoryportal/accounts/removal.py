"""Remove an account with everything that hangs on it: sessions, addresses, factors, links, what waits for somebody."""

from collections.abc import Iterator

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import models, transaction

from memoryportal.memory.errors import StoreUnavailable
from memoryportal.memory.places import Place, Whose

from .granting import held
from .models import SubjectLink, User
from .waiting import AddressChange, LinkAsk, MailedCode, RoleAsk


class RemovalRefused(StoreUnavailable):
    """This account does not go by itself; it is as it was. The message is for people."""


def objection(account: User) -> str:
    """Why this account does not go by itself, or nothing. Pages ask before a request is made."""
    if roles := held(account):
        return f"this account works for us ({', '.join(roles)}): an administrator has to take its roles away first"
    return ""


def rows(account_id: int) -> int:
    """How many rows the account has, itself included."""
    return sum(found.count() for found in _parts(account_id)) + User.objects.filter(pk=account_id).count()


def remove(account_id: int) -> int:
    """Remove the account, all or nothing; how many rows went, 0 when it is gone already. Raises RemovalRefused.

    Its parts go first and without Django's signals: these would leave events in the trail as if the person had removed
    a factor or a sign-in themselves. The erasure leaves one event for all.
    """
    with transaction.atomic():
        account = User.objects.select_for_update().filter(pk=account_id).first()
        if account is None:
            return 0
        if why := objection(account):
            raise RemovalRefused(why)
        gone = sum(found._raw_delete(found.db) for found in _parts(account_id))
        try:
            account.delete()
        except models.ProtectedError:
            raise RemovalRefused(
                "this account looked at people's memories when it worked for us, and that record has to stay: "
                "an administrator has to look into it"
            ) from None
        return gone + 1


def _parts(account_id: int) -> "Iterator[models.QuerySet[models.Model]]":
    """What goes with an account, in an order in which each part can go."""
    sessions = UserSession.objects.filter(user_id=account_id)
    yield Session.objects.filter(session_key__in=sessions.values("session_key"))
    yield sessions
    yield SocialToken.objects.filter(account__user_id=account_id)
    yield EmailConfirmation.objects.filter(email_address__user_id=account_id)
    for part in (SocialAccount, Authenticator, EmailAddress):
        yield part.objects.filter(user_id=account_id)
    for waiting in (SubjectLink, LinkAsk, RoleAsk, AddressChange, MailedCode):
        yield waiting._default_manager.filter(account_id=account_id)


class AccountKeeper:
    """Keeper of one account, where the request is that it goes too."""

    def concerns(self, whose: Whose) -> bool:
        return whose.account is not None

    def count(self, whose: Whose) -> int:
        return rows(whose.account) if whose.account is not None else 0

    def erase(self, whose: Whose) -> int:
        return remove(whose.account) if whose.account is not None else 0


PLACE = Place(
    "account",
    "Account",
    "How you sign in, where you are signed in, and which assistants' ids are connected",
    frozenset({"accounts_user.email", "accounts_user.password", "accounts_user.subject", "accounts_user.time_zone"}),
    AccountKeeper(),
)
