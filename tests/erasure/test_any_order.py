"""Several officers, people and workers do anything in any order: what may never happen does not."""

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memoryportal.accounts.models import User
from memoryportal.accounts.trail import person as by_person
from memoryportal.audit.models import Event
from memoryportal.erasure import decisions, engine, identity, services, tasks
from memoryportal.erasure.models import Channel, Erasure, Identified, IdentityLink, Scope
from memoryportal.erasure.moves import NotNow
from memoryportal.erasure.states import BEGUN, ERASED, TERMINAL, State
from memoryportal.memory import ScopedMemory, SubjectId, controls
from memoryportal.memory.stores import current_store
from tests.accounts.helpers import person

pytestmark = pytest.mark.django_db
ENDS = ("erasure.done", "request.refused", "request.cancelled", "request.unconfirmed")
GROUND = "a ground that is long enough"
ASSISTANTS = ("", "cook")
picks = st.integers(0, 99)


@dataclass
class World:
    """Two people, and three officers who are people too. All of them have memories."""

    people: list[User]
    officers: list[User]
    requests: list[Any] = field(default_factory=list)
    accounts: dict[Any, int] = field(default_factory=dict)  # of a request, also when the account is gone

    @classmethod
    def made(cls) -> "World":
        names = [f"{name}-{uuid.uuid4().hex[:6]}@example.com" for name in ("alice", "bob", "o1", "o2", "o3")]
        users = [person(name, None) for name in names]
        world = cls(users, users[2:])
        for user in users:
            for agent in ASSISTANTS:
                ScopedMemory.for_person(SubjectId(user.subject), agent=agent or None).add("I drink tea.", infer=False)
        return world

    def user(self, pick: int) -> User:
        there = [user for user in self.people if User.objects.filter(pk=user.pk).exists()]
        return there[pick % len(there)]

    def officer(self, pick: int) -> User:
        return self.officers[pick % len(self.officers)]

    def request(self, pick: int) -> Any:
        return self.requests[pick % len(self.requests)] if self.requests else uuid.uuid4()

    def subject(self, pick: int) -> SubjectId:
        return SubjectId(self.user(pick).subject)

    def keep(self, erasure: Erasure) -> None:
        if erasure.pk not in self.requests:
            self.requests.append(erasure.pk)

    def forget(self) -> None:
        """The memory tables lie outside of Django's transaction."""
        for user in self.people:
            subject = SubjectId(user.subject)
            for agent, state in controls.gate_states(current_store(), subject):
                controls.reopen(current_store(), subject, state, agent)
            ScopedMemory.for_person(subject).erase()


def ask(world: World, a: int, b: int) -> None:
    user = world.user(a)
    scope, agent = [(Scope.EVERYTHING, ""), (Scope.ASSISTANT, "cook"), (Scope.ACCOUNT, "")][b % 3]
    if user in world.officers and scope == Scope.ACCOUNT:  # who is on the staff does not simply go
        scope = Scope.EVERYTHING
    world.keep(services.ask(user, SubjectId(user.subject), scope=scope, agent=agent))


