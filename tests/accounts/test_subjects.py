from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.test import RequestFactory

from memoryportal.accounts import links, subjects
from memoryportal.accounts.models import Proof, SubjectLink, SubjectTaken, User
from memoryportal.memory import SubjectId

pytestmark = pytest.mark.django_db


def link(account: User, subject: str) -> SubjectLink:
    return links.link(account, SubjectId(subject), reason="they asked", issuer="shop")


def request_of(user: User | AnonymousUser) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    request.session = SessionStore()
    return request


def test_without_links_the_issued_subject_is_shown(alice: User) -> None:
    assert subjects.own_subjects(alice) == [alice.subject]
    assert subjects.subject_of(request_of(alice)) == alice.subject
    assert type(subjects.subject_of(request_of(alice))) is SubjectId


def test_links_come_first_and_the_oldest_is_shown(alice: User, bob: User) -> None:
    link(alice, "customer-2")
    link(alice, "customer-1")
    link(bob, "customer-3")
    assert subjects.own_subjects(alice) == ["customer-2", "customer-1", alice.subject]
    assert subjects.subject_of(request_of(alice)) == "customer-2"


def test_a_choice_among_ones_own_is_shown(alice: User) -> None:
    link(alice, "customer-1")
    request = request_of(alice)
    subjects.choose(request, subjects.ISSUED)
    assert subjects.subject_of(request) == alice.subject


def test_a_choice_of_somebody_elses_link_is_refused(alice: User, bob: User) -> None:
    foreign = link(bob, "customer-3")
    request = request_of(alice)
    for key in (str(foreign.pk), "customer-3", bob.subject, "", "0", "issued "):
        with pytest.raises(subjects.UnknownChoice):
            subjects.choose(request, key)
    assert subjects.subject_of(request) == alice.subject
    assert not request.session.keys()


def test_a_removed_link_is_no_longer_shown(alice: User) -> None:
    chosen = link(alice, "customer-1")
    request = request_of(alice)
    subjects.choose(request, str(chosen.pk))
    assert links.unlink(alice, SubjectId("customer-1"))
    assert subjects.subject_of(request) == alice.subject


def test_a_choice_does_not_survive_the_link_moving_to_somebody_else(alice: User, bob: User) -> None:
    chosen = link(alice, "customer-1")
    request = request_of(alice)
    subjects.choose(request, str(chosen.pk))
    SubjectLink.objects.filter(pk=chosen.pk).update(account=bob)
    assert subjects.subject_of(request) == alice.subject


def test_nobody_in_particular_has_no_subject() -> None:
    request = request_of(AnonymousUser())
    with pytest.raises(subjects.NotSignedIn):
        subjects.subject_of(request)
    with pytest.raises(subjects.NotSignedIn):
        subjects.choose(request, subjects.ISSUED)


def test_an_account_is_connected_by_a_link_or_by_use() -> None:
    fresh = User.objects.create_user("carol@example.com")
    assert not subjects.is_connected(fresh)
    link(fresh, "customer-1")
    assert subjects.is_connected(fresh)
    used = User.objects.create_user("dave@example.com")
    subjects.mark_connected(used)
    assert subjects.is_connected(used)
    assert subjects.is_connected(User.objects.get(pk=used.pk))


def test_the_first_use_counts() -> None:
    user = User.objects.create_user("carol@example.com")
    with time_machine.travel(datetime(2026, 1, 2, tzinfo=UTC), tick=False):
        subjects.mark_connected(user)
    subjects.mark_connected(user)
    assert User.objects.get(pk=user.pk).connected_at == datetime(2026, 1, 2, tzinfo=UTC)


def test_linking_what_is_linked_already_changes_nothing(alice: User, bob: User) -> None:
    made = link(alice, "customer-1")
    with pytest.raises(SubjectTaken):
        link(bob, "customer-1")
    assert link(alice, "customer-1") == made
    assert SubjectLink.objects.get().account == alice


def test_unlinking_somebody_elses_link_changes_nothing(alice: User, bob: User) -> None:
    link(alice, "customer-1")
    assert not links.unlink(bob, SubjectId("customer-1"))
    assert SubjectLink.objects.count() == 1


def test_a_link_says_who_made_it_and_outlives_them(alice: User, bob: User) -> None:
    made = links.make(alice, SubjectId("customer-1"), reason="ticket 12", proof=Proof.PRIVACY, issuer="shop", by=bob)
    bob.delete()
    made.refresh_from_db()
    assert (made.by, made.reason, made.proof, made.issuer) == (None, "ticket 12", "privacy", "shop")
