"""Step-up for people who have neither a password nor a second factor, and sign in at a provider."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import MailedCode, User
from memoryportal.audit.models import Event

from .helpers import HTMX, copy_of, person
from .oidc_provider import OidcProvider, come_back, go, leave
from .urls import done

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.urls")]


@pytest.fixture(autouse=True)
def _nothing_done() -> Iterator[None]:
    done.clear()
    return


@pytest.fixture
def sso(provider: OidcProvider, client: Client) -> User:
    """Somebody who signed in at the provider half an hour ago, in `client`."""
    with time_machine.travel(timezone.now() - timedelta(minutes=30)):
        go(client)
        provider.asked.clear()
    return User.objects.get()


def code_in_mail() -> str:
    found = re.search(r"^(\d{4}) (\d{4})$", mail.outbox[-1].body, re.MULTILINE)
    assert found
    return found[1] + found[2]


def ask(client: Client, path: str = "/test/dangerous/") -> None:
    assert client.post(path).headers["Location"] == "/settings/prove/"


def ask_for_a_code(client: Client, provider: OidcProvider) -> str:
    provider.auth_age = None
    ask(client)
    assert go(client, "/settings/prove/").status_code == 403
    assert client.post("/settings/prove/mail/").headers["Location"] == "/settings/prove/code/"
    return code_in_mail()


def type_in(client: Client, code: str) -> Any:
    return client.post("/settings/prove/code/", {"code": code})


def test_whoever_signs_in_there_once_more_comes_back_and_may_act(
    sso: User, provider: OidcProvider, client: Client
) -> None:
    ask(client)
    assert "sign in there once more" in client.get("/settings/prove/").content.decode()
    assert go(client, "/settings/prove/").headers["Location"] == "/test/dangerous/"
    assert (provider.asked[0]["prompt"], provider.asked[0]["max_age"]) == ("login", "0")
    assert done == []
    assert client.post("/test/dangerous/").content == b"done"
    assert Event.objects.filter(action="session.confirmed", details__method="oidc").count() == 1


def test_htmx_is_told_to_leave_the_page(sso: User, client: Client) -> None:
    answer = client.post("/test/dangerous/", headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/settings/prove/")


def test_a_proof_is_for_one_action(sso: User, provider: OidcProvider, client: Client) -> None:
    ask(client)
    go(client, "/settings/prove/")
    ask(client, "/settings/ids/connect/")
    assert client.post("/test/dangerous/").content == b"done"


def test_an_action_without_a_page_shares_the_proof_of_the_page_it_leads_back_to(
    sso: User, provider: OidcProvider, client: Client
) -> None:
    ask(client, "/test/only-post/")
    assert go(client, "/settings/prove/").headers["Location"] == "/test/dangerous/"
    assert client.post("/test/only-post/").content == b"done"


def test_a_proof_lasts_five_minutes(sso: User, provider: OidcProvider, client: Client) -> None:
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        ask(client)
        go(client, "/settings/prove/")
    with time_machine.travel(start + timedelta(seconds=299), tick=False):
        assert client.post("/test/dangerous/").content == b"done"
    with time_machine.travel(start + timedelta(seconds=301), tick=False):
        ask(client)
    with time_machine.travel(start - timedelta(seconds=10), tick=False):  # a clock that was set back
        ask(client)
    assert done == ["dangerous"]


def test_a_proof_is_of_one_session_with_a_new_id(sso: User, provider: OidcProvider, client: Client) -> None:
    thief, other = copy_of(client), Client()
    go(other)
    ask(client)
    ask(other)
    go(client, "/settings/prove/")
    assert client.post("/test/dangerous/").content == b"done"
    ask(other)
    assert thief.post("/test/dangerous/").headers["Location"].startswith("/accounts/login/")


def test_a_plain_sign_in_there_is_no_proof(sso: User, provider: OidcProvider, client: Client) -> None:
    ask(client)
    go(client)
    ask(client)
    assert done == []


@pytest.mark.parametrize("age", [3, 60, 86400, -3600])
def test_an_old_or_impossible_sign_in_there_proves_nothing(
    age: int, sso: User, provider: OidcProvider, client: Client
) -> None:
    provider.auth_age = age
    ask(client)
    answer = go(client, "/settings/prove/")
    assert answer.status_code == 403
    assert "Send me the code" in answer.content.decode()
    ask(client)
    assert done == []
    assert Event.objects.filter(action="session.refused", details__kind="code").count() == 1


@pytest.mark.parametrize("value", ["1999999999", True, 1.5e9, [1]])
def test_a_time_that_is_no_number_proves_nothing(
    value: object, sso: User, provider: OidcProvider, client: Client
) -> None:
    provider.change = {"auth_time": value}
    ask(client)
    assert go(client, "/settings/prove/").status_code == 403
    ask(client)


def test_somebody_else_there_proves_nothing(sso: User, provider: OidcProvider, client: Client, bob: User) -> None:
    SocialAccount.objects.create(user=bob, provider="oidc", uid=f"{provider.issuer} u_bob", extra_data={})
    for sub in ("u_mallory", "u_bob"):
        provider.user["sub"] = sub
        ask(client)
        answer = go(client, "/settings/prove/")
        assert answer.status_code == 403
        assert "That was another account" in answer.content.decode()
        ask(client)
    assert User.objects.count() == 2
    assert client.get("/test/whose/").status_code == 200  # still signed in as before
    assert done == []


@pytest.mark.parametrize("change", [{"nonce": "another"}, {"aud": "x"}, {"iss": "https://x.example"}, {"exp": 10**9}])
def test_an_answer_that_is_not_for_us_proves_nothing(
    change: dict[str, Any], sso: User, provider: OidcProvider, client: Client
) -> None:
    provider.change = change
    ask(client)
    assert go(client, "/settings/prove/").status_code == 401
    ask(client)
    assert done == []


def test_an_answer_to_an_earlier_question_proves_nothing(sso: User, provider: OidcProvider, client: Client) -> None:
    ask(client, "/test/only-post/")
    address = leave(client, "/settings/prove/")
    ask(client, "/settings/ids/connect/")
    assert come_back(client, address).status_code == 403
    ask(client)
    ask(client, "/settings/ids/connect/")


def test_without_a_question_nobody_is_sent_there(sso: User, provider: OidcProvider, client: Client) -> None:
    for path in ("/settings/prove/", "/settings/prove/code/"):
        assert client.get(path).headers["Location"] == "/settings/"
        assert client.post(path).headers["Location"] == "/settings/"
    assert client.post("/settings/prove/mail/").headers["Location"] == "/settings/"
    assert mail.outbox == []


def test_a_person_with_a_password_is_asked_for_that(provider: OidcProvider, client: Client, alice: User) -> None:
    SocialAccount.objects.create(
        user=alice, provider="oidc", uid=f"{provider.issuer} u_alice", extra_data={"issuer": provider.issuer}
    )
    client.force_login(alice)
    assert client.post("/test/dangerous/").headers["Location"].startswith("/accounts/reauthenticate/")


def test_an_account_of_another_issuer_is_no_way(provider: OidcProvider, client: Client) -> None:
    user = person("sso@example.com", password=None)
    SocialAccount.objects.create(user=user, provider="oidc", uid="x u_1", extra_data={"issuer": "https://x.example"})
    client.force_login(user)
    assert client.post("/test/dangerous/").status_code == 403
    assert done == []


# --- ways into the account -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/accounts/password/set/", "/accounts/2fa/totp/activate/", "/accounts/email/"])
def test_whoever_holds_the_session_cannot_add_a_way_in(
    path: str, sso: User, provider: OidcProvider, client: Client
) -> None:
    data = {"password1": "another-portal-2", "password2": "another-portal-2", "email": "x@example.com"}
    ask(client, path)
    assert client.post(path, {**data, "action_add": ""}).headers["Location"] == "/settings/prove/"
    assert not User.objects.get().has_usable_password()
    assert not Authenticator.objects.exists()
    assert go(client, "/settings/prove/").headers["Location"] == path
    assert client.get(path).status_code == 200


def test_a_proof_for_setting_a_password_is_none_for_anything_else(
    sso: User, provider: OidcProvider, client: Client
) -> None:
    ask(client, "/accounts/password/set/")
    go(client, "/settings/prove/")
    client.post("/accounts/password/set/", {"password1": "another-portal-2", "password2": "another-portal-2"})
    assert User.objects.get().has_usable_password()
    assert client.post("/test/dangerous/").headers["Location"].startswith("/accounts/reauthenticate/")


# --- codes by mail ---------------------------------------------------------------------------------------------------


def test_where_the_provider_does_not_say_when_a_mailed_code_does(
    sso: User, provider: OidcProvider, client: Client
) -> None:
    code = ask_for_a_code(client, provider)
    assert mail.outbox[-1].to == [sso.email]
    assert client.post("/test/dangerous/").status_code == 302
    ask_for_a_code(client, provider)
    assert type_in(client, code).status_code == 422  # the former code
    assert type_in(client, code_in_mail()).headers["Location"] == "/test/dangerous/"
    assert client.post("/test/dangerous/").content == b"done"
    ask(client, "/settings/ids/connect/")
    assert Event.objects.filter(action="session.confirmed", details__method="code").count() == 1


def test_a_code_is_kept_as_a_hash(sso: User, provider: OidcProvider, client: Client) -> None:
    code = ask_for_a_code(client, provider)
    row = MailedCode.objects.get()
    assert code not in str(list(MailedCode.objects.values())) + str(client.session.items())
    assert len(row.digest) == 64


def test_five_tries_and_no_more(sso: User, provider: OidcProvider, client: Client) -> None:
    code = ask_for_a_code(client, provider)
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    for _ in range(5):
        assert type_in(client, wrong).status_code == 422
    assert "There is no code" in type_in(client, code).content.decode()
    ask(client)
    assert MailedCode.objects.get().tries == 5
    assert Event.objects.filter(action="session.refused", details__method="code").count() == 6


def test_a_code_lasts_ten_minutes(sso: User, provider: OidcProvider, client: Client) -> None:
    code = ask_for_a_code(client, provider)
    MailedCode.objects.update(until=timezone.now())
    assert type_in(client, code).status_code == 422
    ask(client)


def test_a_code_works_once(sso: User, provider: OidcProvider, client: Client) -> None:
    code = ask_for_a_code(client, provider)
    type_in(client, code)
    session = client.session
    session["proof_asked"] = {"id": "x", "action": "/test/dangerous/", "back": "/", "at": 9e9, "code": True}
    session.pop("proof_held")
    session.save()
    assert type_in(client, code).status_code == 422


def test_a_code_is_for_its_session_and_its_action(sso: User, provider: OidcProvider, client: Client) -> None:
    code = ask_for_a_code(client, provider)
    other = Client()
    provider.auth_age = 0
    go(other)
    ask_for_a_code(other, provider)
    assert type_in(other, code).status_code == 422
    ask(client, "/settings/ids/connect/")
    provider.auth_age = None
    go(client, "/settings/prove/")
    assert type_in(client, code).status_code == 422
    ask(client)
    ask(client, "/settings/ids/connect/")


def test_codes_are_few(sso: User, provider: OidcProvider, client: Client) -> None:
    ask_for_a_code(client, provider)
    for _ in range(4):
        client.post("/settings/prove/mail/")
    sent = len(mail.outbox)
    answer = client.post("/settings/prove/mail/", follow=True)
    assert "several codes in this hour" in answer.content.decode()
    assert len(mail.outbox) == sent == 5


def test_a_code_that_cannot_be_mailed_is_none(sso: User, provider: OidcProvider, client: Client, settings: Any) -> None:
    provider.auth_age = None
    ask(client)
    go(client, "/settings/prove/")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    answer = client.post("/settings/prove/mail/", follow=True)
    assert "could not be sent" in answer.content.decode()
    assert not MailedCode.objects.exists()