def file(world: World, a: int, b: int) -> None:
    """By support, privacy or the host: with the right account, with none, with an officer's own address, for two."""
    subjects = [(), (world.subject(a),), (world.subject(a), world.subject(a + 1))][b % 3]
    about = [{"account": world.user(a)}, {}, {"address": world.officer(a + b).email}, {"vouched": True}][b // 3 % 4]
    channel = [Channel.SUPPORT, Channel.PRIVACY, Channel.HOST][b % 3]
    world.keep(services.file(channel, subjects, by=world.officer(b), **about))


def prove(world: World, a: int, b: int) -> None:
    """Whoever got the link presses the button."""
    erasure = Erasure.objects.filter(pk=world.request(a)).first()
    if erasure is not None:
        token, until = uuid.uuid4().hex, timezone.now() + timedelta(days=b % 3 - 1)
        IdentityLink.objects.create(erasure=erasure, digest=identity.digest(token), until=until)
        identity.confirm(token)


def travel(world: World, a: int, b: int) -> None:
    """Only the portal's hourly look at its clocks; the test itself moves the time."""
    tasks.watch_clocks(0)
    tasks.sweep(0)


def hold(world: World, a: int, b: int) -> None:
    until = timezone.localdate() + timedelta(days=b % 5)
    decisions.hold(world.request(a), world.officer(b), GROUND, until)


def carry_out(world: World, a: int, b: int) -> None:
    erasure = Erasure.objects.filter(pk=world.request(a)).first()
    if erasure is not None:
        engine.run(erasure)


def fitting(world: World, a: int, b: int) -> None:
    """What the page offers to this officer now."""
    erasure, officer = Erasure.objects.get(pk=world.request(a)), world.officer(b)
    offered = [name for name in decisions.actions_for(erasure, officer) if name in OFFERED]
    if offered:
        ACTS[OFFERED[offered[a // 7 % len(offered)]]](world, a, b)


OFFERED = {"check_identity": "check", "try_again": "again"} | {
    name: name for name in ("attach", "approve", "hold", "release", "extend")
}
ACTS: dict[str, Callable[[World, int, int], object]] = {
    "ask": ask,
    "file": file,
    "prove": prove,
    "clocks": travel,
    "hold": hold,
    "engine": carry_out,
    "fitting": fitting,
    "check": lambda world, a, b: decisions.check_identity(world.request(a), world.officer(b), GROUND),
    "attach": lambda world, a, b: decisions.attach(
        world.request(a), world.officer(b), [world.subject(n) for n in range(a + b, a + b + 1 + b % 2)]
    ),
    "approve": lambda world, a, b: decisions.approve(world.request(a), world.officer(b)),
    "refuse": lambda world, a, b: decisions.refuse(world.request(a), world.officer(b), GROUND),
    "release": lambda world, a, b: decisions.release(world.request(a), world.officer(b)),
    "cancel": lambda world, a, b: decisions.cancel(world.request(a), by_person(world.user(b))),
    "begin": lambda world, a, b: decisions.begin_now(world.request(a), by_person(world.user(b))),
    "extend": lambda world, a, b: decisions.extend(world.request(a), world.officer(b), GROUND),
    "again": lambda world, a, b: decisions.try_again(world.request(a), world.officer(b)),
    "unconfirmed": lambda world, a, b: decisions.unconfirmed(world.request(a)),
}
# What leads somewhere is tried more often than what ends everything.
OFTEN = [*ACTS, *("ask", "ask", "file", "begin"), *("fitting",) * 10, *("engine",) * 6]
REFUSALS = (NotNow, decisions.Unfit, identity.NoSuchLink, Erasure.DoesNotExist)
one = st.tuples(st.sampled_from(OFTEN), picks, picks, st.integers(0, 30), st.integers(0, 3))
steps = st.lists(one, min_size=10, max_size=40)


def check(world: World, before: dict[Any, str]) -> None:
    """What holds at every moment."""
    requests = list(Erasure.objects.filter(pk__in=world.requests).prefetch_related("open_rows"))
    for erasure in requests:
        world.accounts[erasure.pk] = erasure.account_id or world.accounts.get(erasure.pk, 0)
        events = list(Event.objects.filter(object=erasure.reference).order_by("seq"))
        ends = [event for event in events if event.action in ENDS]
        assert len(ends) == (erasure.state in TERMINAL), erasure.state
        assert before.get(erasure.pk) not in TERMINAL or before[erasure.pk] == erasure.state
        _nobody_worked_on_their_own(world, erasure, events)
        if erasure.state in BEGUN | ERASED:
            assert erasure.identified_at
            assert erasure.subjects
            _somebody_else_agreed(world, erasure)
        rows = {(row.subject, row.agent) for row in erasure.open_rows.all()}
        wanted = set() if erasure.state in TERMINAL else {(subject, erasure.agent) for subject in erasure.subjects}
        assert rows <= wanted
        assert rows == wanted or erasure.state not in BEGUN  # else the holder of an id asked for themselves meanwhile
    _what_was_not_erased_is_there(world, requests)


def _nobody_worked_on_their_own(world: World, erasure: Erasure, events: list[Event]) -> None:
    own = {str(user.pk) for user in world.officers if user.pk == erasure.account_id or user.subject in erasure.subjects}
    known = max((event.seq for event in events if event.action == "request.attached"), default=0)
    late = [event for event in events if event.seq >= known or event.action == "identity.proven"]
    acted = {event.actor for event in late if event.role == "privacy"}
    assert not own & acted


def _somebody_else_agreed(world: World, erasure: Erasure) -> None:
    mine = {user.subject for user in world.people if user.pk == world.accounts.get(erasure.pk)}
    themselves = erasure.identified_how == Identified.SESSION and not erasure.attached_by_id
    if themselves and set(erasure.subjects) <= mine:
        return
    by_link = erasure.identified_how == Identified.MAIL and not erasure.attached_by_id and not erasure.address
    if by_link and set(erasure.subjects) <= mine:
        return
    assert erasure.approved_by_id
    worked = {erasure.filed_by_id, erasure.identified_by_id, erasure.attached_by_id, erasure.account_id}
    assert erasure.approved_by_id not in worked


def _what_was_not_erased_is_there(world: World, requests: list[Erasure]) -> None:
    for user in world.people:
        about = [erasure for erasure in requests if user.subject in erasure.subjects]
        gone = {erasure.agent for erasure in about if erasure.state in BEGUN | ERASED}
        memory = ScopedMemory.for_person(SubjectId(user.subject))
        expected = 0 if "" in gone else 2 - len(gone)
        assert memory.count() == expected


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=steps)
def test_whatever_happens_in_whatever_order(steps: list[Any], tmp_path: Path, alice: User) -> None:
    with transaction.atomic(), time_machine.travel("2026-11-20 10:00 +0000", tick=True) as clock:
        world = World.made()
        try:
            for name, a, b, hours, broken in steps:
                clock.shift(timedelta(hours=hours))
                ledger = tmp_path if broken == 0 else tmp_path / "ledger"  # a folder cannot be written
                before = dict(Erasure.objects.filter(pk__in=world.requests).values_list("pk", "state"))
                with override_settings(ERASURE_LEDGER=str(ledger), ERASURE_GRACE_HOURS=2):
                    with contextlib.suppress(*REFUSALS):
                        ACTS[name](world, a, b)
                check(world, before)
        finally:
            world.forget()
            transaction.set_rollback(True)


def test_the_states_that_matter_are_reached(tmp_path: Path, settings: Any, alice: User) -> None:
    """Without this the test above could pass because nothing ever begins."""
    settings.ERASURE_LEDGER = str(tmp_path / "ledger")
    world = World.made()
    try:
        file(world, 0, 1)
        (pk,) = world.requests
        ACTS["check"](world, 0, 0)
        ACTS["approve"](world, 0, 2)
        assert Erasure.objects.get(pk=pk).state == State.WAITING
        ACTS["begin"](world, 0, 0)
        carry_out(world, 0, 0)
        assert Erasure.objects.get(pk=pk).state == State.COMPLETED
        check(world, {})
    finally:
        world.forget()
