"""What assistants know by themselves: each finds its own, no person sees it, and it sees no person's."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from memoryportal.memory import (
    AgentKnowledge,
    BadCursor,
    BadQuery,
    Filters,
    InvalidSubject,
    KnowledgeScope,
    MemoryNotFound,
    Scope,
    ScopedMemory,
    SubjectId,
)
from memoryportal.memory.stores.base import Store

from .conftest import Person
from .test_contract import said, texts
from .test_contract_changes import snapshot

REFUND = "Our refund policy is 30 days for unused items."
PROMOTION = "Current promotion: 20% off all premium plans."
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
Assistant = Callable[..., AgentKnowledge]


@pytest.fixture
def assistant(store: Store) -> Iterator[Assistant]:
    """Makes an assistant nobody else has: `assistant("support_bot", run="monday")`."""
    tag, made = uuid.uuid4().hex[:8], set()

    def make(name: str, run: str | None = None) -> AgentKnowledge:
        made.add(f"{name}-{tag}")
        return AgentKnowledge(f"{name}-{tag}", run=run)

    yield make
    for agent in made:
        knowledge = AgentKnowledge(agent)
        for item in knowledge.page(limit=500).items:
            knowledge.delete(item.id)


@pytest.fixture
def support(assistant: Assistant) -> AgentKnowledge:
    return assistant("support_bot")


@pytest.fixture
def sales(assistant: Assistant) -> AgentKnowledge:
    return assistant("sales_bot")


def found(knowledge: AgentKnowledge, words: str, **more: object) -> set[str]:
    return {hit.item.text for hit in knowledge.search(words, **more).hits}  # type: ignore[arg-type]


def test_each_assistant_finds_only_its_own(support: AgentKnowledge, sales: AgentKnowledge) -> None:
    support.add([{"role": "user", "content": REFUND}])
    sales.add([{"role": "user", "content": PROMOTION}])
    for knowledge, own in ((support, {REFUND}), (sales, {PROMOTION})):
        assert found(knowledge, "What is the refund policy?") <= own
        assert found(knowledge, "Any promotions?") <= own
        assert {item.text for item in knowledge.page().items} == own
        assert knowledge.page().total == 1
    assert found(support, "What is the refund policy?") == {REFUND}
    assert found(sales, "Any promotions?") == {PROMOTION}
    assert found(support, "30 days", by="word") == {REFUND}
    assert found(sales, "30 days", by="word") == set()


def test_knowledge_and_people_never_meet(support: AgentKnowledge, person: Person, bob: ScopedMemory) -> None:
    agent = support.scope.agent
    alice, with_bot = person("alice"), person("alice", agent=agent)
    mine = said(with_bot, "I had an issue with order #12345 and asked for a refund.")[0]
    known = support.add(REFUND)[0]
    assert (known.agent, known.run) == (agent, None)
    assert texts(support.page().items) == [REFUND]
    assert found(support, "refund") == found(support, "refund", by="word") == {REFUND}
    before = snapshot(alice), snapshot(bob)
    for memory in (alice, with_bot):
        assert texts(memory.page().items) == [mine.text]
        assert {hit.item.text for hit in memory.search("refund policy").hits} <= {mine.text}
        assert {hit.item.text for hit in memory.search("refund", by="word").hits} == {mine.text}
        assert (memory.count(), memory.summary().total, memory.held()["memories"]) == (1, 1, 1)
        for act in (memory.get, memory.delete, memory.history, lambda memory_id, m=memory: m.update(memory_id, "x")):
            with pytest.raises(MemoryNotFound):
                act(known.id)
    for act in (support.get, support.delete):
        with pytest.raises(MemoryNotFound):
            act(mine.id)
    assert (snapshot(alice), snapshot(bob)) == before
    assert support.get(known.id) == known


def test_erasing_people_leaves_knowledge_and_the_other_way_round(support: AgentKnowledge, person: Person) -> None:
    alice, with_bot = person("alice"), person("alice", agent=support.scope.agent)
    known = support.add(REFUND)[0]
    said(with_bot, "I like tea.")
    assert with_bot.erase().memories == 1
    said(with_bot, "I like tea.")
    assert alice.erase().memories == 1
    assert support.get(known.id) == known
    said(with_bot, "I like tea.")
    before = snapshot(alice)
    assert support.delete(known.id).counts == {"memories": 1}
    assert (support.page().total, snapshot(alice)) == (0, before)
    with pytest.raises(MemoryNotFound):
        support.delete(known.id)


def test_knowledge_of_another_assistant_does_not_exist(support: AgentKnowledge, sales: AgentKnowledge) -> None:
    known = support.add(REFUND)[0]
    for act in (sales.get, sales.delete):
        with pytest.raises(MemoryNotFound) as foreign:
            act(known.id)
        with pytest.raises(MemoryNotFound) as missing:
            act("00000000-0000-4000-8000-000000000000")
        assert str(foreign.value) == str(missing.value)
    assert support.get(known.id) == known


def test_a_conversation_narrows_it(assistant: Assistant) -> None:
    whole, monday = assistant("support_bot"), assistant("support_bot", run="monday")
    general, special = whole.add(REFUND)[0], monday.add("On Monday the hotline is closed.")[0]
    assert {item.id for item in whole.page().items} == {general.id, special.id}
    assert [item.id for item in monday.page().items] == [special.id]
    assert special.run == "monday"
    assert found(monday, "refund policy") == set()
    with pytest.raises(MemoryNotFound):
        monday.delete(general.id)
    assert texts(whole.page(Filters(run="monday")).items) == [special.text]
    assert whole.page(Filters(agent="another")).total == 0


def test_pages_follow_each_other(support: AgentKnowledge) -> None:
    items = [support.add(f"Rule {number}.")[0] for number in range(5)]
    first = support.page(limit=2)
    second = support.page(after=first.next, limit=2)
    third = support.page(after=second.next, limit=2)
    listed = [item.id for page in (first, second, third) for item in page.items]
    assert listed == [item.id for item in items][::-1]
    assert (first.total, third.next) == (5, None)
    assert texts(support.page(order="oldest", limit=1).items) == ["Rule 0."]
    with pytest.raises(BadCursor):
        support.page(after=first.next, order="oldest")


def test_what_was_added_reads_back(support: AgentKnowledge) -> None:
    item = support.add("Closed on Sundays.", metadata={"source": "handbook"}, expires=YESTERDAY)[0]
    assert support.get(item.id) == item
    assert (item.text, item.metadata, item.expires, item.expired) == (
        "Closed on Sundays.",
        {"source": "handbook"},
        YESTERDAY,
        True,
    )
    assert support.page(Filters(since=date(2020, 1, 1))).total == 1
    assert support.page(Filters(until=date(2020, 1, 1))).total == 0


@pytest.mark.parametrize("by", ["meaning", "word"])
def test_search_says_when_there_is_more(support: AgentKnowledge, person: Person, by: str) -> None:
    """However many people's memories lie nearer."""
    for number in range(6):
        said(person(f"somebody{number}", agent=support.scope.agent), "The refund policy.")
    for number in range(4):
        support.add(f"The refund policy, part {number}.")
    some, rest = support.search("refund policy", by=by, limit=3), support.search("refund policy", by=by, limit=4)  # type: ignore[arg-type]
    assert (len(some.hits), some.more, len(rest.hits), rest.more) == (3, True, 4, False)


