"""Django admin: who gets in, what can be changed there, and that every change is an event."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from memoryportal.accounts import links
from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.memory import SubjectId

from .helpers import HTMX, add_totp, is_signed_in, links_in, person, sign_in, signed_in, trail_shut

pytestmark = pytest.mark.django_db
CANARY = "quillwort-customer"


@pytest.fixture
def admin(db: None) -> User:
    user = person("admin@example.com", is_superuser=True)
    add_totp(user)
    return user


@pytest.fixture
def admin_client(admin: User) -> Client:
    return signed_in(admin)


def page(account: User, rest: str = "change/") -> str:
    return f"/admin/accounts/user/{account.pk}/{rest}"


def event(action: str) -> Event:
    return Event.objects.filter(action=action).latest("seq")


def test_an_administrator_sees_accounts_and_nothing_else(admin_client: Client, alice: User) -> None:
    assert "Accounts and roles" in admin_client.get("/admin/").content.decode()
    models = set(re.findall(r'href="/admin/(\w+/\w+)/"', admin_client.get("/admin/").content.decode()))
    assert models == {"accounts/user", "agent/servicekey"}
    assert "alice@example.com" in admin_client.get("/admin/accounts/user/").content.decode()
    assert "alice@example.com" in admin_client.get("/admin/accounts/user/?q=alice").content.decode()
    assert "alice@example.com" not in admin_client.get("/admin/accounts/user/?q=bob").content.decode()


def test_the_list_is_narrowed_down_by_what_it_offers(admin_client: Client, alice: User) -> None:
    for query, found in (("is_active__exact=1", True), ("is_active__exact=0", False), ("groups__isnull=True", True)):
        answer = admin_client.get(f"/admin/accounts/user/?{query}")
        assert ("alice@example.com" in answer.content.decode()) is found, query


@pytest.mark.parametrize(
    "asked",
    [
        *("password__startswith={password}", "password__gt=a", "subject__startswith={subject}", "subject={subject}"),
        *("subject_links__subject__startswith=a", "authenticator__data__icontains=a", "email__startswith=a"),
    ],
)
def test_no_address_asks_for_a_password_letter_by_letter(asked: str, admin_client: Client, alice: User) -> None:
    """Nor for anything else that the list does not offer: whether somebody is found would be the answer."""
    query = asked.format(password=alice.password[:9], subject=alice.subject)
    answer = admin_client.get(f"/admin/accounts/user/?{query}")
    assert answer.status_code == 400
    assert "alice@example.com" not in answer.content.decode()


def test_nor_for_a_service_key(admin_client: Client) -> None:
    for query in ("digest__startswith=a", "former_digest__startswith=a", "created_by__password__startswith=a"):
        assert admin_client.get(f"/admin/agent/servicekey/?{query}").status_code == 400
    assert admin_client.get("/admin/agent/servicekey/?revoked_at__isnull=True").status_code == 200


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", "/admin/accounts/user/1/roles/"])
def test_strangers_are_sent_away(path: str, client: Client, alice_client: Client) -> None:
    assert client.get(path).headers["Location"].startswith("/accounts/login/?next=")
    assert client.post(path, headers=HTMX).headers["HX-Redirect"].startswith("/accounts/login/")
    for answer in (alice_client.get(path), alice_client.post(path)):
        assert answer.status_code == 404
        assert "There is nothing here" in answer.content.decode()


def test_an_administrator_without_a_second_factor_sees_nothing(client: Client, alice: User, settings: Any) -> None:
    client.force_login(person("admin@example.com", is_superuser=True))
    for path in ("/admin/", page(alice), page(alice, "roles/")):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "First add a second factor" in answer.content.decode()
        assert "alice@example.com" not in answer.content.decode()
    settings.DEMO = True
    assert client.get("/admin/").status_code == 200


def test_an_administrator_who_did_not_show_the_second_factor_sees_nothing(client: Client, alice: User) -> None:
    admin = person("admin@example.com", is_superuser=True)
    client.force_login(admin)
    add_totp(admin)
    for answer in (client.get(page(alice)), client.post(page(alice), {"_save": "Save"})):
        assert answer.status_code == 403
        assert "First show your second factor" in answer.content.decode()
        assert "alice@example.com" not in answer.content.decode()
    assert User.objects.get(pk=alice.pk).is_active
    assert signed_in(admin).get(page(alice)).status_code == 200


def test_a_role_that_was_taken_away_is_gone_at_the_next_request(admin: User, admin_client: Client, alice: User) -> None:
    assert admin_client.get(page(alice)).status_code == 200
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert admin_client.get(page(alice)).status_code == 404
    assert admin_client.post(page(alice, "sessions/")).status_code == 404


def test_django_has_no_sign_in_of_its_own_here(admin_client: Client) -> None:
    for path in ("login", "logout", "password_change", "autocomplete", "r/1/1"):
        assert admin_client.get(f"/admin/{path}/").status_code == 404
    assert "/admin/logout/" not in admin_client.get("/admin/").content.decode()


def test_one_field_can_be_changed(admin_client: Client, alice: User) -> None:
    links.link(alice, SubjectId(CANARY), reason="ticket 12")
    text = admin_client.get(page(alice)).content.decode()
    assert CANARY in text
    assert alice.password not in text
    form = text[text.index('id="user_form"') :]
    assert set(re.findall(r'name="(\w+)"', form)) == {"csrfmiddlewaretoken", "is_active", "_save", "_continue"}
    sent = {
        "is_active": "on",
        "email": "x@example.com",
        "subject": "x",
        "password": "x",
        "is_superuser": "on",
        "groups": "1",
        "time_zone": "Europe/Berlin",
    }
    before = User.objects.filter(pk=alice.pk).values().get()
    admin_client.post(page(alice), sent)
    assert User.objects.filter(pk=alice.pk).values().get() == before
    assert not alice.groups.exists()


def test_nothing_is_made_or_deleted_there(admin_client: Client, alice: User) -> None:
    for path in ("/admin/accounts/user/add/", page(alice, "delete/")):
        assert admin_client.get(path).status_code == 403
        assert admin_client.post(path, {"post": "yes", "email": "x@example.com"}).status_code == 403
    admin_client.post("/admin/accounts/user/", {"action": "delete_selected", "_selected_action": alice.pk})
    assert User.objects.filter(pk=alice.pk).exists()


def test_a_closed_account_loses_its_sessions_and_leaves_an_event(
    admin: User, admin_client: Client, alice: User, client: Client
) -> None:
    sign_in(client, "alice@example.com")
    assert admin_client.post(page(alice), {}).status_code == 302
    assert not User.objects.get(pk=alice.pk).is_active
    assert not is_signed_in(client)
    closed = event("account.changed")
    assert (closed.actor, closed.role, closed.details["state"], closed.details["fields"]) == (
        str(admin.pk),
        "admin",
        "closed",
        ["is_active"],
    )
    assert not LogEntry.objects.exists()
    admin_client.post(page(alice), {"is_active": "on"})
    assert event("account.changed").details["state"] == "open"
    assert not is_signed_in(client)


def test_saving_what_did_not_change_leaves_no_event(admin_client: Client, alice: User) -> None:
    before = Event.objects.count()
    admin_client.post(page(alice), {"is_active": "on"})
    assert Event.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_without_its_event_nothing_is_changed(admin_client: Client, alice: User) -> None:
    with trail_shut():
        assert admin_client.post(page(alice), {}).status_code == 503
        assert admin_client.post(page(alice, "sessions/")).status_code == 503
        assert admin_client.post(page(alice, "recover/")).status_code == 503
    assert User.objects.get(pk=alice.pk).is_active
    assert mail.outbox == []


def test_a_session_of_an_administrator_is_a_short_one(admin: User, alice_client: Client) -> None:
    client = Client()
    client.force_login(admin)
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        assert client.get("/admin/").headers["Location"].startswith("/accounts/login/")
        assert is_signed_in(alice_client)


def test_the_last_administrator_cannot_be_shut_out(admin: User, admin_client: Client) -> None:
    answer = admin_client.post(page(admin), {})
    assert "This is the last administrator" in answer.content.decode()
    assert User.objects.get(pk=admin.pk).is_active


def test_djangos_own_history_is_not_there(admin_client: Client, alice: User) -> None:
    assert admin_client.get(page(alice, "history/")).status_code == 404
    assert "history/" not in admin_client.get(page(alice)).content.decode()


def test_the_list_costs_the_same_for_many(
    admin_client: Client, alice: User, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    admin_client.get("/admin/accounts/user/")
    with django_assert_max_num_queries(12) as few:
        admin_client.get("/admin/accounts/user/")
    for number in range(3):
        person(f"p{number}@example.com")
    with django_assert_num_queries(len(few)):
        admin_client.get("/admin/accounts/user/")


# --- getting somebody back in ----------------------------------------------------------------------------------------


def test_a_new_password_link_goes_to_the_confirmed_address(admin_client: Client, alice: User) -> None:
    EmailAddress.objects.create(user=alice, email="planted@example.com", verified=False, primary=False)
    text = admin_client.get(page(alice, "recover/")).content.decode()
    assert "alice@example.com" in text
    assert mail.outbox == []
    answer = admin_client.post(page(alice, "recover/"), {"email": "mallory@example.com"}, follow=True)
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]
    key = next(path for path in links_in(mail.outbox[0].body) if "reset/key" in path)
    assert key not in answer.content.decode()
    assert event("account.changed").details["fields"] == ["recovery"]


def test_without_a_confirmed_address_no_link_goes_out(admin_client: Client, alice: User) -> None:
    EmailAddress.objects.update(verified=False)
    before = Event.objects.count()
    assert "no confirmed address" in admin_client.post(page(alice, "recover/"), follow=True).content.decode()
    assert mail.outbox == []
    assert Event.objects.count() == before


def test_all_sessions_of_somebody_end(admin_client: Client, alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    assert admin_client.get(page(alice, "sessions/")).status_code == 200
    assert is_signed_in(client)
    admin_client.post(page(alice, "sessions/"))
    assert not is_signed_in(client)
    assert not UserSession.objects.filter(user=alice).exists()
    assert event("session.ended").role == "admin"


def test_a_person_that_never_was_is_not_found(admin_client: Client) -> None:
    for rest in ("roles/", "recover/", "address/", "sessions/"):
        assert admin_client.get(f"/admin/accounts/user/999999/{rest}").status_code == 404
        assert admin_client.post(f"/admin/accounts/user/999999/{rest}").status_code == 404


def test_every_page_keeps_to_the_content_security_policy(admin_client: Client, alice: User) -> None:
    for path in ("/admin/", "/admin/accounts/user/", page(alice), page(alice, "roles/"), page(alice, "address/")):
        text = admin_client.get(path).content.decode()
        assert not re.findall(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|<style", text), path
        assert "is responsible for this data" in text, path
        assert "theme.js" not in text, path


def test_every_page_of_the_administration_is_known_to_the_tests() -> None:
    """A new model in there would be a new window: it has to be looked at first."""
    found = get_resolver()
    admin_urls = next(entry for entry in found.url_patterns if str(entry.pattern) == "admin/")
    tops = {str(entry.pattern) for entry in admin_urls.url_patterns}
    assert tops == {"", "jsi18n/", "accounts/user/", "agent/servicekey/", "^(?P<app_label>agent|accounts)/$"}
