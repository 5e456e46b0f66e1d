"""An address that nobody has confirmed lets nobody into somebody else's account, whoever typed it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import SubjectLink, User

from .helpers import is_signed_in, links_in, person, prove, sign_in
from .oidc_provider import OidcProvider, go

pytestmark = pytest.mark.django_db
BOB, NEW, OTHER = "bob@example.com", "the-words-of-bob-22", "words-of-mallory-11"


def the_link(part: str) -> str:
    """The newest link of a mail with this in its path."""
    return next(path for message in reversed(mail.outbox) for path in links_in(message.body) if part in path)


def choose_password(client: Client, address: str, password: str = NEW) -> None:
    client.post("/accounts/password/reset/", {"email": address})
    page = client.get(the_link("/reset/key/"))
    client.post(page.headers["Location"], {"password1": password, "password2": password})


def sign_up(client: Client, password: str) -> Any:
    return client.post("/accounts/signup/", {"email": BOB, "password1": password, "password2": password})


def by_provider(provider: OidcProvider, client: Client) -> Callable[[], Any]:
    """Mallory signs in at the provider, which says or lets her type that she has Bob's address."""
    provider.user = {"sub": "u_mallory", "email": BOB, "email_verified": False}
    go(client)
    return lambda: go(client)


def by_typing(provider: OidcProvider, client: Client) -> Callable[[], Any]:
    provider.user = {"sub": "u_mallory"}
    go(client)
    client.post("/accounts/3rdparty/signup/", {"email": BOB})
    return lambda: go(client)


def by_password(provider: OidcProvider, client: Client) -> Callable[[], Any]:
    sign_up(client, OTHER)
    return lambda: sign_in(client, BOB, OTHER)


@pytest.mark.parametrize("before", [by_provider, by_typing, by_password])
def test_whoever_was_there_first_with_somebodys_address_gets_nowhere(
    before: Callable[[OidcProvider, Client], Callable[[], Any]], provider: OidcProvider
) -> None:
    mallory, bob = Client(), Client()
    again = before(provider, mallory)
    sign_up(bob, NEW)
    page = bob.get(the_link("confirm-email"))
    assert "First sign in here" in page.content.decode()
    bob.post(the_link("confirm-email"))
    assert not EmailAddress.objects.filter(verified=True).exists(), "Bob's browser shows nothing of that account"
    again()
    assert not is_signed_in(mallory)
    choose_password(bob, BOB)
    sign_in(bob, BOB, NEW)
    bob.post(the_link("confirm-email"))
    sign_in(bob, BOB, NEW)
    assert is_signed_in(bob)
    assert not SocialAccount.objects.exists()
    assert not SubjectLink.objects.exists()
    again()
    for path in ("/memories/", "/accounts/confirm-email/", "/accounts/login/"):
        mallory.get(path)
        assert not is_signed_in(mallory)
    assert User.objects.get().check_password(NEW)


def test_a_slip_in_a_new_address_gives_the_account_to_nobody(alice: User) -> None:
    here, stranger = Client(), Client()
    sign_in(here, alice.email)
    prove(here)
    here.post("/accounts/email/", {"email": "slip@example.com", "action_add": ""})
    confirming = the_link("confirm-email")
    mail.outbox.clear()
    stranger.post("/accounts/password/reset/", {"email": "slip@example.com"})
    assert not any("/reset/key/" in path for message in mail.outbox for path in links_in(message.body))
    assert "First sign in here" in stranger.get(confirming).content.decode()
    answer = stranger.post(confirming, follow=True)
    assert "Nothing was confirmed: sign in here first" in answer.content.decode()
    assert not EmailAddress.objects.get(email="slip@example.com").verified
    assert User.objects.get(pk=alice.pk).email == alice.email
    here.post(confirming)
    assert EmailAddress.objects.get(user=alice).email == "slip@example.com", "she says so herself"


def test_another_person_who_is_signed_in_confirms_nothing_for_an_account(alice: User, bob: User) -> None:
    here, bobs = Client(), Client()
    sign_in(here, alice.email)
    prove(here)
    here.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    sign_in(bobs, bob.email)
    bobs.post(the_link("confirm-email"))
    assert not EmailAddress.objects.get(email="new@example.com").verified


def test_a_new_password_leaves_the_sign_ins_of_whoever_was_there_before(provider: OidcProvider) -> None:
    """Somebody who has been in keeps them, also while an administrator's change of address waits to be confirmed."""
    hers = Client()
    go(hers)
    user = User.objects.get()
    EmailAddress.objects.filter(user=user).update(verified=False)
    choose_password(Client(), user.email)
    assert SocialAccount.objects.get().user == user
    assert SubjectLink.objects.get().account == user


def test_an_address_that_is_not_the_accounts_own_chooses_no_password(db: None) -> None:
    user = person("carol@example.com")
    EmailAddress.objects.create(user=user, email="second@example.com", verified=False, primary=False)
    Client().post("/accounts/password/reset/", {"email": "second@example.com"})
    assert [path for path in links_in(mail.outbox[-1].body) if "key" in path] == []
    Client().post("/accounts/password/reset/", {"email": "Carol@example.com"})
    assert "/reset/key/" in mail.outbox[-1].body


def test_nobody_is_kept_out_by_somebody_who_typed_their_address(alice: User) -> None:
    mallory, bob = Client(), Client()
    sign_in(mallory, alice.email)
    prove(mallory)
    mallory.post("/accounts/email/", {"email": BOB, "action_add": ""})
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):  # one such mail in three minutes
        sign_up(bob, NEW)
        bob.post(the_link("confirm-email"))
        sign_in(bob, BOB, NEW)
        assert is_signed_in(bob)
    bobs = EmailAddress.objects.get(email=BOB)
    assert (bobs.verified, bobs.user.email) == (True, BOB)
    assert [one.email for one in EmailAddress.objects.filter(user=alice)] == [alice.email]


@pytest.mark.django_db(transaction=True)
def test_signing_up_with_the_address_of_an_account_takes_nothing_from_it(alice: User) -> None:
    stranger = Client()
    new = {"email": alice.email, "password1": NEW, "password2": NEW}
    stranger.post("/accounts/signup/", new)
    assert EmailAddress.objects.get(user=alice).verified
    assert User.objects.count() == 1
    assert User.objects.get().check_password("demo-portal-1")


@pytest.mark.parametrize("typed", ["\u212aarols@example.com", "KAROLS@example.com", "karolS@Example.COM"])
def test_the_mail_goes_to_the_address_as_it_is_stored(typed: str, db: None) -> None:
    """The Kelvin sign becomes the letter of another mailbox when it is written small."""
    person("karols@example.com")
    Client().post("/accounts/password/reset/", {"email": typed})
    assert [message.to for message in mail.outbox] == [["karols@example.com"]]
    assert "/reset/key/" in mail.outbox[0].body
