from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User

from .helpers import HTMX, add_totp, code_now, person, prove, show_factor, sign_in
from .urls import done

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.urls")]
ASK = "/accounts/reauthenticate/?next=%2Ftest%2Fdangerous%2F"


@pytest.fixture(autouse=True)
def _nothing_done() -> Iterator[None]:
    done.clear()
    return


@pytest.fixture
def without_password(client: Client) -> User:
    """Somebody who signs in elsewhere: no password, no second factor. Signed in ten minutes ago in `client`."""
    user = person("sso@example.com", password=None)
    with time_machine.travel(timezone.now() - timedelta(minutes=10)):
        client.force_login(user)
    return user


def test_a_sign_in_alone_is_not_enough(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    assert client.get("/test/dangerous/").headers["Location"] == ASK
    answer = client.post("/test/dangerous/")
    assert (answer.status_code, answer.headers["Location"]) == (302, ASK)
    assert done == []


def test_after_proving_it_the_page_comes_back_and_the_act_works(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    answer = prove(client, next="/test/dangerous/")
    assert answer.headers["Location"] == "/test/dangerous/"
    assert client.get("/test/dangerous/").content == b"ask"
    assert done == []
    assert client.post("/test/dangerous/").content == b"done"
    assert done == ["dangerous"]


def test_a_post_that_was_asked_for_proof_is_not_repeated(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    client.post("/test/dangerous/", {"confirm": "ERASE"})
    answer = client.post("/accounts/reauthenticate/?next=/test/dangerous/", {"password": "demo-portal-1"}, follow=True)
    assert answer.content == b"ask"
    assert done == []


def test_an_act_without_a_page_of_its_own_leads_back_to_the_page_before(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    assert client.post("/test/only-post/").headers["Location"] == ASK
    assert done == []


def test_a_wrong_password_proves_nothing(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    prove(client, "wrong")
    assert client.post("/test/dangerous/").headers["Location"] == ASK
    assert done == []


def test_a_proof_lasts_five_minutes(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        prove(client)
    with time_machine.travel(start + timedelta(seconds=299), tick=False):
        assert client.post("/test/dangerous/").content == b"done"
    with time_machine.travel(start + timedelta(seconds=301), tick=False):
        assert client.post("/test/dangerous/").headers["Location"] == ASK
    assert done == ["dangerous"]


def test_a_proof_is_of_one_session_only(alice: User, client: Client) -> None:
    other = Client()
    sign_in(client, "alice@example.com")
    sign_in(other, "alice@example.com")
    prove(client)
    assert other.post("/test/dangerous/").headers["Location"] == ASK
    assert done == []


@pytest.mark.django_db(transaction=True)
def test_a_proof_before_a_factor_was_added_elsewhere_opens_nothing(alice: User, bob: User, client: Client) -> None:
    other, bobs = Client(), Client()
    for each, address in ((client, alice.email), (other, alice.email), (bobs, bob.email)):
        sign_in(each, address)
        prove(each)
    client.get("/accounts/2fa/totp/activate/")
    secret = str(client.session["mfa.totp.secret"])
    client.post("/accounts/2fa/totp/activate/", {"code": code_now(secret)})
    assert other.get("/settings/").status_code == 200, "the session itself goes on"
    assert other.post("/test/dangerous/").headers["Location"] == ASK.replace("accounts/", "accounts/2fa/")
    assert "/2fa/reauthenticate/" in other.get("/accounts/2fa/recovery-codes/").headers["Location"]
    assert done == []
    assert client.post("/test/dangerous/").content == b"done", "here the factor was added"
    assert bobs.post("/test/dangerous/").content == b"done"
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        show_factor(other, secret)
        assert other.post("/test/dangerous/").content == b"done"


def test_htmx_is_sent_to_the_whole_page(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    answer = client.post("/test/dangerous/", headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, ASK)
    assert done == []


def test_nobody_in_particular_is_sent_to_the_sign_in(client: Client) -> None:
    answer = client.post("/test/dangerous/")
    assert answer.headers["Location"] == "/accounts/login/?next=%2Ftest%2Fdangerous%2F"
    assert done == []


def test_a_person_without_a_password_does_not_pass_silently(without_password: User, client: Client) -> None:
    for answer in (client.get("/test/dangerous/"), client.post("/test/dangerous/")):
        assert answer.status_code == 403
        assert "First you need a way to confirm that it is you" in answer.content.decode()
    assert done == []


def test_a_person_without_a_password_does_not_pass_right_after_signing_in_either(client: Client) -> None:
    client.force_login(person("sso@example.com", password=None))
    assert client.post("/test/dangerous/").status_code == 403
    assert done == []


def test_a_person_without_a_password_gets_one_by_mail(without_password: User, client: Client) -> None:
    client.post("/accounts/password/reset/", {"email": without_password.email})
    assert [message.to for message in mail.outbox] == [["sso@example.com"]]
    assert "/accounts/password/reset/key/" in mail.outbox[0].body


def test_a_person_with_only_an_authenticator_app_proves_it_with_a_code(without_password: User, client: Client) -> None:
    secret = add_totp(without_password)
    answer = client.post("/test/dangerous/")
    assert answer.headers["Location"] == "/accounts/2fa/reauthenticate/?next=%2Ftest%2Fdangerous%2F"
    client.post("/accounts/2fa/reauthenticate/", {"code": code_now(secret)})
    assert client.post("/test/dangerous/").content == b"done"


@pytest.mark.parametrize(
    "page",
    [
        "/accounts/password/set/",
        "/accounts/email/",
        "/accounts/2fa/totp/activate/",
        "/accounts/2fa/webauthn/add/",
        "/accounts/2fa/recovery-codes/generate/",
    ],
)
def test_whoever_holds_a_session_without_a_password_cannot_add_a_way_in(
    page: str, without_password: User, client: Client
) -> None:
    data = {
        "password1": "another-portal-2",
        "password2": "another-portal-2",
        "email": "x@example.com",
        "action_add": "",
    }
    assert client.get(page).status_code == 403
    assert client.post(page, data).status_code == 403
    without_password.refresh_from_db()
    assert not without_password.has_usable_password()
    assert not Authenticator.objects.exists()
    assert EmailAddress.objects.count() == 1


def test_whoever_holds_a_session_of_somebody_with_only_a_factor_sets_no_password(
    without_password: User, client: Client
) -> None:
    secret, new = add_totp(without_password), {"password1": "another-portal-2", "password2": "another-portal-2"}
    page = "/accounts/password/set/"
    for answer in (client.get(page), client.post(page, new)):
        assert answer.headers["Location"] == "/accounts/2fa/reauthenticate/?next=%2Faccounts%2Fpassword%2Fset%2F"
    without_password.refresh_from_db()
    assert not without_password.has_usable_password()
    show_factor(client, secret)
    client.post(page, new)
    without_password.refresh_from_db()
    assert without_password.check_password("another-portal-2")


def test_a_person_without_a_password_sets_one_right_after_signing_in(client: Client) -> None:
    user = person("sso@example.com", password=None)
    client.force_login(user)
    client.post("/accounts/password/set/", {"password1": "another-portal-2", "password2": "another-portal-2"})
    user.refresh_from_db()
    assert user.check_password("another-portal-2")


def test_the_address_changes_only_after_proving_it(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    change = {"email": "new@example.com", "action_add": ""}
    answer = client.post("/accounts/email/", change)
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not EmailAddress.objects.filter(email="new@example.com").exists()
    prove(client)
    client.post("/accounts/email/", change)
    assert EmailAddress.objects.get(email="new@example.com").user == alice
    assert User.objects.get(pk=alice.pk).email == "alice@example.com"


def test_a_second_factor_is_added_only_after_proving_it(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    for page in ("totp/activate", "webauthn/add", "recovery-codes/generate"):
        answer = client.get(f"/accounts/2fa/{page}/")
        assert answer.status_code == 302, page
    assert not Authenticator.objects.exists()
