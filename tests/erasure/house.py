"""Two people with rows in every place of the store, and what has to be true of them at each moment of an erasure."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.base.keys import key_ring
from memoryportal.erasure import engine, receipts, services
from memoryportal.erasure.lease import claim
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.reach import Reach
from memoryportal.erasure.states import BEGUN, TERMINAL, State
from memoryportal.erasure.steps import note_found
from memoryportal.memory import ScopedMemory, SubjectId, controls
from memoryportal.memory.stores import current_store
from tests.memory.planted import payload, plant, plant_entity, plant_history, plant_message, stored

ENDS = ("erasure.done", "request.refused", "request.cancelled", "request.unconfirmed")
AGENTS = (None, "cook", "cook", "planner")
# What `fill` plants: the shared name is one entity, each memory has two entries of history, each agent one message.
PLANTED = {"memories": 4, "entities": 3, "history": 9, "messages": 3, "uses": 4, "never": 1}
COOKS = {"memories": 2, "entities": 1, "history": 4, "messages": 1, "uses": 2, "never": 0}


@dataclass
class House:
    """`superuser` sees every row; alice asks, bob's rows are what must not be touched."""

    superuser: psycopg.Connection[Any]
    alice: User
    bob: User
    before: dict[str, list[Any]] = field(default_factory=dict, repr=False)
    others: dict[str, list[Any]] = field(default_factory=dict, repr=False)

    @property
    def subject(self) -> SubjectId:
        return SubjectId(self.alice.subject)

    @property
    def memory(self) -> ScopedMemory:
        return ScopedMemory.for_person(self.subject)

    def fill(self, subject: SubjectId) -> list[str]:
        """Memories of three assistants, one of them expired; names, history, messages, uses, a stopped wording."""
        rows = [payload(subject, f"I like tea number {n}", agent_id=agent) for n, agent in enumerate(AGENTS)]
        rows[1]["expiration_date"] = "2020-01-01"
        ids = plant(self.superuser, rows)
        for memory_id, agent in zip(ids, AGENTS, strict=True):
            plant_history(self.superuser, subject, memory_id, None, "I like tea")
            plant_history(self.superuser, subject, memory_id, "I like tea", "I like green tea")
            self.superuser.execute(
                "INSERT INTO memories_uses (subject, memory_id, agent) VALUES (%s, %s, %s)", (subject, memory_id, agent)
            )
        gone = "00000000-0000-4000-8000-000000000001"
        plant_history(self.superuser, subject, gone, "I like milk", None)  # its memory is gone already
        plant_entity(self.superuser, subject, "Miriam", [ids[0], ids[3]])
        plant_entity(self.superuser, subject, "Porto", [ids[1]], agent_id="cook")
        plant_entity(self.superuser, subject, "Shared", [ids[2], ids[3]])
        for agent in ("cook", "planner", None):
            plant_message(self.superuser, subject, "said", agent, "kitchen" if agent else None)
        self.superuser.execute(
            "INSERT INTO memories_never (subject, digest, salt, key_name) VALUES (%s, 'd', 's', 'k')", (subject,)
        )
        return ids

    def rows(self, user: User) -> dict[str, list[Any]]:
        """Every row of one person but their gate, whole."""
        found = stored(self.superuser, user.subject)
        found.pop("memories_gate")
        return found

    def gates(self) -> set[tuple[str, str]]:
        return set(controls.gate_states(current_store(), self.subject))

    def reopen(self) -> None:
        """Alice begins again, with as much as before."""
        for agent, state in self.gates():
            controls.reopen(current_store(), self.subject, state, agent)
        self.fill(self.subject)
        self.before = self.rows(self.alice)

    def ask(self, **how: Any) -> Erasure:
        return services.ask(self.alice, self.subject, **how)


def again(erasure: Erasure) -> Erasure:
    """Another worker takes it up, as soon as the lease is over and the wait until the next attempt too."""
    over = timezone.now() - timedelta(seconds=1)
    Erasure.objects.filter(pk=erasure.pk).update(lease_until=None, next_at=over)
    return engine.run(erasure)


def cut_off(erasure: Erasure, delete: Callable[[], object]) -> None:
    """A worker that was killed when the memories were gone, and nothing else was committed."""
    lease = claim(erasure.pk)
    assert lease is not None
    reach = Reach(lease)
    reach.shut("erasing")
    reach.write_journal()
    note_found(lease, reach.count())
    delete()


def ends_of(erasure: Erasure) -> list[str]:
    events = Event.objects.filter(object=erasure.reference, action__in=ENDS)
    return list(events.values_list("action", flat=True))


def counts(erasure: Erasure) -> dict[str, tuple[int | None, int, int | None]]:
    """place -> (found, removed, left)."""
    return {step.place: (step.found, step.removed, step.left) for step in erasure.steps.all()}


def assert_fence_stands(house: House, erasure: Erasure) -> None:
    """As long as it is under way no assistant can add anything."""
    state = Erasure.objects.get(pk=erasure.pk).state
    assert state not in TERMINAL
    gone = house.rows(house.alice) != house.before
    if state in BEGUN and gone:
        assert house.gates() & {("", "erasing"), ("", "paused")}
    assert ends_of(erasure) == []
    assert house.rows(house.bob) == house.others


def assert_ended_well(house: House, erasure: Erasure, planted: dict[str, int] = PLANTED) -> None:
    """Everything is gone, counted exactly, told once, proven; nobody else was touched."""
    erasure = Erasure.objects.prefetch_related("steps").get(pk=erasure.pk)
    assert erasure.state == State.COMPLETED
    assert not any(house.rows(house.alice).values())
    assert house.rows(house.bob) == house.others
    assert {place: found for place, found in counts(erasure).items() if place in planted} == {
        place: (count, count, 0) for place, count in planted.items()
    }
    assert all(step.is_empty for step in erasure.steps.all())
    assert ends_of(erasure) == ["erasure.done"]
    verdict = receipts.verify(json.dumps(erasure.receipt), key_ring().public)
    assert verdict.valid, verdict.why
    assert house.gates() == {("", "paused")}
    assert not erasure.open_rows.exists()
    assert not erasure.journal.exists()
