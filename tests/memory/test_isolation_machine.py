"""Three people and two assistants do anything in any order: nobody sees another's row, and nobody's rows vanish."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from memoryportal.memory import CountMoved, Filters, MemoryNotFound, ScopedMemory, SubjectId
from memoryportal.memory.rows import FOREIGN_ROWS

from .planted import Superuser, plant_entity, plant_message

PEOPLE = ("ann", "Ann", "a%")  # ids that a careless comparison takes for one another
ASSISTANTS = (None, "cook", "planner")
WORDS = ("tea", "Tea", "t_a", "100%", "bicycle", "Miriam")

# Every row of this example's people by place and person, as somebody sees them whom no policy binds.
COUNTS = """
    SELECT place, subject, count(*) FROM (
        SELECT 'memories' AS place, payload->>'user_id' AS subject FROM memories
        UNION ALL SELECT 'entities', payload->>'user_id' FROM memories_entities
        UNION ALL SELECT 'history', subject FROM memories_history
        UNION ALL SELECT 'messages', subject FROM memories_messages
    ) held WHERE subject LIKE %s GROUP BY place, subject
"""
people = st.sampled_from(PEOPLE)
assistants = st.sampled_from(ASSISTANTS)
wordings = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
numbers = st.integers(0, 9)


@dataclass
class Known:
    """What the model believes about one memory."""

    owner: str
    agent: str | None
    texts: list[str]


@dataclass
class World:
    """All memories by id, and each person's buffered messages by assistant."""

    memories: dict[str, Known] = field(default_factory=dict)
    messages: dict[tuple[str, str | None], int] = field(default_factory=dict)
    entities: dict[str, tuple[str, str | None, set[str]]] = field(default_factory=dict)

    def of(self, owner: str, agent: str | None = None) -> dict[str, Known]:
        """The memories of a person, or of one assistant of theirs."""
        return {
            memory_id: known
            for memory_id, known in self.memories.items()
            if known.owner == owner and agent in (None, known.agent)
        }

    def forget(self, ids: set[str]) -> None:
        """What a deletion of these memories takes with it."""
        for memory_id in ids:
            known = self.memories.pop(memory_id)
            self.messages.pop((known.owner, known.agent), None)
        for entity_id, (_, _, links) in list(self.entities.items()):
            if links & ids:
                links -= ids
                if not links:
                    del self.entities[entity_id]


