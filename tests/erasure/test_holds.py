"""A hold is on the data: no other request of the person erases meanwhile what is held."""

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from memoryportal.accounts.models import Letter, User
from memoryportal.audit.models import Event
from memoryportal.erasure import decisions, engine, lease, services
from memoryportal.erasure.models import Erasure, Scope, office_day
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId
from tests.accounts.helpers import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("superuser")]
GROUND = "a court has asked for this"


@pytest.fixture(autouse=True)
def grace(settings: Any) -> None:
    settings.ERASURE_GRACE_HOURS_OWN = settings.ERASURE_GRACE_HOURS = 72


@pytest.fixture
def subject(alice: User) -> SubjectId:
    ScopedMemory(SubjectId(alice.subject), agent="cook").add("I like the window seat.", infer=False)
    return SubjectId(alice.subject)


@pytest.fixture
def cooks(alice: User, subject: SubjectId) -> Erasure:
    """Alice's request about one assistant, which begins soon."""
    return services.ask(alice, subject, scope=Scope.ASSISTANT, agent="cook")


@pytest.fixture
def whole(alice: User, subject: SubjectId, cooks: Erasure) -> Erasure:
    """And the one about everything."""
    return services.ask(alice, subject)


@pytest.fixture
def officer(db: None) -> User:
    return person("officer@example.com")


def until(days: int = 90) -> date:
    return office_day() + timedelta(days=days)


def state_of(erasure: Erasure) -> str:
    return str(Erasure.objects.get(pk=erasure.pk).state)


def time_is_over(erasure: Erasure) -> Erasure:
    Erasure.objects.filter(pk=erasure.pk).update(grace_until=timezone.now(), next_at=timezone.now())
    return engine.run(erasure)


def left(subject: SubjectId) -> int:
    return ScopedMemory.for_person(subject).count()


def test_what_else_would_begin_is_held_with_it(
    cooks: Erasure, whole: Erasure, officer: User, subject: SubjectId
) -> None:
    decisions.hold(whole.pk, officer, GROUND, until())
    held = Erasure.objects.get(pk=cooks.pk)
    assert (held.state, held.held_until, held.ground) == (State.ON_HOLD, until(), GROUND)
    assert Event.objects.filter(action="request.held", object=cooks.reference).count() == 1
    assert Letter.objects.filter(kind="request_held").count() == 2
    assert time_is_over(cooks).state == State.ON_HOLD
    assert left(subject) == 1


def test_requests_of_other_people_go_on(cooks: Erasure, officer: User, bob: User) -> None:
    other = services.ask(bob, SubjectId(bob.subject))
    decisions.hold(cooks.pk, officer, GROUND, until())
    assert state_of(other) == State.WAITING
    assert time_is_over(other).state == State.COMPLETED


def test_what_slipped_through_is_stopped_when_it_begins(
    cooks: Erasure, whole: Erasure, officer: User, subject: SubjectId
) -> None:
    decisions.hold(whole.pk, officer, GROUND, until())
    held = {"ground": "", "held_until": None}
    Erasure.objects.filter(pk=cooks.pk).update(state=State.APPROVAL, **held)  # a shell
    Erasure.objects.filter(pk=cooks.pk).update(state=State.WAITING)
    found = time_is_over(cooks)
    assert (found.state, found.held_until, found.began_at) == (State.ON_HOLD, until(), None)
    event = Event.objects.filter(action="request.held", object=cooks.reference).latest("seq")
    assert (event.role, event.details["until"]) == ("system", until().isoformat())
    assert not Event.objects.filter(action="erasure.begun").exists()
    assert left(subject) == 1


def test_one_that_an_officer_lets_go_on_goes_on(
    cooks: Erasure, whole: Erasure, officer: User, subject: SubjectId
) -> None:
    decisions.hold(whole.pk, officer, GROUND, until())
    assert decisions.release(cooks.pk, officer).state == State.WAITING
    assert time_is_over(cooks).state == State.COMPLETED
    assert state_of(whole) == State.ON_HOLD
    assert left(subject) == 0


def test_until_the_hold_is_given_anew(cooks: Erasure, whole: Erasure, officer: User, subject: SubjectId) -> None:
    decisions.hold(whole.pk, officer, GROUND, until())
    decisions.release(cooks.pk, officer)
    decisions.hold(whole.pk, officer, GROUND, until(120))
    assert state_of(cooks) == State.ON_HOLD
    assert time_is_over(cooks).state == State.ON_HOLD
    assert left(subject) == 1


def test_when_its_day_has_come_each_goes_on(cooks: Erasure, whole: Erasure, officer: User) -> None:
    decisions.hold(whole.pk, officer, GROUND, until())
    Erasure.objects.filter(pk__in=[cooks.pk, whole.pk]).update(held_until=office_day())
    for erasure in (cooks, whole):
        assert decisions.release(erasure.pk, None).state == State.WAITING


@pytest.mark.parametrize("begins_first", [True, False])
def test_a_hold_and_a_beginning_at_the_same_moment(
    begins_first: bool, cooks: Erasure, whole: Erasure, officer: User, subject: SubjectId
) -> None:
    """One of them waits for the other: nothing begins after the officer was told that it is held."""
    Erasure.objects.filter(pk=cooks.pk).update(grace_until=timezone.now(), next_at=timezone.now())

    def hold() -> None:
        decisions.hold(whole.pk, officer, GROUND, until())
        connections.close_all()

    if not begins_first:
        with transaction.atomic():
            decisions.hold(whole.pk, officer, GROUND, until())
            beside = threading.Thread(target=lambda: (engine.run(cooks), connections.close_all()))
            beside.start()
            beside.join(timeout=20)  # it does not wait: it looks again in a minute
        assert engine.run(cooks).state == State.ON_HOLD
        assert left(subject) == 1
        return
    beside = threading.Thread(target=hold)
    with transaction.atomic():
        assert lease.claim(cooks.pk) is not None
        beside.start()
        beside.join(timeout=1)
        assert beside.is_alive()
    beside.join(timeout=20)
    assert (state_of(whole), state_of(cooks)) == (State.ON_HOLD, State.ERASING)
