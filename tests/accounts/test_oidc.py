"""Signing in at a provider: who gets in, what is linked and what is kept."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core import mail
from django.test import Client

from memoryportal.accounts import links
from memoryportal.accounts.configuration import social_providers
from memoryportal.accounts.models import Letter, SubjectLink, User
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.models import Event
from memoryportal.memory import SubjectId

from .helpers import add_totp, code_now, is_signed_in, links_in, prove, sign_in
from .oidc_provider import OidcProvider, go, nothing_was_made

pytestmark = pytest.mark.django_db


def test_a_sign_in_makes_an_account_with_a_link(provider: OidcProvider, client: Client) -> None:
    answer = go(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/memories/")
    user = User.objects.get()
    assert user.email == "alice@sso.example"
    assert not user.has_usable_password()
    assert EmailAddress.objects.get().verified
    assert own_subjects(user) == ["u_alice", user.subject]
    link = SubjectLink.objects.get()
    assert (link.proof, link.issuer, link.claim, link.by) == ("oidc", provider.issuer, "sub", user)
    assert SocialAccount.objects.get().uid == f"{provider.issuer} u_alice"
    assert is_signed_in(client)
    assert Event.objects.filter(action="link.made", actor=str(user.pk), role="person").count() == 1
    assert Letter.objects.get(kind="link_made").to == "alice@sso.example"


def test_nothing_else_of_the_sign_in_is_kept(provider: OidcProvider, client: Client) -> None:
    provider.user |= {"name": "Alice Quillwort", "picture": "https://sso.example/alice.png"}
    go(client)
    account = SocialAccount.objects.get()
    assert account.extra_data == {"issuer": provider.issuer, "subject": "u_alice"}
    assert not SocialToken.objects.exists()
    assert "opaque" not in str(client.session.items())


def test_the_second_sign_in_is_the_same_account(provider: OidcProvider, client: Client) -> None:
    go(client)
    user = User.objects.get()
    other = Client()
    provider.user["email"] = "moved@sso.example"
    go(other)
    assert User.objects.get() == user
    assert (User.objects.get().email, User.objects.get().subject) == ("alice@sso.example", user.subject)
    assert SubjectLink.objects.count() == 1
    assert is_signed_in(other)


def test_a_link_that_the_person_took_away_stays_away(provider: OidcProvider, client: Client) -> None:
    go(client)
    links.remove(SubjectLink.objects.get(), by=User.objects.get())
    go(Client())
    assert not SubjectLink.objects.exists()


def test_the_same_sub_at_another_issuer_is_somebody_else(provider: OidcProvider, client: Client, alice: User) -> None:
    SocialAccount.objects.create(user=alice, provider="oidc", uid="https://elsewhere.example u_alice")
    go(client)
    assert SocialAccount.objects.get(uid=f"{provider.issuer} u_alice").user != alice


def test_the_address_connects_nobody(provider: OidcProvider, client: Client, alice: User) -> None:
    provider.user["email"] = "alice@example.com"
    go(client)
    assert not is_signed_in(client)
    assert User.objects.get() == alice
    assert not SocialAccount.objects.exists()
    assert not SubjectLink.objects.exists()
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]


@pytest.mark.parametrize("verified", ["false", "true", 1, False, None])
def test_only_a_true_value_confirms_an_address(verified: object, provider: OidcProvider, client: Client) -> None:
    provider.user["email_verified"] = verified
    go(client)
    assert not EmailAddress.objects.get().verified
    assert not is_signed_in(client)


def test_somebody_without_an_address_is_asked_for_one(provider: OidcProvider, client: Client) -> None:
    del provider.user["email"]
    answer = go(client)
    assert answer.headers["Location"] == "/accounts/3rdparty/signup/"
    assert "One more thing" in client.get("/accounts/3rdparty/signup/").content.decode()
    client.post("/accounts/3rdparty/signup/", {"email": "alice@example.com"})
    assert own_subjects(User.objects.get()) == ["u_alice", User.objects.get().subject]
    assert not is_signed_in(client)  # not before the address is confirmed
    client.post(next(path for path in links_in(mail.outbox[-1].body) if "confirm" in path))
    go(client)
    assert is_signed_in(client)


def test_an_id_that_is_taken_while_somebody_types_their_address_is_refused(
    provider: OidcProvider, client: Client, bob: User
) -> None:
    del provider.user["email"]
    go(client)
    links.link(bob, SubjectId("u_alice"), reason="meanwhile")
    answer = client.post("/accounts/3rdparty/signup/", {"email": "alice@example.com"})
    assert answer.status_code == 409
    assert (User.objects.get(), SocialAccount.objects.count()) == (bob, 0)
    assert Event.objects.filter(action="link.refused").count() == 1


def test_a_provider_is_disconnected_with_an_event(provider: OidcProvider, client: Client, alice: User) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    go(client, "/settings/ids/connect/")
    assert "(The Shop)" in client.get("/accounts/3rdparty/").content.decode()
    client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    assert not SocialAccount.objects.exists()
    assert Event.objects.filter(action="account.changed", details__state="removed", actor=str(alice.pk)).count() == 1
    assert SubjectLink.objects.get().account == alice  # the ids are another page's business


def test_without_the_provider_its_accounts_break_no_page(
    provider: OidcProvider, client: Client, alice: User, settings: Any
) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    go(client, "/settings/ids/connect/")
    settings.OIDC, settings.SOCIALACCOUNT_PROVIDERS = None, social_providers(None)
    for path in ("/accounts/3rdparty/", "/settings/", "/memories/"):
        assert client.get(path).status_code == 200
    assert client.get("/settings/ids/connect/").status_code == 404


def test_a_closed_portal_takes_nobody_new(provider: OidcProvider, client: Client, settings: Any) -> None:
    settings.SIGNUP_OPEN = False
    assert "No new accounts here" in go(client).content.decode()
    assert nothing_was_made()


def test_a_second_factor_is_asked_for_here_as_well(provider: OidcProvider, client: Client) -> None:
    go(client)
    secret = add_totp(User.objects.get())
    other = Client()
    assert go(other).headers["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(other)
    other.post("/accounts/2fa/authenticate/", {"code": code_now(secret)})
    assert is_signed_in(other)


def test_the_way_leads_on_to_pages_of_this_host_only(provider: OidcProvider, client: Client) -> None:
    assert go(client, next="/held/").headers["Location"] == "/held/"
    assert go(Client(), next="https://evil.example/").headers["Location"] == "/memories/"


def test_the_address_of_the_question_says_what_must_be_said(provider: OidcProvider, client: Client) -> None:
    go(client, path="/accounts/oidc/login/?scope=admin&auth_params=prompt%3Dnone&process=connect")
    asked = provider.asked[0]
    assert set(asked["scope"].split()) == {"openid", "email"}
    assert "prompt" not in asked
    assert asked["redirect_uri"] == "http://testserver/accounts/oidc/login/callback/"
    assert len(asked["nonce"]) >= 24
    assert is_signed_in(client)  # a sign-in, whatever the address of the form asked for


def test_a_get_leaves_nobody(provider: OidcProvider, client: Client) -> None:
    answer = client.get("/accounts/oidc/login/?next=/held/")
    assert "Go on to The Shop" in answer.content.decode()
    assert provider.asked == []


def test_without_a_provider_there_is_no_such_page(client: Client) -> None:
    for path in ("/accounts/oidc/login/", "/accounts/oidc/login/callback/"):
        assert client.get(path).status_code == 404
    assert "oidc" not in client.get("/accounts/login/").content.decode()


def test_the_sign_in_page_offers_it(provider: OidcProvider, client: Client) -> None:
    assert "Sign in with The Shop" in client.get("/accounts/login/").content.decode()
