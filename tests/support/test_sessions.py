"""Sessions of people with a role live shorter, on every page and not only on the staff's."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from tests.accounts.helpers import is_signed_in

from .staffing import signed_in

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def answers(client: Client, at: timedelta) -> int:
    with time_machine.travel(START + at, tick=False):
        return int(client.get("/support/").status_code)


START = timezone.now()


@pytest.fixture
def client_since_start(support: User) -> Client:
    with time_machine.travel(START, tick=False):
        return signed_in(support)


def test_half_an_hour_of_rest_ends_it(client_since_start: Client) -> None:
    assert answers(client_since_start, 29 * MINUTE) == 200
    assert answers(client_since_start, 60 * MINUTE) == 302
    assert answers(client_since_start, 61 * MINUTE) == 302


def test_the_rest_counts_on_every_page(client_since_start: Client) -> None:
    with time_machine.travel(START + 31 * MINUTE, tick=False):
        answer = client_since_start.get("/memories/", follow=True)
        assert "you had not done anything for a while" in answer.content.decode()
        assert not is_signed_in(client_since_start)


def test_use_keeps_it_for_a_working_day_and_no_longer(client_since_start: Client) -> None:
    for minutes in range(20, 480, 20):
        assert answers(client_since_start, minutes * MINUTE) == 200, minutes
    assert answers(client_since_start, 480 * MINUTE + MINUTE) == 302


def test_people_without_a_role_have_the_longer_one(alice: User) -> None:
    with time_machine.travel(START, tick=False):
        client = signed_in(alice)
    for hours in (7, 14, 21):
        with time_machine.travel(START + timedelta(hours=hours), tick=False):
            assert is_signed_in(client), hours


def test_a_role_that_is_given_during_a_session_makes_it_shorter(alice: User, support: User) -> None:
    with time_machine.travel(START, tick=False):
        client = signed_in(alice)
    for hours in (5, 10):
        with time_machine.travel(START + timedelta(hours=hours), tick=False):
            assert is_signed_in(client)
    alice.groups.add(Group.objects.get(name="auditor"))
    assert answers(client, timedelta(hours=10, minutes=1)) == 302  # signed in for longer than the staff may be
    with time_machine.travel(START + timedelta(hours=10, minutes=2), tick=False):
        assert not is_signed_in(client)


def test_the_settings_only_shorten(support: User, settings) -> None:
    settings.SESSION_COOKIE_AGE, settings.SESSION_ABSOLUTE_SECONDS = 600, 1200
    with time_machine.travel(START, tick=False):
        client = signed_in(support)
    assert answers(client, 9 * MINUTE) == 200
    assert answers(client, 18 * MINUTE) == 200
    assert answers(client, 21 * MINUTE) == 302


def test_signing_in_again_begins_anew(support: User, client_since_start: Client) -> None:
    with time_machine.travel(START + 40 * MINUTE, tick=False):
        client_since_start.force_login(support)
        assert client_since_start.get("/support/").status_code == 200
