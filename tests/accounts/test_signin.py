import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from memoryportal.accounts.models import User

from .helpers import add_totp, code_now, is_signed_in, links_in, person, prove, sign_in

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another-portal-2"


def words_of(page: bytes) -> str:
    """A page without what differs between any two: tokens, nonces, and the address that was typed."""
    text = re.sub(r'(csrfmiddlewaretoken" value|X-CSRFToken": |nonce)(=)?"[^"]*"', "", page.decode())
    return re.sub(r"[\w.]+@example\.com", "ADDRESS", text)


def sign_up(client: Client, address: str, password: str = NEW_PASSWORD, **data: str) -> object:
    form = {"email": address, "password1": password, "password2": password, **data}
    return client.post("/accounts/signup/", form)


def test_a_person_signs_in_and_sees_their_memories(alice: User, client: Client) -> None:
    assert sign_in(client, "alice@example.com").headers["Location"] == "/memories/"
    assert is_signed_in(client)


def test_the_case_of_the_address_does_not_matter(alice: User, client: Client) -> None:
    sign_in(client, "Alice@Example.com")
    assert is_signed_in(client)


def test_the_fields_are_called_login_and_password(client: Client) -> None:
    page = client.get("/accounts/login/").content.decode()
    assert re.search(r'<input[^>]* name="login"[^>]* autocomplete="(email|username)', page)
    assert re.search(r'<input type="password" name="password"[^>]*autocomplete="current-password"', page)


def test_a_signed_in_person_asking_for_the_sign_in_goes_on(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    assert client.get("/accounts/login/").headers["Location"] == "/memories/"


# --- nobody learns who has an account ---


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(alice: User) -> None:
    wrong = sign_in(Client(), "alice@example.com", "wrong")
    unknown = sign_in(Client(), "nobody@example.com", "wrong")
    assert (wrong.status_code, unknown.status_code) == (200, 200)
    assert words_of(wrong.content) == words_of(unknown.content)
    assert "This e-mail address and this password do not go together." in wrong.content.decode()


def test_a_wrong_password_of_a_closed_account_is_answered_alike() -> None:
    person("closed@example.com", is_active=False)
    wrong = sign_in(Client(), "closed@example.com", "wrong")
    unknown = sign_in(Client(), "nobody@example.com", "wrong")
    assert words_of(wrong.content) == words_of(unknown.content)


def test_asking_for_a_new_password_is_answered_alike(alice: User) -> None:
    known = Client().post("/accounts/password/reset/", {"email": "alice@example.com"}, follow=True)
    unknown = Client().post("/accounts/password/reset/", {"email": "nobody@example.com"}, follow=True)
    assert known.redirect_chain == unknown.redirect_chain == [("/accounts/password/reset/done/", 302)]
    assert words_of(known.content) == words_of(unknown.content)
    assert [message.to for message in mail.outbox] == [["alice@example.com"], ["nobody@example.com"]]


def test_signing_up_is_answered_alike_and_makes_no_second_account(alice: User) -> None:
    taken, free = Client(), Client()
    for browser, address in ((taken, "alice@example.com"), (free, "carol@example.com")):
        assert sign_up(browser, address).headers["Location"] == "/accounts/confirm-email/"  # type: ignore[attr-defined]
    pages = [browser.get("/accounts/confirm-email/").content for browser in (taken, free)]
    assert words_of(pages[0]) == words_of(pages[1])
    assert User.objects.filter(email="alice@example.com").count() == 1
    assert User.objects.get(email="alice@example.com").check_password("demo-portal-1")
    assert [message.to for message in mail.outbox] == [["alice@example.com"], ["carol@example.com"]]


class CountingHasher(MD5PasswordHasher):
    """The hasher of the tests, which says how often it worked: the real one takes half a second each time."""

    worked = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.worked += 1
        return super().encode(password, salt)


def test_signing_up_takes_as_long_for_a_taken_address(alice: User, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    worked = []
    for address in ("alice@example.com", "carol@example.com"):
        before = CountingHasher.worked
        sign_up(Client(), address)
        worked.append(CountingHasher.worked - before)
    assert worked[0] == worked[1] == 1


@pytest.mark.parametrize(
    ("said", "zone"),
    [("Europe/Berlin", "Europe/Berlin"), ("", "UTC"), ("Mars/Olympus", "UTC"), ("../../etc/passwd", "UTC")],
)
def test_a_new_account_begins_in_the_zone_of_its_browser(said: str, zone: str, db: None) -> None:
    sign_up(Client(), "carol@example.com", time_zone=said)
    assert User.objects.get(email="carol@example.com").time_zone == zone


def test_signing_up_again_changes_no_zone(alice: User) -> None:
    sign_up(Client(), "alice@example.com", time_zone="Asia/Tokyo")
    assert User.objects.get(pk=alice.pk).time_zone == "UTC"


def test_whoever_is_sent_to_the_sign_in_reads_why() -> None:
    why = "You need to sign in to go on."
    assert why in Client().get("/held/", follow=True).content.decode()
    assert why not in Client().get("/accounts/login/").content.decode()


def test_changing_to_a_taken_address_is_answered_alike(alice: User, bob: User, client: Client) -> None:
    pages = []
    for number, address in enumerate(("alice@example.com", "free@example.com")):
        browser = Client(REMOTE_ADDR=f"192.0.2.{number}")
        sign_in(browser, "bob@example.com")
        prove(browser)
        pages.append(browser.post("/accounts/email/", {"email": address, "action_add": ""}, follow=True))
    assert pages[0].redirect_chain == pages[1].redirect_chain
    assert words_of(pages[0].content) == words_of(pages[1].content)
    assert User.objects.get(pk=alice.pk).email == "alice@example.com"
    assert User.objects.get(pk=bob.pk).email == "bob@example.com"


# --- guessing ---


def test_guessing_one_password_is_stopped_from_wherever_it_comes(alice: User) -> None:
    for number in range(5):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "alice@example.com", f"wrong {number}")
    client = Client(REMOTE_ADDR="192.0.2.99")
    answer = sign_in(client, "alice@example.com")
    assert "Too many failed login attempts" in answer.content.decode()
    assert not is_signed_in(client)
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        sign_in(client, "alice@example.com")
        assert is_signed_in(client)


def test_an_unknown_address_is_stopped_alike() -> None:
    for number in range(5):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "nobody@example.com", "wrong")
    answer = sign_in(Client(), "nobody@example.com", "wrong")
    assert "Too many failed login attempts" in answer.content.decode()


