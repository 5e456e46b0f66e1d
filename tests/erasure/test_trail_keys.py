"""Whose key in the trail is destroyed when an account has gone: not that of an account that holds the id by now."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from memoryportal.accounts import links
from memoryportal.accounts.models import User
from memoryportal.audit.actions import Action
from memoryportal.audit.models import SubjectKey
from memoryportal.audit.pseudonyms import known_pseudonym, note_staff_access
from memoryportal.audit.record import Actor, record
from memoryportal.erasure import engine, services, tasks, trail_keys
from memoryportal.erasure.models import Erasure, Scope
from memoryportal.erasure.states import State
from memoryportal.memory import SubjectId
from tests.accounts.helpers import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("superuser")]
SHARED = SubjectId("customer-77")


def looked_up(subject: SubjectId) -> str:
    """Somebody on the staff looks; the person's name in the trail."""
    record(Action.PERSON_FOUND, actor=Actor("99", "support"), subject=subject)
    found = known_pseudonym(subject)
    assert found is not None
    return found


def leaves(account: User, *subjects: SubjectId) -> None:
    """The account goes, and the staff's access is long past."""
    own = [SubjectId(account.subject), *subjects]
    assert engine.run(services.ask(account, *own, scope=Scope.ACCOUNT)).state == State.COMPLETED
    SubjectKey.objects.update(last_staff_access=timezone.now() - timedelta(days=900))


def test_the_keys_of_an_account_that_is_gone_go(alice: User, bob: User) -> None:
    links.link(alice, SHARED, reason="her own")
    looked_up(SHARED), looked_up(SubjectId(bob.subject))
    leaves(alice, SHARED)
    assert trail_keys.destroy_due_keys() == 2
    assert known_pseudonym(SHARED) is None
    assert known_pseudonym(SubjectId(alice.subject)) is None
    assert known_pseudonym(SubjectId(bob.subject)) is not None


def test_whoever_came_back_keeps_theirs_night_after_night(alice: User) -> None:
    links.link(alice, SHARED, reason="her own")
    before = looked_up(SHARED)
    leaves(alice, SHARED)
    assert trail_keys.destroy_due_keys() == 2
    links.link(person("carol@example.com"), SHARED, reason="came back, with the same id")
    name = looked_up(SHARED)
    SubjectKey.objects.update(last_staff_access=timezone.now() - timedelta(days=900))
    assert trail_keys.destroy_due_keys() == 0
    assert known_pseudonym(SHARED) == name != before


def test_also_where_the_id_came_back_before_its_key_went(alice: User) -> None:
    links.link(alice, SHARED, reason="her own")
    name = looked_up(SHARED)
    leaves(alice, SHARED)
    links.link(person("carol@example.com"), SHARED, reason="came back, with the same id")
    assert trail_keys.destroy_due_keys() == 1, "that of the account alone"
    assert known_pseudonym(SHARED) == name


def test_a_key_that_was_made_later_is_not_of_that_account(alice: User) -> None:
    """An assistant uses the id again, without an account; then somebody with an account leaves, too."""
    links.link(alice, SHARED, reason="her own")
    leaves(alice, SHARED)
    assert trail_keys.destroy_due_keys() == 2
    looked_up(SHARED)
    SubjectKey.objects.update(last_staff_access=timezone.now() - timedelta(days=900))
    assert trail_keys.destroy_due_keys() == 0
    assert known_pseudonym(SHARED) is not None
    again = person("carol@example.com")
    links.link(again, SHARED, reason="came back, with the same id")
    leaves(again, SHARED)
    assert trail_keys.destroy_due_keys() == 2
    assert known_pseudonym(SHARED) is None


@pytest.mark.parametrize("requests_kept", [1, 24])
def test_no_key_is_forgotten_because_its_request_is_past_retention(
    alice: User, bob: User, settings: Any, requests_kept: int
) -> None:
    """The request is what says that the key is to be destroyed, and when that may be."""
    settings.REQUEST_RETENTION_MONTHS, settings.AUDIT_RETENTION_MONTHS = requests_kept, 24
    subject = SubjectId(alice.subject)
    with time_machine.travel("2026-11-20T10:00:00Z", tick=True):
        looked_up(subject)
        note_staff_access(subject)
        assert engine.run(services.ask(alice, subject, scope=Scope.ACCOUNT)).state == State.COMPLETED
        assert engine.run(services.ask(bob, SubjectId(bob.subject))).state == State.COMPLETED
    for night in ("2027-12-21", "2028-11-20"):
        with time_machine.travel(f"{night}T03:37:00Z", tick=True):
            tasks.prune(0)
        assert known_pseudonym(subject) is not None
    assert Erasure.objects.filter(account=bob).exists() is (requests_kept == 24)
    with time_machine.travel("2028-11-21T03:37:00Z", tick=True):
        tasks.prune(0)
    assert known_pseudonym(subject) is None
    assert not Erasure.objects.exists()
