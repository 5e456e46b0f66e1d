"""Which id a sign-in at a provider brings, and what is connected to an account that exists."""

import time
from typing import Any

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core import mail
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import links
from memoryportal.accounts.models import Letter, SubjectLink, User
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.models import Event
from memoryportal.memory import SubjectId
from tests.erasure.making import an_erasure

from .helpers import is_signed_in, person, prove, sign_in
from .oidc_provider import OidcProvider, come_back, go, leave, nothing_was_made

pytestmark = pytest.mark.django_db


# --- the id that assistants use --------------------------------------------------------------------------------------


def test_another_claim_can_hold_the_id(provider: OidcProvider, client: Client, settings: Any) -> None:
    settings.OIDC = type(settings.OIDC)(provider.issuer, "memoryportal", "a", "The Shop", "customer")
    provider.user["customer"] = "c-17"
    go(client)
    assert SubjectLink.objects.get().subject == "c-17"
    assert SubjectLink.objects.get().claim == "customer"
    assert SocialAccount.objects.get().uid == f"{provider.issuer} u_alice"


def test_somebody_without_that_claim_signs_in_without_a_link(
    provider: OidcProvider, client: Client, settings: Any
) -> None:
    settings.OIDC = type(settings.OIDC)(provider.issuer, "memoryportal", "a", "The Shop", "customer")
    go(client)
    assert is_signed_in(client)
    assert not SubjectLink.objects.exists()


@pytest.mark.parametrize("how", ["linked", "issued"])
def test_an_id_of_another_account_is_refused_and_told(
    how: str, provider: OidcProvider, client: Client, bob: User
) -> None:
    if how == "linked":
        links.link(bob, SubjectId("u_alice"), reason="ticket 12")
    else:
        provider.user["sub"] = bob.subject
    before = (list(SubjectLink.objects.values_list("pk", "account")), Letter.objects.filter(kind="link_made").count())
    answer = go(client)
    assert answer.status_code == 409
    assert "This belongs to another account" in answer.content.decode()
    assert not is_signed_in(client)
    assert (User.objects.get(), SocialAccount.objects.count()) == (bob, 0)
    after = (list(SubjectLink.objects.values_list("pk", "account")), Letter.objects.filter(kind="link_made").count())
    assert after == before
    assert Letter.objects.get(kind="link_refused").to == "privacy@example.com"
    event = Event.objects.get(action="link.refused")
    assert (event.actor, event.details) == ("anonymous", {"method": "oidc"})
    assert event.subject is not None


@pytest.mark.parametrize("value", ["*", "a,b", " u", "", 17, ["u_alice"]])
def test_an_id_that_no_store_may_know_is_refused(
    value: object, provider: OidcProvider, client: Client, settings: Any
) -> None:
    settings.OIDC = type(settings.OIDC)(provider.issuer, "memoryportal", "a", "The Shop", "customer")
    provider.user["customer"] = value
    assert go(client).status_code == 409
    assert nothing_was_made()


# --- connecting an account that exists -------------------------------------------------------------------------------


def test_somebody_with_an_account_connects_it(provider: OidcProvider, client: Client, alice: User) -> None:
    sign_in(client, "alice@example.com")
    assert client.post("/settings/ids/connect/").headers["Location"].startswith("/accounts/reauthenticate/")
    assert provider.asked == []
    prove(client)
    answer = go(client, "/settings/ids/connect/")
    assert answer.headers["Location"] == "/settings/"
    assert SocialAccount.objects.get().user == alice
    assert own_subjects(User.objects.get()) == ["u_alice", alice.subject]
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]
    go(other := Client())
    assert other.get("/settings/").context["user"] == alice


def test_connecting_again_brings_a_link_back(provider: OidcProvider, client: Client, alice: User) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    go(client, "/settings/ids/connect/")
    links.remove(SubjectLink.objects.get(), by=alice)
    go(client, "/settings/ids/connect/")
    assert SubjectLink.objects.get().account == alice
    assert SocialAccount.objects.count() == 1


def test_what_another_account_holds_is_not_connected(
    provider: OidcProvider, client: Client, alice: User, bob: User
) -> None:
    SocialAccount.objects.create(user=bob, provider="oidc", uid=f"{provider.issuer} u_alice", extra_data={})
    sign_in(client, "alice@example.com")
    prove(client)
    assert go(client, "/settings/ids/connect/").status_code == 409
    assert SocialAccount.objects.get().user == bob
    assert not SubjectLink.objects.exists()
    assert Event.objects.get(action="link.refused").actor == str(alice.pk)


def test_an_answer_connects_only_whoever_asked(provider: OidcProvider, client: Client, alice: User, bob: User) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    address = leave(client, "/settings/ids/connect/")
    states = client.session["socialaccount_states"]
    other = Client()
    sign_in(other, "bob@example.com")
    session = other.session
    session["socialaccount_states"] = states
    session.save()
    come_back(other, address)
    assert not SocialAccount.objects.exists()
    assert not SubjectLink.objects.exists()


def test_an_expired_question_is_not_answered(provider: OidcProvider, client: Client) -> None:
    address = leave(client)
    session = client.session
    (state_id, (state, _, provider_id)) = next(iter(session["socialaccount_states"].items()))
    session["socialaccount_states"] = {state_id: (state, time.time() - 700, provider_id)}
    session.save()
    assert come_back(client, address).status_code == 401
    assert nothing_was_made()


def test_somebody_who_was_shut_out_stays_out(provider: OidcProvider, client: Client) -> None:
    go(client)
    user = User.objects.get()
    user.is_active = False
    user.save()
    other = Client()
    go(other)
    assert not is_signed_in(other)


def test_the_keys_of_the_provider_are_its_own() -> None:
    """The stand-in must be able to fail: its tokens verify with its own key and no other."""
    one, two = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    token = jwt.encode({"sub": "x"}, one, algorithm="RS256")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, two.public_key(), algorithms=["RS256"])


def test_an_account_without_a_confirmed_address_elsewhere_is_untouched(provider: OidcProvider, client: Client) -> None:
    bob = person("bob@example.com")
    go(client)
    assert not SocialAccount.objects.filter(user=bob).exists()
    assert own_subjects(bob) == [bob.subject]


def test_an_id_that_is_being_erased_for_somebody_else_makes_no_account(
    provider: OidcProvider, client: Client, bob: User
) -> None:
    an_erasure("u_alice", state="retrying", account=bob)
    answer = go(client)
    assert answer.status_code == 409
    assert "can be connected when that has ended" in answer.content.decode()
    assert User.objects.get() == bob
    assert not SubjectLink.objects.exists()
    assert not Letter.objects.exists()


def test_no_id_is_connected_to_an_account_that_is_to_go(
    provider: OidcProvider, alice: User, alice_client: Client
) -> None:
    an_erasure(alice.subject, state="on-hold", account=alice, scope="account", identified_at=timezone.now())
    prove(alice_client)
    answer = go(alice_client, "/settings/ids/connect/")
    assert answer.status_code == 409
    assert "take that request back first" in answer.content.decode()
    assert not SubjectLink.objects.exists()
    assert not SocialAccount.objects.exists()