def test_one_address_cannot_try_many_accounts() -> None:
    answers = [sign_in(Client(REMOTE_ADDR="192.0.2.1"), f"n{number}@example.com", "x") for number in range(11)]
    assert "Too many failed login attempts" not in answers[9].content.decode()
    assert "Too many failed login attempts" in answers[10].content.decode()


def test_thirty_posts_a_minute_are_enough(alice: User) -> None:
    answers = [Client().post("/accounts/login/", {}) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert "Too many attempts" in answers[30].content.decode()


def test_a_forged_forwarded_header_does_not_renew_the_limit(alice: User) -> None:
    for number in range(11):
        client = Client(headers={"X-Forwarded-For": f"198.51.100.{number}"})
        answer = sign_in(client, f"n{number}@example.com", "x")
    assert "Too many failed login attempts" in answer.content.decode()


def test_attempts_are_counted_where_all_processes_see_them(settings: Settings) -> None:
    backend = settings.CACHES["default"]
    assert backend["BACKEND"] == "django.core.cache.backends.db.DatabaseCache"
    for number in range(500):  # Django's default would throw counters out after 300
        cache.set(f"other-{number}", "x", 300)
    assert cache.get("other-0") == "x"


# --- passwords ---


@pytest.mark.parametrize("password", ["short-1", "password123", "carol@example.com", "1234567890123"])
def test_a_weak_password_is_refused(password: str, client: Client) -> None:
    assert sign_up(client, "carol@example.com", password).status_code == 200  # type: ignore[attr-defined]
    assert not User.objects.filter(email="carol@example.com").exists()


def test_a_long_password_with_blanks_is_accepted_whole(client: Client) -> None:
    password = " " + "correct horse battery staple " * 4 + "ü"
    sign_up(client, "carol@example.com", password)
    user = User.objects.get(email="carol@example.com")
    assert user.check_password(password)
    assert not user.check_password(password[:72])
    assert not user.check_password(password.strip())


# --- signing up ---


def test_an_account_opens_when_its_address_is_confirmed(client: Client) -> None:
    sign_up(client, "Carol@Example.com")
    sign_in(client, "carol@example.com", NEW_PASSWORD)
    assert not is_signed_in(client)
    link = links_in(mail.outbox[0].body)[0]
    assert "Is <strong>carol@example.com</strong> your address" in client.get(link).content.decode()
    sign_in(client, "carol@example.com", NEW_PASSWORD)
    assert not is_signed_in(client)  # looking at the link is not confirming
    assert client.post(link).headers["Location"] == "/accounts/login/"
    sign_in(client, "carol@example.com", NEW_PASSWORD)
    assert is_signed_in(client)


def test_a_form_cannot_choose_a_subject_or_rights(client: Client, alice: User) -> None:
    forged = {"subject": alice.subject, "is_superuser": "1", "is_active": "1", "connected_at": "2020-01-01"}
    sign_up(client, "carol@example.com", **forged)
    carol = User.objects.get(email="carol@example.com")
    assert carol.subject != alice.subject
    assert (carol.is_superuser, carol.connected_at) == (False, None)


def test_a_closed_portal_makes_no_accounts(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = False
    for answer in (client.get("/accounts/signup/"), sign_up(client, "carol@example.com")):
        assert "No new accounts here" in answer.content.decode()  # type: ignore[attr-defined]
    assert not User.objects.filter(email="carol@example.com").exists()
    assert "/accounts/signup/" not in client.get("/accounts/login/").content.decode()
    assert "/accounts/signup/" not in client.get("/").content.decode()
    assert mail.outbox == []


# --- where a sign-in leads ---


def test_a_page_of_ours_is_returned_to(alice: User, client: Client) -> None:
    assert sign_in(client, "alice@example.com", next="/held/").headers["Location"] == "/held/"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "http://testserver@evil.example/",
        "https://sibling.allowed.example/",
        "https://trusted.example/",
    ],
)
def test_another_host_is_not_returned_to(address: str, alice: User, client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver", ".allowed.example"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]
    assert sign_in(client, "alice@example.com", next=address).headers["Location"] == "/memories/"
    assert client.post("/accounts/reauthenticate/", {"password": "demo-portal-1", "next": address}).headers[
        "Location"
    ] == ("/memories/")
    assert client.post("/accounts/logout/", {"next": address}).headers["Location"] == "/"


def test_a_page_of_ours_over_plain_http_is_not_returned_to_from_https(alice: User, client: Client) -> None:
    form = {"login": "alice@example.com", "password": "demo-portal-1", "next": "http://testserver/held/"}
    assert client.post("/accounts/login/", form, secure=True).headers["Location"] == "/memories/"


# --- a new password ---


def reset(client: Client, address: str) -> object:
    """Ask for a new password, follow the mailed link, and set one."""
    client.post("/accounts/password/reset/", {"email": address})
    form_page = client.get(links_in(mail.outbox[-1].body)[0]).headers["Location"]
    return client.post(form_page, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})


def test_a_new_password_ends_old_sessions_and_signs_nobody_in(alice: User, client: Client) -> None:
    thief = Client()
    sign_in(thief, "alice@example.com")
    reset(client, "alice@example.com")
    assert not is_signed_in(thief)
    assert not is_signed_in(client)
    sign_in(client, "alice@example.com", NEW_PASSWORD)
    assert is_signed_in(client)


def test_a_new_password_does_not_go_round_the_second_factor(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    reset(client, "alice@example.com")
    assert sign_in(client, "alice@example.com", NEW_PASSWORD).headers["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": code_now(secret)})
    assert is_signed_in(client)


def test_a_link_for_a_new_password_works_once(alice: User, client: Client) -> None:
    reset(client, "alice@example.com")
    answer = Client().get(links_in(mail.outbox[0].body)[0])
    assert "This link no longer works" in answer.content.decode()


def test_setting_a_password_touches_nothing_else(alice: User, client: Client) -> None:
    client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    form_page = client.get(links_in(mail.outbox[0].body)[0]).headers["Location"]
    client.get(form_page)
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    client.post(form_page, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    alice.refresh_from_db()
    assert alice.check_password(NEW_PASSWORD)
    assert alice.time_zone == "Asia/Tokyo"
