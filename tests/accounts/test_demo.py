import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from memoryportal.accounts.demo import create_demo_accounts
from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import is_connected

from .helpers import is_signed_in, sign_in

pytestmark = pytest.mark.django_db
EVERYBODY = {"alice", "bob", "support", "privacy", "privacy2", "auditor", "admin"}


def test_everybody_of_the_demo_can_sign_in() -> None:
    people = create_demo_accounts()
    assert set(people) == EVERYBODY
    for name in people:
        client = Client(REMOTE_ADDR=f"192.0.2.{len(name)}")
        sign_in(client, f"{name}@example.com", "demo-portal-1")
        assert is_signed_in(client), name


def test_everybody_has_their_role_and_no_other() -> None:
    people = create_demo_accounts()
    groups = {name: [group.name for group in person.groups.all()] for name, person in people.items()}
    assert groups == {
        "alice": [],
        "bob": [],
        "support": ["support"],
        "privacy": ["privacy"],
        "privacy2": ["privacy"],
        "auditor": ["auditor"],
        "admin": [],
    }
    assert [name for name, person in people.items() if person.is_superuser] == ["admin"]


def test_only_the_two_with_assistants_are_connected() -> None:
    assert {name for name, person in create_demo_accounts().items() if is_connected(person)} == {"alice", "bob"}


def test_a_second_time_changes_nothing() -> None:
    first = create_demo_accounts()
    User.objects.filter(email="alice@example.com").update(time_zone="Asia/Tokyo")
    second = create_demo_accounts()
    assert {name: person.subject for name, person in first.items()} == {n: p.subject for n, p in second.items()}
    assert second["alice"].connected_at == User.objects.get(pk=first["alice"].pk).connected_at
    assert second["alice"].time_zone == "Asia/Tokyo"
    assert User.objects.count() == len(EVERYBODY)


def test_a_real_portal_gets_no_accounts_with_a_public_password(settings: Settings) -> None:
    settings.TESTING = settings.DEMO = False
    with pytest.raises(ImproperlyConfigured, match="demo mode only"):
        create_demo_accounts()
    assert not User.objects.exists()
