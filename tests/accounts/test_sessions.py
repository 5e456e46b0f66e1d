from datetime import timedelta

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.models import User

from .helpers import copy_of, is_signed_in, prove, sign_in

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another-portal-2"


def key_of(client: Client) -> str:
    return client.cookies["session"].value


def test_a_sign_in_gets_a_new_session_id(alice: User, client: Client) -> None:
    client.get("/accounts/login/?next=/settings/")
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies["session"] = planted
    sign_in(client, "alice@example.com")
    assert key_of(client) != planted
    assert not Session.objects.filter(session_key=planted).exists()
    assert is_signed_in(client)


def test_a_re_authentication_gets_a_new_session_id(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    stolen = copy_of(client)
    before = key_of(client)
    prove(client)
    assert key_of(client) != before
    assert is_signed_in(client)
    assert not is_signed_in(stolen)
    assert [session.session_key for session in UserSession.objects.filter(user=alice)] == [key_of(client)]


def test_a_failed_re_authentication_changes_nothing(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    before = key_of(client)
    assert prove(client, "wrong").status_code == 200
    assert key_of(client) == before


def test_the_old_cookie_is_dead_after_signing_out(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    stolen = copy_of(client)
    assert is_signed_in(stolen)
    answer = client.post("/accounts/logout/")
    assert answer.headers["Location"] == "/"
    assert "Clear-Site-Data" in answer.headers
    assert not is_signed_in(stolen)
    assert not is_signed_in(client)


def test_a_get_does_not_sign_out(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    assert b"Sign out?" in client.get("/accounts/logout/").content
    assert is_signed_in(client)


def test_an_idle_session_ends(alice: User, client: Client, settings: Settings) -> None:
    sign_in(client, "alice@example.com")
    with time_machine.travel(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE + 1)):
        assert not is_signed_in(client)


def test_use_keeps_a_session_alive(alice: User, client: Client, settings: Settings) -> None:
    start = timezone.now()
    sign_in(client, "alice@example.com")
    for part in (0.8, 1.6, 2.4):
        with time_machine.travel(start + timedelta(seconds=settings.SESSION_COOKIE_AGE * part)):
            assert is_signed_in(client)


def test_no_use_keeps_a_session_alive_for_ever(alice: User, client: Client, settings: Settings) -> None:
    settings.SESSION_ABSOLUTE_SECONDS = 3600
    start = timezone.now()
    sign_in(client, "alice@example.com")
    stolen = copy_of(client)
    with time_machine.travel(start + timedelta(seconds=3500)):
        assert is_signed_in(client)
    with time_machine.travel(start + timedelta(seconds=3700)):
        answer = client.get("/settings/", follow=True)
        assert answer.redirect_chain == [("/accounts/login/?next=/settings/", 302)]
        assert "you signed in a while ago" in answer.content.decode()
        assert not is_signed_in(stolen)


def test_a_session_without_a_date_is_too_old(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    session = client.session
    del session["signed_in_at"]
    session.save()
    assert not is_signed_in(client)


def test_a_disabled_account_is_signed_out_for_good(alice: User, client: Client) -> None:
    other = Client()
    sign_in(client, "alice@example.com")
    sign_in(other, "alice@example.com")
    alice.is_active = False
    alice.save()
    assert not UserSession.objects.filter(user=alice).exists()
    assert not is_signed_in(client)
    alice.is_active = True
    alice.save()
    assert not is_signed_in(client)
    assert not is_signed_in(other)


def test_an_account_disabled_behind_the_models_back_is_signed_out(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert not is_signed_in(client)
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert not is_signed_in(client)


def test_a_new_password_ends_all_other_sessions_and_shows_what_is_left(alice: User, client: Client) -> None:
    other = Client()
    sign_in(client, "alice@example.com")
    sign_in(other, "alice@example.com")
    passwords = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    answer = client.post("/accounts/password/change/", passwords, follow=True)
    assert answer.redirect_chain[-1] == ("/accounts/sessions/", 302)
    assert "You are signed in nowhere else" in answer.content.decode()
    assert is_signed_in(client)
    assert not is_signed_in(other)


def test_the_list_shows_each_session_and_what_it_is(alice: User, client: Client, bob: User) -> None:
    phone = Client(headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/604.1"})
    sign_in(phone, "alice@example.com")
    sign_in(Client(headers={"User-Agent": "Firefox of Bob"}), "bob@example.com")
    sign_in(client, "alice@example.com")
    page = client.get("/accounts/sessions/").content.decode()
    assert "Safari on iPhone" in page
    assert "this one" in page
    assert "Firefox" not in page
    assert "End all others" in page


def test_all_others_end_at_once(alice: User, bob: User, client: Client) -> None:
    other, bobs = Client(), Client()
    sign_in(client, "alice@example.com")
    sign_in(other, "alice@example.com")
    sign_in(bobs, "bob@example.com")
    client.post("/accounts/sessions/")
    assert is_signed_in(client)
    assert not is_signed_in(other)
    assert is_signed_in(bobs)


def test_one_session_ends(alice: User, client: Client) -> None:
    first, second = Client(), Client()
    for browser in (first, second, client):
        sign_in(browser, "alice@example.com")
    session = UserSession.objects.get(session_key=key_of(first))
    assert client.post(f"/settings/sessions/{session.pk}/end/").headers["Location"] == "/accounts/sessions/"
    assert not is_signed_in(first)
    assert is_signed_in(second)


def test_somebody_elses_session_does_not_end(alice: User, bob: User, client: Client) -> None:
    bobs = Client()
    sign_in(bobs, "bob@example.com")
    sign_in(client, "alice@example.com")
    session = UserSession.objects.get(user=bob)
    missing = client.post("/settings/sessions/999999/end/")
    foreign = client.post(f"/settings/sessions/{session.pk}/end/")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert is_signed_in(bobs)


def test_a_get_ends_no_session(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    session = UserSession.objects.get(user=alice)
    assert client.get(f"/settings/sessions/{session.pk}/end/").status_code == 405
    assert is_signed_in(client)


def test_an_operator_ends_all_sessions_of_one_account(alice: User, bob: User, client: Client) -> None:
    bobs = Client()
    sign_in(client, "alice@example.com")
    sign_in(bobs, "bob@example.com")
    call_command("end_sessions", "Alice@example.com")
    assert not is_signed_in(client)
    assert is_signed_in(bobs)
    with pytest.raises(CommandError, match="no account"):
        call_command("end_sessions", "nobody@example.com")


def test_last_use_is_noted_now_and_then_only(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    start = timezone.now()
    client.get("/settings/")
    with time_machine.travel(start + timedelta(seconds=60), tick=False):
        client.get("/settings/")
        assert UserSession.objects.get(user=alice).last_seen_at < start + timedelta(seconds=30)
    with time_machine.travel(start + timedelta(seconds=400), tick=False):
        client.get("/settings/")
    assert UserSession.objects.get(user=alice).last_seen_at == start + timedelta(seconds=400)
