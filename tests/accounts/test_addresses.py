"""An address that the staff change: announced to the old one, made after 72 hours, stopped by one click."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail, signing
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import addresses, letters
from memoryportal.accounts.models import User
from memoryportal.accounts.tasks import change_address, change_addresses
from memoryportal.accounts.waiting import AddressChange, Letter
from memoryportal.audit.models import Event

from .helpers import add_totp, is_signed_in, links_in, person, sign_in, signed_in

pytestmark = pytest.mark.django_db
NEW = {"address": "New@Example.com", "reason": "Lost her mailbox, ticket 12"}


@pytest.fixture
def admin_client(db: None) -> Client:
    user = person("admin@example.com", is_superuser=True)
    add_totp(user)
    return signed_in(user)


def announce(client: Client, account: User, **change: str) -> str:
    """The page that follows."""
    answer = client.post(f"/admin/accounts/user/{account.pk}/address/", {**NEW, **change}, follow=True)
    return str(answer.content.decode())


def post_everything() -> None:
    for pk in Letter.objects.values_list("pk", flat=True):
        letters.deliver(str(pk))


def three_days_later() -> Any:
    return time_machine.travel(timezone.now() + timedelta(hours=72, seconds=1))


def address_of(account: User) -> tuple[str, list[tuple[str, bool, bool]]]:
    rows = EmailAddress.objects.filter(user=account).values_list("email", "primary", "verified")
    return User.objects.get(pk=account.pk).email, list(rows)


BEFORE = ("alice@example.com", [("alice@example.com", True, True)])


def test_the_old_address_is_told_and_nothing_changes_yet(admin_client: Client, alice: User) -> None:
    assert "made in 72 hours" in announce(admin_client, alice)
    post_everything()
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]
    assert "new@example.com" not in mail.outbox[0].body
    assert address_of(alice) == BEFORE
    change_addresses(0)
    change_address(AddressChange.objects.get().pk)
    assert address_of(alice) == BEFORE
    asked = Event.objects.get(action="account.changed")
    assert (asked.role, asked.reason, asked.details["state"]) == ("admin", NEW["reason"], "asked")


def test_after_three_days_the_worker_makes_it(admin_client: Client, alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    announce(admin_client, alice)
    with time_machine.travel(timezone.now() + timedelta(hours=71, minutes=59)):
        assert addresses.due() == []
    Letter.objects.all().delete()
    with three_days_later():
        (number,) = addresses.due()
        change_address(number)
        change_address(number)
    assert address_of(alice) == ("new@example.com", [("new@example.com", True, False)])
    assert not is_signed_in(client)
    assert set(Letter.objects.values_list("kind", "to")) == {
        ("address_changed", "alice@example.com"),
        ("address_changed", "new@example.com"),
    }
    assert not AddressChange.objects.exists()
    made = Event.objects.get(action="address.changed")
    assert (made.actor, made.details["state"]) == ("system", "made")
    assert "@" not in str(list(Event.objects.values_list("details", "object")))


def test_the_new_address_has_to_be_confirmed_before_anybody_signs_in(admin_client: Client, alice: User) -> None:
    announce(admin_client, alice)
    with three_days_later():
        addresses.apply(AddressChange.objects.get().pk)
    client = Client()
    sign_in(client, "alice@example.com")
    assert not is_signed_in(client)
    mail.outbox.clear()
    sign_in(client, "new@example.com")
    assert not is_signed_in(client)
    assert [message.to for message in mail.outbox] == [["new@example.com"]]
    client.post(next(path for path in links_in(mail.outbox[0].body) if "confirm" in path))
    sign_in(client, "new@example.com")
    assert is_signed_in(client)


def test_the_link_in_the_mail_stops_it(admin_client: Client, alice: User) -> None:
    announce(admin_client, alice)
    post_everything()
    (path,) = [path for path in links_in(mail.outbox[0].body) if "/cancel/" in path]
    stranger = Client()
    assert "Keep the address?" in stranger.get(path).content.decode()
    assert AddressChange.objects.count() == 1
    assert "stays as it is" in stranger.post(path).content.decode()
    assert not AddressChange.objects.exists()
    for answer in (stranger.get(path), stranger.post(path)):
        assert "Nothing waits here" in answer.content.decode()
    with three_days_later():
        assert addresses.due() == []
    assert address_of(alice) == BEFORE
    assert Event.objects.filter(action="account.changed", actor="anonymous", details__state="cancelled").count() == 1


def test_a_link_that_nobody_signed_stops_nothing(admin_client: Client, alice: User, client: Client) -> None:
    announce(admin_client, alice)
    number = AddressChange.objects.get().pk
    for token in ("x", str(number), signing.dumps(number), signing.dumps(number, salt="another")):
        assert "Nothing waits here" in client.post(f"/settings/address/{token}/cancel/").content.decode()
    assert AddressChange.objects.count() == 1


def test_an_administrator_stops_it(admin_client: Client, alice: User) -> None:
    announce(admin_client, alice)
    assert (
        "was announced to alice@example.com"
        in admin_client.get(f"/admin/accounts/user/{alice.pk}/address/").content.decode()
    )
    admin_client.post(f"/admin/accounts/user/{alice.pk}/address/cancel/")
    assert not AddressChange.objects.exists()
    assert admin_client.post(f"/admin/accounts/user/{alice.pk}/address/cancel/").status_code == 404


@pytest.mark.parametrize("address", ["bob@example.com", "BOB@example.com", "planted@example.com", "alice@example.com"])
def test_an_address_in_use_is_refused(address: str, admin_client: Client, alice: User, bob: User) -> None:
    EmailAddress.objects.create(user=bob, email="planted@example.com", verified=False)
    assert "it is in use" in announce(admin_client, alice, address=address)
    assert not AddressChange.objects.exists()
    assert not Letter.objects.exists()


def test_nobody_does_this_for_themselves(admin_client: Client) -> None:
    assert "your own address" in announce(admin_client, User.objects.get(email="admin@example.com"))
    assert not AddressChange.objects.exists()


def test_one_change_waits_at_a_time(admin_client: Client, alice: User) -> None:
    announce(admin_client, alice)
    assert "waits already" in announce(admin_client, alice, address="third@example.com")
    assert AddressChange.objects.get().new == "new@example.com"


def test_an_address_that_is_taken_meanwhile_is_not_taken_away(admin_client: Client, alice: User) -> None:
    announce(admin_client, alice)
    person("new@example.com")
    with three_days_later():
        assert not addresses.apply(AddressChange.objects.get().pk)
    assert address_of(alice) == BEFORE
    assert not AddressChange.objects.exists()
    assert Event.objects.filter(action="account.changed", details__state="overtaken").count() == 1


def test_a_person_who_changed_it_meanwhile_has_the_last_word(admin_client: Client, alice: User) -> None:
    announce(admin_client, alice)
    User.objects.filter(pk=alice.pk).update(email="own-choice@example.com")
    with three_days_later():
        assert not addresses.apply(AddressChange.objects.get().pk)
    assert User.objects.get(pk=alice.pk).email == "own-choice@example.com"


def test_it_needs_a_reason_and_an_address(admin_client: Client, alice: User) -> None:
    for change in ({"address": "no address"}, {"reason": "short"}, {"reason": ""}):
        answer = admin_client.post(f"/admin/accounts/user/{alice.pk}/address/", {**NEW, **change})
        assert answer.status_code == 422
    assert not AddressChange.objects.exists()
