"""An account that goes takes everything along that hangs on it, and nothing of anybody else's."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import links, removal
from memoryportal.accounts.models import SubjectLink, User
from memoryportal.accounts.removal import PLACE, RemovalRefused
from memoryportal.accounts.waiting import AddressChange, LinkAsk, MailedCode, RoleAsk
from memoryportal.audit.models import Event
from memoryportal.memory import StoreUnavailable, SubjectId
from memoryportal.memory.places import Whose
from memoryportal.support.models import AccessGrant

from .helpers import add_totp, is_signed_in, person, sign_in

pytestmark = pytest.mark.django_db
PARTS = {
    UserSession,
    EmailAddress,
    Authenticator,
    SocialAccount,
    SubjectLink,
    LinkAsk,
    RoleAsk,
    AddressChange,
    MailedCode,
}


def settle(user: User, privacy: User) -> None:
    """One row of everything that an account can have, and a second session."""
    for _ in range(2):
        sign_in(Client(), user.email)
    add_totp(user)
    address = EmailAddress.objects.create(user=user, email=f"second-{user.email}")
    EmailConfirmation.objects.create(email_address=address, key=f"key-of-{user.pk}")
    social = SocialAccount.objects.create(user=user, provider="oidc", uid=f"uid-{user.pk}")
    SocialToken.objects.create(account=social, token="secret")
    links.link(user, SubjectId(f"u_{user.pk}"), reason="ticket 17")
    about = {"account": user, "by": privacy, "reason": "a letter of last week"}
    LinkAsk.objects.create(**about, subject=f"v_{user.pk}")
    RoleAsk.objects.create(**about, role="support")
    now = timezone.now()
    AddressChange.objects.create(account=user, old=user.email, new="new@example.com", by=privacy, due_at=now)
    MailedCode.objects.create(account=user, action="/erasure/", digest="0", until=now + timedelta(minutes=5))


def everything() -> dict[Any, set[Any]]:
    """The keys of all rows that hang on any account."""
    models = (*PARTS, User, Session, SocialToken, EmailConfirmation)
    return {model: set(model._default_manager.values_list("pk", flat=True)) for model in models}


@pytest.fixture
def privacy() -> User:
    return person("privacy@example.com")


def test_everything_of_the_account_goes_and_nothing_else(alice: User, bob: User, privacy: User) -> None:
    settle(bob, privacy)
    before = everything()
    settle(alice, privacy)
    whole = {model: keys - before[model] for model, keys in everything().items()}
    found = removal.rows(alice.pk)
    assert all(whole[model] for model in whole if model is not User), "there is one of each to be missed"
    assert found == sum(map(len, whole.values())) + 2, "with the account and its first address, which were there before"
    assert removal.remove(alice.pk) == found
    assert removal.rows(alice.pk) == 0
    first = EmailAddress.objects.filter(email=alice.email)
    assert not first.exists()
    after = everything()
    assert after.pop(User) == before.pop(User) - {alice.pk}
    assert after.pop(EmailAddress) < before.pop(EmailAddress)
    assert after == before
    assert removal.rows(bob.pk) == found


def test_removing_again_is_no_error(alice: User) -> None:
    assert removal.remove(alice.pk) == 2
    assert removal.remove(alice.pk) == 0
    assert removal.rows(alice.pk) == 0


def test_whoever_was_signed_in_is_out(alice: User) -> None:
    client = Client()
    sign_in(client, alice.email)
    assert is_signed_in(client)
    removal.remove(alice.pk)
    assert not is_signed_in(client)
    assert sign_in(Client(), alice.email).status_code == 200, "the form again, as for an unknown address"


def test_the_same_address_can_sign_up_again_as_somebody_else(alice: User) -> None:
    address, subject = alice.email, alice.subject
    removal.remove(alice.pk)
    again = person(address)
    assert again.subject != subject
    assert not links.is_held_by_another(SubjectId(subject), again)


def test_the_trail_does_not_say_that_the_person_removed_their_factors(alice: User, privacy: User) -> None:
    settle(alice, privacy)
    before = Event.objects.count()
    removal.remove(alice.pk)
    assert Event.objects.count() == before


@pytest.mark.parametrize("role", ["support", "privacy", "auditor", "administrator"])
def test_an_account_with_a_role_stays(alice: User, role: str) -> None:
    if role == "administrator":
        User.objects.filter(pk=alice.pk).update(is_superuser=True)
    else:
        alice.groups.add(Group.objects.get(name=role))
    before, found = everything(), removal.rows(alice.pk)
    with pytest.raises(RemovalRefused, match=rf"this account works for us \({role}\): an administrator has to"):
        removal.remove(alice.pk)
    assert (everything(), removal.rows(alice.pk)) == (before, found)
    assert role in removal.objection(User.objects.get(pk=alice.pk))
    assert issubclass(RemovalRefused, StoreUnavailable), "the engine tries again, and then asks people"


def test_an_account_that_looked_at_others_stays(alice: User, bob: User) -> None:
    """Somebody who worked here: whom they looked at must stay known. All parts were gone before this was noticed."""
    about = {"subject": bob.subject, "person": bob, "category": "question", "ticket": "T-1", "reason": "she asked us"}
    AccessGrant.objects.create(staff=alice, minutes=15, ends_at=timezone.now(), **about)
    add_totp(alice)
    before = everything()
    assert removal.objection(alice) == ""
    with pytest.raises(RemovalRefused, match="this account looked at people's memories"):
        removal.remove(alice.pk)
    assert everything() == before
    assert removal.remove(bob.pk), "whom they looked at can go"
    assert AccessGrant.objects.get().person is None


def test_the_keeper_acts_only_where_the_account_is_to_go(alice: User) -> None:
    keeper = PLACE.keeper
    assert keeper is not None
    stays, goes = Whose((SubjectId(alice.subject),)), Whose((SubjectId(alice.subject),), account=alice.pk)
    assert [keeper.concerns(stays), keeper.count(stays), keeper.erase(stays)] == [False, 0, 0]
    assert User.objects.filter(pk=alice.pk).exists()
    assert [keeper.concerns(goes), keeper.count(goes), keeper.erase(goes), keeper.count(goes)] == [True, 2, 2, 0]
    assert not User.objects.filter(pk=alice.pk).exists()


def test_every_row_that_points_to_an_account_is_thought_of() -> None:
    """Rows that go along are counted before and after; all others outlive the account, or keep it from going."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, a.attname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
            "JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) "
            "WHERE k.contype = 'f' AND k.confrelid = 'accounts_user'::regclass"
        )
        pointing = set(cursor.fetchall())
    counted = {(str(model._meta.db_table), "user_id") for model in PARTS} | {
        (str(model._meta.db_table), "account_id") for model in PARTS
    }
    worked_here = {("accounts_linkask", "by_id"), ("accounts_roleask", "by_id"), ("support_quota", "staff_id")}
    worked_here |= {("support_accessgrant", "staff_id"), ("django_admin_log", "user_id")}
    rights = {("accounts_user_groups", "user_id"), ("accounts_user_user_permissions", "user_id")}
    counters = {("mydata_spent", "account_id")}  # go along by the model's own cascade (tests/mydata/test_limits.py)
    emptied = {
        (str(related.related_model._meta.db_table), str(related.field.column))
        for related in User._meta.get_fields(include_hidden=True)
        if getattr(related, "on_delete", None) is not None and related.on_delete.__name__ == "SET_NULL"
    }
    assert pointing - counted - worked_here - rights - counters - emptied == set()
