"""Two people, two assistants: in any order of switching, writing, reading, deleting, switches bind whom they name."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from memoryportal.memory import MemoryNotFound, ScopedMemory, SubjectId, UseRestricted, WritesPaused, controls
from memoryportal.memory.rows import FOREIGN_ROWS

from .planted import SOMEWHERE, Superuser, as_text, payload, plant

PEOPLE = ("ann", "Ann")
ASSISTANTS = ("cook", "planner")
WORDS = ("tea", "Tea", "bicycle")
# Every use, and every memory, as somebody sees them whom no policy binds.
USES = "SELECT subject, memory_id::text, agent, count(*) FROM memories_uses WHERE subject LIKE %s GROUP BY 1, 2, 3"
MEMORIES = "SELECT payload->>'user_id', id::text, payload->>'data' FROM memories WHERE payload->>'user_id' LIKE %s"
people = st.sampled_from(PEOPLE)
assistants = st.sampled_from(ASSISTANTS)
all_or_one = st.sampled_from(("", *ASSISTANTS))
words = st.sampled_from(WORDS)
numbers = st.integers(0, 9)


@dataclass
class Known:
    owner: str
    agent: str
    text: str


@dataclass
class World:
    """What the model believes: memories, switches as (person, agent or '', state), uses as (person, memory, agent)."""

    memories: dict[str, Known] = field(default_factory=dict)
    switched: set[tuple[str, str, str]] = field(default_factory=set)
    uses: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def of(self, owner: str, agent: str) -> dict[str, Known]:
        return {key: known for key, known in self.memories.items() if (known.owner, known.agent) == (owner, agent)}

    def is_(self, state: str, owner: str, agent: str) -> bool:
        return bool({(owner, "", state), (owner, agent, state)} & self.switched)

    def hand(self, owner: str, agent: str, ids: list[str]) -> None:
        for memory_id in ids:
            self.uses[owner, memory_id, agent] += 1

    def forget(self, memory_id: str) -> None:
        del self.memories[memory_id]
        for key in [key for key in self.uses if key[1] == memory_id]:
            del self.uses[key]


class ControlsMachine(RuleBasedStateMachine):
    superuser: Superuser

    @initialize()
    def begin(self) -> None:
        self.tag, self.world, self.foreign = uuid.uuid4().hex[:8], World(), FOREIGN_ROWS.count

    def subject(self, owner: str) -> SubjectId:
        return SubjectId(f"{owner}-{self.tag}")

    def assistant(self, owner: str, agent: str) -> ScopedMemory:
        return ScopedMemory(self.subject(owner), agent=agent)

    def person(self, owner: str) -> ScopedMemory:
        return ScopedMemory.for_person(self.subject(owner))

    def pick(self, number: int) -> str:
        """One of all memories, or an id that nobody has."""
        ids = sorted(self.world.memories)
        return ids[number % len(ids)] if ids else str(uuid.uuid4())

    # --- switching ---------------------------------------------------------------------------------------------------

    @rule(owner=people, agent=all_or_one)
    def pause(self, owner: str, agent: str) -> None:
        controls.pause(self.subject(owner), agent)
        self.world.switched.add((owner, agent, "paused"))

    @rule(owner=people, agent=all_or_one)
    def resume(self, owner: str, agent: str) -> None:
        controls.resume(self.subject(owner), agent)
        self.world.switched.discard((owner, agent, "paused"))

    @rule(owner=people, agent=all_or_one)
    def restrict(self, owner: str, agent: str) -> None:
        controls.restrict(self.subject(owner), agent)
        self.world.switched.add((owner, agent, "restricted"))

    @rule(owner=people, agent=all_or_one)
    def unrestrict(self, owner: str, agent: str) -> None:
        controls.unrestrict(self.subject(owner), agent)
        self.world.switched.discard((owner, agent, "restricted"))

    # --- assistants --------------------------------------------------------------------------------------------------

    @rule(owner=people, agent=assistants, text=words)
    def add(self, owner: str, agent: str, text: str) -> None:
        if self.world.is_("paused", owner, agent):
            with pytest.raises(WritesPaused):
                self.assistant(owner, agent).add(text)
            return
        (item,) = self.assistant(owner, agent).add(text)
        self.world.memories[item.id] = Known(owner, agent, text)

    @rule(owner=people, agent=assistants, text=words)
    def add_past_the_portal(self, owner: str, agent: str, text: str) -> None:
        row = payload(self.subject(owner), text, agent_id=agent)
        if self.world.is_("paused", owner, agent):
            with pytest.raises(psycopg.Error) as refusal:
                plant(self.superuser, [row])
            assert refusal.value.sqlstate == "MP001"
            return
        (memory_id,) = plant(self.superuser, [row])
        self.world.memories[memory_id] = Known(owner, agent, text)

    @rule(owner=people, agent=assistants, number=numbers, text=words)
    def update(self, owner: str, agent: str, number: int, text: str) -> None:
        memory_id = self.pick(number)
        change = self._refusal(owner, agent, memory_id, writing=True)
        if change is not None:
            with pytest.raises(change):
                self.assistant(owner, agent).update(memory_id, text)
            return
        assert self.assistant(owner, agent).update(memory_id, text).text == text
        self.world.memories[memory_id].text = text

    @rule(number=numbers, text=words)
    def update_past_the_portal(self, number: int, text: str) -> None:
        memory_id = self.pick(number)
        known = self.world.memories.get(memory_id)
        statement = (
            "UPDATE memories SET vector = %s::vector, payload = payload || jsonb_build_object('data', %s::text) "
        )
        values = (as_text(SOMEWHERE), text, memory_id)
        if known and self.world.is_("paused", known.owner, known.agent):
            with pytest.raises(psycopg.Error) as refusal:
                self.superuser.execute(f"{statement} WHERE id = %s", values)
            assert refusal.value.sqlstate == "MP001"
        elif known:
            self.superuser.execute(f"{statement} WHERE id = %s", values)
            known.text = text

    @rule(owner=people, agent=assistants, number=numbers)
    def delete(self, owner: str, agent: str, number: int) -> None:
        memory_id = self.pick(number)
        if memory_id not in self.world.of(owner, agent):
            with pytest.raises(MemoryNotFound):
                self.assistant(owner, agent).delete(memory_id)
            return
        assert self.assistant(owner, agent).delete(memory_id).memories == 1
        self.world.forget(memory_id)

    @rule(owner=people, agent=assistants, text=words, by=st.sampled_from(["word", "meaning"]))
    def search(self, owner: str, agent: str, text: str, by: Any) -> None:
        def find() -> dict[str, str]:
            hits = self.assistant(owner, agent).search(text, by=by, limit=500).hits
            return {hit.item.id: hit.item.text for hit in hits}

        found = self._read(owner, agent, find)
        if found is not None:
            own = {key: known.text for key, known in self.world.of(owner, agent).items()}
            assert found.items() <= own.items()
            if by == "word":
                assert found == {key: own[key] for key in own if text.lower() in own[key].lower()}
            self.world.hand(owner, agent, list(found))

    @rule(owner=people, agent=assistants)
    def page(self, owner: str, agent: str) -> None:
        found = self._read(owner, agent, lambda: self.assistant(owner, agent).page(limit=500))
        if found is not None:
            assert sorted(item.id for item in found.items) == sorted(self.world.of(owner, agent))
            self.world.hand(owner, agent, [item.id for item in found.items])

    @rule(owner=people, agent=assistants, number=numbers)
    def get(self, owner: str, agent: str, number: int) -> None:
        memory_id = self.pick(number)
        refusal = self._refusal(owner, agent, memory_id, writing=False)
        if refusal is not None:
            with pytest.raises(refusal):
                self.assistant(owner, agent).get(memory_id)
            return
        assert self.assistant(owner, agent).get(memory_id).text == self.world.memories[memory_id].text
        self.world.hand(owner, agent, [memory_id])

    def _read(self, owner: str, agent: str, read: Callable[[], Any]) -> Any:
        """What is read; None where it has to be refused."""
        if not self.world.is_("restricted", owner, agent):
            return read()
        with pytest.raises(UseRestricted):
            read()
        return None

    def _refusal(self, owner: str, agent: str, memory_id: str, *, writing: bool) -> type[Exception] | None:
        if self.world.is_("restricted", owner, agent):
            return UseRestricted
        if memory_id not in self.world.of(owner, agent):
            return MemoryNotFound
        return WritesPaused if writing and self.world.is_("paused", owner, agent) else None

    # --- the person --------------------------------------------------------------------------------------------------

    @rule(owner=people, number=numbers, text=words)
    def correct(self, owner: str, number: int, text: str) -> None:
        memory_id = self.pick(number)
        known = self.world.memories.get(memory_id)
        if known is None or known.owner != owner:
            with pytest.raises(MemoryNotFound):
                self.person(owner).update(memory_id, text)
            return
        assert self.person(owner).update(memory_id, text).text == text
        known.text = text

    @rule(owner=people, text=words)
    def look(self, owner: str, text: str) -> None:
        own = {key for key, known in self.world.memories.items() if known.owner == owner}
        assert {item.id for item in self.person(owner).page(limit=500).items} == own
        assert {hit.item.id for hit in self.person(owner).search(text, by="word", limit=500).hits} <= own
        told = {(handed.agent, handed.times) for handed in self.person(owner).handed()}
        counted: Counter[str] = Counter()
        for (person, _, agent), times in self.world.uses.items():
            counted[agent] += times if person == owner else 0
        assert told == {(agent, times) for agent, times in counted.items() if times}

    # --- always ------------------------------------------------------------------------------------------------------

    @invariant()
    def everything_is_as_believed(self) -> None:
        """Compared with the tables themselves."""
        mine = f"%-{self.tag}"
        rows = self.superuser.execute(MEMORIES, (mine,)).fetchall()
        assert {key: (owner.rpartition("-")[0], text) for owner, key, text in rows} == {
            key: (known.owner, known.text) for key, known in self.world.memories.items()
        }
        uses = self.superuser.execute(USES, (mine,)).fetchall()
        assert {(owner.rpartition("-")[0], key, agent): count for owner, key, agent, count in uses} == self.world.uses
        switched = {
            (owner, control.agent, control.state)
            for owner in PEOPLE
            for control in controls.states(self.subject(owner))
        }
        assert switched == self.world.switched
        assert FOREIGN_ROWS.count == self.foreign

    def teardown(self) -> None:
        for owner in PEOPLE:
            self.person(owner).erase()


def test_switches_bind_whom_they_name(superuser: Superuser) -> None:
    machine = type("Machine", (ControlsMachine,), {"superuser": superuser})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
