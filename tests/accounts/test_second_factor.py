import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from memoryportal.accounts.mfa_adapter import MFAAdapter
from memoryportal.accounts.models import User

from .helpers import add_totp, code_now, is_signed_in, prove, show_factor, sign_in

pytestmark = pytest.mark.django_db


def stored() -> str:
    """What the table of second factors says, as the database sees it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator")
        return " ".join(row[0] for row in cursor.fetchall())


def enter(client: Client, code: str) -> Any:
    return client.post("/accounts/2fa/authenticate/", {"code": code})


def test_the_seed_of_an_app_is_stored_encrypted(alice: User) -> None:
    secret = add_totp(alice)
    assert secret not in stored()
    token = Authenticator.objects.get().data["secret"]
    assert token.startswith("gAAAA")  # Fernet
    assert MFAAdapter().decrypt(token) == secret


def test_the_seed_of_recovery_codes_is_stored_encrypted(alice: User) -> None:
    codes = RecoveryCodes.activate(alice)
    seed = codes.instance.data["seed"]
    assert MFAAdapter().decrypt(seed) != seed
    assert all(code not in stored() for code in codes.generate_codes())


def test_an_address_that_waits_is_named_as_what_is_in_the_way(alice: User) -> None:
    client = Client()
    sign_in(client, alice.email)
    prove(client)
    client.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    page = client.get("/accounts/2fa/totp/activate/", follow=True).content.decode()
    assert "A new address of yours waits to be confirmed." in page
    assert not Authenticator.objects.exists()


def test_a_new_passkey_has_a_name_that_says_what_it_is(alice: User) -> None:
    client = Client()
    sign_in(client, alice.email)
    prove(client)
    assert 'value="Passkey 1"' in client.get("/accounts/2fa/webauthn/add/").content.decode()


def test_keeping_the_old_address_is_confirmed_in_these_words(alice: User) -> None:
    client = Client()
    sign_in(client, alice.email)
    prove(client)
    client.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    kept = client.post("/accounts/email/", {"email": "new@example.com", "action_remove": ""}, follow=True)
    assert "You keep your address. new@example.com does not wait to be confirmed any more." in kept.content.decode()
    assert list(EmailAddress.objects.filter(user=alice).values_list("email", flat=True)) == [alice.email]


def test_two_equal_secrets_are_not_stored_alike() -> None:
    assert MFAAdapter().encrypt("seed") != MFAAdapter().encrypt("seed")


def test_a_new_secret_key_reads_what_a_former_one_wrote(settings: Settings) -> None:
    token = MFAAdapter().encrypt("seed")
    former, settings.SECRET_KEY = settings.SECRET_KEY, "a new key " * 6
    settings.SECRET_KEY_FALLBACKS = [former]
    assert MFAAdapter().decrypt(token) == "seed"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        MFAAdapter().decrypt(token)


def test_the_key_is_not_the_secret_key_itself(settings: Settings) -> None:
    token = MFAAdapter().encrypt("seed")
    settings.SECRET_KEY += "x"
    with pytest.raises(ImproperlyConfigured):
        MFAAdapter().decrypt(token)


def test_a_password_alone_does_not_sign_in(alice: User, client: Client) -> None:
    add_totp(alice)
    assert sign_in(client, "alice@example.com").headers["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(client)
    assert client.get("/memories/").status_code == 302


def test_a_code_works_once(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    other = Client()
    with time_machine.travel(timezone.now(), tick=False):
        code = code_now(secret)
        sign_in(client, "alice@example.com")
        enter(client, code)
        assert is_signed_in(client)
        sign_in(other, "alice@example.com")
        assert "This code is not right, or its time is over." in enter(other, code).content.decode()
        assert not is_signed_in(other)


def test_a_code_of_the_last_minute_does_not_work(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        code = code_now(secret)
    with time_machine.travel(start + timedelta(seconds=60), tick=False):
        sign_in(client, "alice@example.com")
        enter(client, code)
        assert not is_signed_in(client)


def test_guessing_codes_is_stopped(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    sign_in(client, "alice@example.com")
    for _ in range(6):
        answer = enter(client, "000000")
    assert "Too many" in answer.content.decode()
    enter(client, code_now(secret))
    assert not is_signed_in(client)


@pytest.mark.django_db(transaction=True)
def test_an_app_is_set_up_and_its_first_code_is_used_up(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    client.get("/accounts/2fa/totp/activate/")
    with time_machine.travel(timezone.now(), tick=False):
        secret = client.session["mfa.totp.secret"]
        code = code_now(secret)
        client.post("/accounts/2fa/totp/activate/", {"code": code})
        assert MFAAdapter().decrypt(Authenticator.objects.get(type="totp").data["secret"]) == secret
        assert "mfa.totp.secret" not in client.session
        other = Client()
        sign_in(other, "alice@example.com")
        enter(other, code)
        assert not is_signed_in(other)


def test_the_picture_to_scan_can_be_scanned_on_a_dark_page(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    assert client.session["mfa.totp.secret"] in page
    assert '<rect fill="white"' in MFAAdapter().build_totp_svg("otpauth://totp/x")


def test_a_recovery_code_works_once(alice: User, client: Client) -> None:
    add_totp(alice)
    code = RecoveryCodes.activate(alice).generate_codes()[0]
    other = Client()
    sign_in(client, "alice@example.com")
    enter(client, code)
    assert is_signed_in(client)
    sign_in(other, "alice@example.com")
    enter(other, code)
    assert not is_signed_in(other)


def test_recovery_codes_are_shown_only_after_proving_it(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    codes = RecoveryCodes.activate(alice).generate_codes()
    sign_in(client, "alice@example.com")
    enter(client, codes[1])
    for page in ("", "download/"):
        answer = client.get(f"/accounts/2fa/recovery-codes/{page}")
        assert answer.status_code == 302
        assert codes[0] not in answer.content.decode()
    show_factor(client, secret)
    assert codes[0] in client.get("/accounts/2fa/recovery-codes/").content.decode()


def test_after_a_change_of_factors_people_are_told_how_to_end_other_sessions(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    client.force_login(alice)
    show_factor(client, secret)
    page = client.post("/accounts/2fa/totp/deactivate/", follow=True).content.decode()
    assert "end your other sessions" in page
    assert 'href="/accounts/sessions/"' in page
    assert not Authenticator.objects.exists()


# --- a password is not enough for who has a second factor ---

SHOW_FACTOR = "/accounts/2fa/reauthenticate/"
NEW_PASSKEY = {"name": "mine", "credential": "{}", "passwordless": ""}


@pytest.mark.parametrize(
    ("method", "page", "data"),
    [
        ("post", "/accounts/2fa/totp/deactivate/", {}),
        ("get", "/accounts/2fa/recovery-codes/", {}),
        ("get", "/accounts/2fa/recovery-codes/download/", {}),
        ("post", "/accounts/2fa/recovery-codes/generate/", {}),
        ("get", "/accounts/2fa/webauthn/add/", {}),
        ("post", "/accounts/2fa/webauthn/add/", NEW_PASSKEY),
        ("post", "/export/json/", {}),
        ("get", "/erasure/?confirm", {}),
    ],
)
def test_a_password_alone_changes_no_second_factor_and_no_address(
    method: str, page: str, data: dict[str, str], alice: User, client: Client
) -> None:
    secret, codes = add_totp(alice), RecoveryCodes.activate(alice).generate_codes()
    before = stored()
    client.force_login(alice)
    for _ in range(2):  # by the form, and by its address alone
        answer = prove(client, next=page)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, SHOW_FACTOR)
    answer = getattr(client, method)(page, data)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, SHOW_FACTOR)
    assert codes[0] not in answer.content.decode()
    assert stored() == before
    assert list(EmailAddress.objects.values_list("email", flat=True)) == [alice.email]
    show_factor(client, secret)
    assert getattr(client, method)(page, data).headers.get("Location", "").partition("?")[0] != SHOW_FACTOR


def test_who_holds_the_password_and_a_session_does_not_replace_the_factor_of_the_staff(
    alice: User, client: Client
) -> None:
    alice.groups.set(Group.objects.filter(name="support"))
    client.force_login(alice)  # a session that showed no factor
    add_totp(alice)
    prove(client)
    client.post("/accounts/2fa/totp/deactivate/")
    client.get("/accounts/2fa/totp/activate/")
    assert "mfa.totp.secret" not in client.session
    assert Authenticator.objects.filter(user=alice, type="totp").count() == 1
    assert client.get("/support/").status_code == 403


def test_who_has_a_second_factor_keeps_the_address(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    client.force_login(alice)
    for proof in (lambda: prove(client), lambda: show_factor(client, secret)):
        proof()
        client.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
        assert list(EmailAddress.objects.values_list("email", flat=True)) == [alice.email]


def test_only_the_factor_is_offered_on_the_page_that_asks(alice: User, client: Client) -> None:
    add_totp(alice)
    client.force_login(alice)
    page = client.get("/accounts/reauthenticate/?next=/export/", follow=True)
    assert page.redirect_chain == [("/accounts/2fa/reauthenticate/?next=%2Fexport%2F", 302)]
    assert "/accounts/reauthenticate/" not in page.content.decode()


# --- the staff ---


def add_app(client: Client) -> str:
    """Add an authenticator app on the page for it; its secret."""
    prove(client)
    return enter_new_app(client)


def enter_new_app(client: Client) -> str:
    client.get("/accounts/2fa/totp/activate/")
    secret = str(client.session["mfa.totp.secret"])
    answer = client.post("/accounts/2fa/totp/activate/", {"code": code_now(secret)})
    assert answer.status_code == 302
    return secret


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of_the_staff", [True, False])
def test_a_first_factor_ends_the_other_sessions_of_the_staff(of_the_staff: bool, alice: User, bob: User) -> None:
    alice.groups.set(Group.objects.filter(name="support") if of_the_staff else [])
    here, elsewhere, bobs = Client(), Client(), Client()
    for client, address in ((here, alice.email), (elsewhere, alice.email), (bobs, bob.email)):
        sign_in(client, address)
        assert is_signed_in(client)
    add_app(here)
    assert is_signed_in(elsewhere) is not of_the_staff
    assert is_signed_in(here)
    assert is_signed_in(bobs)
    assert here.get("/support/").status_code == (200 if of_the_staff else 404), "who added it has it"


@pytest.mark.django_db(transaction=True)
def test_a_session_that_showed_none_does_not_count_by_adding_one_of_its_own(alice: User, client: Client) -> None:
    alice.groups.set(Group.objects.filter(name="support"))
    sign_in(client, alice.email)
    prove(client)
    Authenticator.objects.create(user=alice, type="webauthn", data={"name": "her key", "credential": {}})
    enter_new_app(client)  # within the minutes in which a password that was asked before the key is good
    assert client.get("/support/").status_code == 403


# --- passkeys ---


def test_a_passkey_can_be_asked_for(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    page = client.get("/accounts/2fa/webauthn/add/").content.decode()
    options = json.loads(page.split('id="js_data" type="application/json">')[1].split("</script>")[0])
    entity = options["creation_options"]["publicKey"]
    assert entity["rp"]["name"] == "MemoryPortal"
    assert entity["user"]["name"] == "alice@example.com"
    assert alice.subject not in page


def test_a_forged_passkey_signs_nobody_in(alice: User, client: Client) -> None:
    assert (
        "request_options" in client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"}).json()
    )
    forged = {"id": "x", "rawId": "x", "type": "public-key", "response": {}}
    client.post("/accounts/2fa/webauthn/login/", {"credential": json.dumps(forged)})
    assert not is_signed_in(client)