class IsolationMachine(RuleBasedStateMachine):
    superuser: Superuser

    @initialize()
    def begin(self) -> None:
        self.tag, self.world, self.foreign = uuid.uuid4().hex[:8], World(), FOREIGN_ROWS.count

    def memory(self, owner: str, agent: str | None = None) -> ScopedMemory:
        return ScopedMemory(SubjectId(f"{owner}-{self.tag}"), agent=agent)

    def pick(self, number: int, owner: str | None = None) -> str:
        """One of the memories (of a person), or an id that nobody has."""
        ids = sorted(self.world.of(owner) if owner else self.world.memories)
        return ids[number % len(ids)] if ids else str(uuid.uuid4())

    @rule(owner=people, agent=assistants, texts=st.lists(wordings, min_size=1, max_size=2))
    def add(self, owner: str, agent: str | None, texts: list[str]) -> None:
        items = self.memory(owner, agent).add([{"role": "user", "content": text} for text in texts])
        for item, text in zip(items, texts, strict=True):
            assert item.text == text
            self.world.memories[item.id] = Known(owner, agent, [text])

    @rule(owner=people, agent=assistants, number=numbers)
    def note(self, owner: str, agent: str | None, number: int) -> None:
        """mem0 notes a name, and keeps a message of the conversation."""
        subject, links = self.memory(owner).subject, list(self.world.of(owner, agent))[: number % 3]
        more = {"agent_id": agent} if agent else {}
        entity_id = plant_entity(self.superuser, subject, "Miriam", links, **more)
        self.world.entities[entity_id] = (owner, agent, set(links))
        plant_message(self.superuser, subject, "said", agent)
        self.world.messages[owner, agent] = self.world.messages.get((owner, agent), 0) + 1

    @rule(owner=people, agent=assistants, number=numbers, text=wordings)
    def update(self, owner: str, agent: str | None, number: int, text: str) -> None:
        memory_id = self.pick(number)
        known = self.world.of(owner, agent).get(memory_id)
        if known is None:
            with pytest.raises(MemoryNotFound):
                self.memory(owner, agent).update(memory_id, text)
            return
        assert self.memory(owner, agent).update(memory_id, text).text == text
        if text != known.texts[-1]:
            known.texts.append(text)
            self._unlink({memory_id})

    def _unlink(self, ids: set[str]) -> None:
        """A correction takes the old wording's names away."""
        for entity_id, (_, _, links) in list(self.world.entities.items()):
            if links & ids:
                links -= ids
                if not links:
                    del self.world.entities[entity_id]

    @rule(owner=people, number=numbers)
    def purge(self, owner: str, number: int) -> None:
        memory_id = self.pick(number)
        known = self.world.of(owner).get(memory_id)
        memory = self.memory(owner)
        if known is None:
            with pytest.raises(MemoryNotFound):
                memory.purge_version(memory_id, 1)
            return
        old = [version for version in memory.history(memory_id) if version.new not in (None, known.texts[-1])]
        if old:
            gone = old[number % len(old)]
            memory.purge_version(memory_id, gone.seq)
            known.texts = [text if text != gone.new else "" for text in known.texts]

    @rule(owner=people, agent=assistants, chosen=st.lists(numbers, min_size=1, max_size=3))
    def delete(self, owner: str, agent: str | None, chosen: list[int]) -> None:
        ids = {self.pick(number) for number in chosen}
        if ids <= set(self.world.of(owner, agent)):
            assert self.memory(owner, agent).delete_many(sorted(ids)).memories == len(ids)
            self.world.forget(ids)
        else:
            with pytest.raises(MemoryNotFound):
                self.memory(owner, agent).delete_many(sorted(ids))

    @rule(owner=people, agent=assistants, off=st.integers(-1, 1))
    def delete_matching(self, owner: str, agent: str | None, off: int) -> None:
        ids = set(self.world.of(owner, agent))
        if off:
            with pytest.raises(CountMoved):
                self.memory(owner).delete_matching(Filters(agent=agent), len(ids) + off)
        else:
            assert self.memory(owner).delete_matching(Filters(agent=agent), len(ids)).memories == len(ids)
            self.world.forget(ids)

    @rule(owner=people, agent=assistants)
    def erase(self, owner: str, agent: str | None) -> None:
        removed = self.memory(owner, agent).erase()
        assert removed.memories == len(self.world.of(owner, agent))
        self.world.forget(set(self.world.of(owner, agent)))
        self.world.messages = {
            key: count
            for key, count in self.world.messages.items()
            if not (key[0] == owner and agent in (None, key[1]))
        }
        self.world.entities = {
            key: value
            for key, value in self.world.entities.items()
            if not (value[0] == owner and agent in (None, value[1]))
        }
        assert {residue.count for residue in self.memory(owner, agent).residue()} == {0}

    @rule(owner=people, agent=assistants, words=wordings, by=st.sampled_from(["meaning", "word"]))
    def search(self, owner: str, agent: str | None, words: str, by: str) -> None:
        own = self.world.of(owner, agent)
        hits = self.memory(owner, agent).search(words, by=by, limit=500).hits  # type: ignore[arg-type]
        found = {hit.item.id: hit.item.text for hit in hits}
        assert found.items() <= {memory_id: known.texts[-1] for memory_id, known in own.items()}.items()
        if by == "word":
            wanted = words.lower().split()
            assert set(found) == {
                memory_id for memory_id, known in own.items() if all(word in known.texts[-1].lower() for word in wanted)
            }

    @rule(owner=people, agent=assistants, limit=st.integers(1, 4), order=st.sampled_from(["newest", "oldest"]))
    def page(self, owner: str, agent: str | None, limit: int, order: str) -> None:
        own, seen, after = self.world.of(owner, agent), [], None
        while True:
            page = self.memory(owner).page(Filters(agent=agent), after=after, limit=limit, order=order)  # type: ignore[arg-type]
            assert page.total == len(own)
            seen += [(item.id, item.text) for item in page.items]
            after = page.next
            if after is None:
                break
        assert sorted(seen) == sorted((memory_id, known.texts[-1]) for memory_id, known in own.items())

    @rule(owner=people, agent=assistants, number=numbers)
    def look(self, owner: str, agent: str | None, number: int) -> None:
        memory_id = self.pick(number)
        memory, known = self.memory(owner, agent), self.world.of(owner, agent).get(memory_id)
        if known is not None:
            assert memory.get(memory_id).text == known.texts[-1]
            assert [version.new or "" for version in memory.history(memory_id)] == known.texts
            return
        reads: tuple[Callable[[str], object], ...] = (memory.get, memory.history)
        for read in reads:
            with pytest.raises(MemoryNotFound):
                read(memory_id)

    @invariant()
    def everything_is_where_it_belongs(self) -> None:
        """Compared with the tables themselves."""
        believed: Counter[tuple[str, str]] = Counter()
        for known in self.world.memories.values():
            believed["memories", known.owner] += 1
            believed["history", known.owner] += len(known.texts)
        for owner, _, _ in self.world.entities.values():
            believed["entities", owner] += 1
        for (owner, _), count in self.world.messages.items():
            believed["messages", owner] += count
        rows = self.superuser.execute(COUNTS, (f"%-{self.tag}",)).fetchall()
        assert {(place, subject.rpartition("-")[0]): count for place, subject, count in rows} == believed
        assert FOREIGN_ROWS.count == self.foreign

    def teardown(self) -> None:
        for owner in PEOPLE:
            self.memory(owner).erase()


def _run(superuser: Superuser) -> None:
    machine = type("Machine", (IsolationMachine,), {"superuser": superuser})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )


def test_nobody_sees_or_loses_anything(superuser: Superuser) -> None:
    _run(superuser)


def test_nobody_sees_or_loses_anything_without_the_wall(superuser: Superuser, wall_down: None) -> None:
    """The wall would hide a mistake in the portal's own conditions."""
    _run(superuser)
