"""Signing in at a provider: who gets in, what is linked, and every answer that proves nothing."""

import re
import time
from typing import Any

import jwt
import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core import mail
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import links
from memoryportal.accounts.configuration import social_providers
from memoryportal.accounts.models import Letter, SubjectLink, User
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.models import Event
from memoryportal.memory import SubjectId
from tests.erasure.making import an_erasure

from .helpers import add_totp, code_now, is_signed_in, links_in, person, prove, sign_in
from .oidc_provider import OidcProvider, come_back, go, leave

pytestmark = pytest.mark.django_db


def nothing_was_made() -> bool:
    return not (User.objects.exists() or SocialAccount.objects.exists() or SubjectLink.objects.exists())


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


# --- answers that prove nothing --------------------------------------------------------------------------------------

BAD_CLAIMS = {
    "wrong nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "wrong audience": {"aud": "somebody-else"},
    "audience of two": {"aud": ["memoryportal", "somebody-else"]},
    "wrong issuer": {"iss": "https://elsewhere.example"},
    "expired": {"exp": 1_000_000_000},
    "issued later": {"iat": 9_000_000_000},
    "no expiry": {"exp": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "subject is a number": {"sub": 17},
}


@pytest.mark.parametrize("change", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_an_id_token_that_is_not_for_us_signs_nobody_in(
    change: dict[str, Any], provider: OidcProvider, client: Client
) -> None:
    provider.change = change
    answer = go(client)
    assert answer.status_code == 401
    assert "That did not work" in answer.content.decode()
    assert nothing_was_made()
    assert not is_signed_in(client)
    assert Event.objects.filter(action="session.refused", details__method="oidc").count() == 1


@pytest.mark.parametrize("algorithm", ["none", "HS256", "forged"])
def test_an_id_token_that_the_provider_did_not_sign_signs_nobody_in(
    algorithm: str, provider: OidcProvider, client: Client
) -> None:
    if algorithm == "forged":
        provider.signed_by = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        provider.algorithm = algorithm
    assert go(client).status_code == 401
    assert nothing_was_made()


def test_an_answer_counts_once_and_in_its_own_session_only(provider: OidcProvider, client: Client) -> None:
    address = leave(client)
    sent = requests.get(address, allow_redirects=False, timeout=5).headers["Location"]
    path = sent.replace("http://testserver", "")
    thief = Client()
    assert thief.get(path).status_code == 401
    assert nothing_was_made()
    assert client.get(path).status_code == 302
    assert Client().get(path).status_code == 401
    assert client.get(path).status_code == 401  # the same code a second time
    assert User.objects.count() == 1


def test_a_code_of_another_session_is_worth_nothing(provider: OidcProvider, client: Client) -> None:
    own = re.search("state=([^&]*)", leave(client))
    stolen = requests.get(leave(Client()), allow_redirects=False, timeout=5).headers["Location"]
    code = re.search("code=([^&]*)", stolen)
    assert own
    assert code
    answer = client.get(f"/accounts/oidc/login/callback/?state={own[1]}&code={code[1]}")
    assert answer.status_code == 401
    assert nothing_was_made()


def test_somebody_who_comes_back_without_signing_in_reads_so(provider: OidcProvider, client: Client) -> None:
    provider.refuse = True
    assert go(client).headers["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert "You did not sign in" in client.get("/accounts/3rdparty/login/cancelled/").content.decode()


def test_a_provider_that_is_down_is_no_crash(provider: OidcProvider, client: Client) -> None:
    address = leave(client)
    sent = requests.get(address, allow_redirects=False, timeout=5).headers["Location"]
    provider.down = True
    assert client.post("/accounts/oidc/login/").status_code == 503
    answer = client.get(sent.replace("http://testserver", ""))
    assert answer.status_code == 503
    assert "did not answer" in answer.content.decode()
    assert nothing_was_made()


def test_a_provider_that_describes_itself_as_another_is_not_used(
    provider: OidcProvider, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = provider.description() | {"issuer": "https://elsewhere.example"}
    monkeypatch.setattr(provider, "description", lambda: described)
    assert client.post("/accounts/oidc/login/").status_code == 503
    assert provider.asked == []


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