@pytest.mark.parametrize("name", ["*", "al*", "a,b", "", " a ", "a\0", "a\u200bb"])
def test_hostile_names_are_refused(store: Store, name: str) -> None:
    for make in (AgentKnowledge, lambda value: AgentKnowledge("a", run=value)):
        with pytest.raises(InvalidSubject):
            make(name)


def test_lookalike_assistants_are_kept_apart(assistant: Assistant) -> None:
    names = ("bot", "Bot", "bot}", "{bot}", "bot|x", "bot'", 'bot"', "bot%", "b_t", "bot&user_id=alice", "bot:")
    for name in names:
        assistant(name).add(f"Known to {name}.")
    for name in names:
        assert texts(assistant(name).page().items) == [f"Known to {name}."]
        assert found(assistant(name), "known", by="word") == {f"Known to {name}."}


@pytest.mark.parametrize("key", ["user_id", "agent_id", "run_id", "id", "created_at", "expiration_date"])
def test_identity_in_metadata_is_refused(support: AgentKnowledge, bob: ScopedMemory, key: str) -> None:
    before = snapshot(bob)
    with pytest.raises(BadQuery):
        support.add("x", metadata={key: str(bob.subject)})
    assert (support.page().total, snapshot(bob)) == (0, before)


def test_the_two_scopes_are_not_each_other() -> None:
    with pytest.raises(InvalidSubject):
        Scope(KnowledgeScope("bot"))  # type: ignore[arg-type]
    with pytest.raises(InvalidSubject):
        ScopedMemory(KnowledgeScope("bot"))  # type: ignore[arg-type]
    with pytest.raises(InvalidSubject):
        AgentKnowledge(Scope(SubjectId("alice")))  # type: ignore[arg-type]
    assert not Scope(SubjectId("alice"), "bot").owns({"agent_id": "bot"})
    for whose in ("alice", "", "*", ["alice"]):
        assert not KnowledgeScope("bot").owns({"user_id": whose, "agent_id": "bot"})
