"""The use log: nothing is handed to an assistant unnoted, and what the person reads is not noted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from memoryportal.memory import (
    Filters,
    MemoryNotFound,
    ScopedMemory,
    ScopeViolation,
    StoreUnavailable,
    bulk,
    pool,
    uses,
)
from memoryportal.memory.configuration import configuration
from memoryportal.memory.stores import current_store
from memoryportal.memory.tasks import prune_uses

from .model_server import ModelServer
from .planted import Superuser, payload, plant, stored

Read = Callable[[ScopedMemory, str], Any]
HANDS_OUT: dict[str, Read] = {
    "page": lambda memory, _: memory.page(),
    "search by meaning": lambda memory, _: memory.search("tea"),
    "search by word": lambda memory, _: memory.search("tea", by="word"),
    "get": lambda memory, memory_id: memory.get(memory_id),
    "get_many": lambda memory, memory_id: memory.get_many([memory_id]),
    "history": lambda memory, memory_id: memory.history(memory_id),
    "walk": lambda memory, _: list(memory.walk()),
}


def _cook(of: ScopedMemory) -> ScopedMemory:
    """The assistant's side."""
    return ScopedMemory(of.subject, agent="cook", run="r1")


def _log(superuser: Superuser) -> list[tuple[Any, ...]]:
    return superuser.execute("SELECT subject, memory_id::text, agent, run FROM memories_uses ORDER BY seq").fetchall()


@pytest.fixture
def tea(alice: ScopedMemory) -> str:
    """The id of one memory of the cook's."""
    return _cook(alice).add("I drink tea")[0].id


@pytest.mark.parametrize("name", HANDS_OUT)
def test_what_an_assistant_is_handed_is_noted(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, tea: str, name: str
) -> None:
    _cook(bob).add("I drink tea too")
    HANDS_OUT[name](_cook(alice), tea)
    assert _log(superuser) == [(str(alice.subject), tea, "cook", "r1")]


@pytest.mark.parametrize("name", HANDS_OUT)
def test_what_the_person_reads_is_not_noted(superuser: Superuser, alice: ScopedMemory, tea: str, name: str) -> None:
    HANDS_OUT[name](alice, tea)
    HANDS_OUT[name](ScopedMemory.for_person(alice.subject, agent="cook"), tea)
    assert _log(superuser) == []


@pytest.mark.parametrize("name", HANDS_OUT)
def test_what_has_expired_is_neither_handed_to_an_assistant_nor_noted(
    superuser: Superuser, alice: ScopedMemory, name: str
) -> None:
    cook = _cook(alice)
    expired = cook.add("I drank tea", expires="2020-01-01")[0].id
    if name in ("get", "get_many", "history"):
        with pytest.raises(MemoryNotFound):
            HANDS_OUT[name](cook, expired)
    else:
        handed = HANDS_OUT[name](cook, expired)
        assert list(getattr(handed, "items", None) or getattr(handed, "hits", [])) == []
    assert _log(superuser) == []
    assert HANDS_OUT[name](alice, expired), "the person sees it"
    assert (cook.count(), cook.page().total) == (1, 1)


def test_beside_what_has_expired_the_rest_is_handed_out(superuser: Superuser, alice: ScopedMemory, tea: str) -> None:
    cook = _cook(alice)
    expired = cook.add("I drank tea", expires="2020-01-01")[0].id
    assert [item.id for item in cook.page().items] == [tea]
    assert [hit.item.id for hit in cook.search("tea", by="word").hits] == [tea]
    with pytest.raises(MemoryNotFound):
        cook.get_many([tea, expired])
    assert {row[1] for row in _log(superuser)} == {tea}


def test_changes_counts_and_empty_answers_are_no_use(superuser: Superuser, alice: ScopedMemory, tea: str) -> None:
    cook = _cook(alice)
    cook.update(tea, "I drink mate")
    cook.count(), cook.summary(), cook.held(), cook.entities()
    cook.search("motorcycle", by="word")
    ScopedMemory(alice.subject, agent="planner").page()
    cook.delete(tea)
    assert _log(superuser) == []


def test_only_what_was_returned_is_noted(superuser: Superuser, alice: ScopedMemory) -> None:
    cook = _cook(alice)
    cook.add([{"role": "user", "content": f"I drink tea {number}"} for number in range(5)])
    hits = cook.search("tea", by="word", limit=2).hits
    assert {row[1] for row in _log(superuser)} == {hit.item.id for hit in hits}
    page = cook.page(limit=3)
    assert sorted(row[1] for row in _log(superuser)) == sorted([h.item.id for h in hits] + [i.id for i in page.items])


def test_one_statement_notes_all_of_a_search(superuser: Superuser, alice: ScopedMemory) -> None:
    cook = _cook(alice)
    cook.add([{"role": "user", "content": f"I drink tea {number}"} for number in range(20)])
    cook.search("tea", by="word")
    rows = superuser.execute("SELECT count(*), count(DISTINCT (xmin::text, cmin::text)) FROM memories_uses").fetchone()
    assert rows == (20, 1)


@pytest.mark.parametrize("name", HANDS_OUT)
def test_nothing_is_handed_out_unnoted(superuser: Superuser, alice: ScopedMemory, tea: str, name: str) -> None:
    superuser.execute("REVOKE INSERT ON memories_uses FROM memoryportal_scoped")
    try:
        with pytest.raises(StoreUnavailable):
            HANDS_OUT[name](_cook(alice), tea)
        assert HANDS_OUT[name](alice, tea)
    finally:
        superuser.execute("GRANT INSERT ON memories_uses TO memoryportal_scoped")
    assert _log(superuser) == []


def test_the_person_sees_how_often_who_was_handed_what(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, tea: str
) -> None:
    cook, nameless = _cook(alice), ScopedMemory(alice.subject)
    coffee = cook.add("I drink coffee")[0].id
    began = datetime.now(UTC) - timedelta(minutes=1)
    for _ in range(3):
        cook.get(tea)
    cook.get(coffee)
    nameless.get(tea)
    _cook(bob).add("I drink tea too")
    _cook(bob).search("tea")
    whole = alice.handed()
    assert [(handed.agent, handed.times, handed.memories) for handed in whole] == [(None, 1, 1), ("cook", 4, 2)]
    assert all(began < handed.first <= handed.last for handed in whole)
    assert [(handed.agent, handed.times) for handed in alice.handed(tea)] == [(None, 1), ("cook", 3)]
    assert {key: [handed.times for handed in value] for key, value in bulk.handed(alice, [tea, coffee]).items()} == {
        tea: [1, 3],
        coffee: [1],
    }
    assert sorted((use.memory_id, use.agent, use.run) for use in bulk.uses(alice) if use.agent) == sorted(
        [(tea, "cook", "r1")] * 3 + [(coffee, "cook", "r1")]
    )
    assert alice.held()["uses"] == 5
    assert bob.held()["uses"] == 1


def test_the_log_is_streamed_whole(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 3)
    for owner in (alice, bob):
        for _ in range(2):
            (memory_id,) = plant(superuser, [payload(owner.subject, "I drink tea")])
            for _ in range(4):
                uses.note(current_store(), ScopedMemory(owner.subject, agent="cook").scope, [memory_id])
    streamed = list(bulk.uses(alice))
    assert len(streamed) == 8
    assert {use.memory_id for use in streamed} == {item.id for item in alice.page().items}


def test_an_assistant_reads_no_log(alice: ScopedMemory, tea: str) -> None:
    cook = _cook(alice)
    for read in (cook.handed, cook.stopped, cook.allow_again, lambda: list(bulk.uses(cook))):
        with pytest.raises(ScopeViolation):
            read()


def test_a_deleted_memory_takes_its_uses_along(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    for owner in (alice, bob):
        cook = _cook(owner)
        cook.add([{"role": "user", "content": text} for text in ("one", "two", "three")])
        cook.page()
    ids = [item.id for item in alice.page(order="oldest").items]
    assert alice.delete(ids[0]).counts["uses"] == 1
    assert alice.delete_matching(Filters(agent="cook"), 2).counts["uses"] == 2
    assert {row[0] for row in _log(superuser)} == {str(bob.subject)}
    assert bob.erase().counts["uses"] == 3
    assert _log(superuser) == []


def test_erasing_one_assistant_leaves_what_others_were_handed(superuser: Superuser, alice: ScopedMemory) -> None:
    cook, planner = _cook(alice), ScopedMemory(alice.subject, agent="planner")
    cook.add("I drink tea")
    kept = planner.add("I plan trips")[0].id
    cook.page(), planner.page(), ScopedMemory(alice.subject).page()
    scope = ScopedMemory.for_person(alice.subject, agent="cook")
    assert scope.erase().counts["uses"] == 2
    assert scope.held()["uses"] == 0
    assert {(row[1], row[2]) for row in _log(superuser)} == {(kept, "planner"), (kept, None)}


def test_old_uses_end_for_everybody(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_LOG_DAYS = 30
    monkeypatch.setattr(uses, "BATCH", 2)
    for owner in (alice, bob):
        cook = _cook(owner)
        cook.add([{"role": "user", "content": f"I drink tea {number}"} for number in range(3)])
        cook.page()
        superuser.execute("UPDATE memories_uses SET at = now() - interval '31 days'")
        cook.page()
    superuser.execute("UPDATE memories_uses SET at = now() - interval '29 days' WHERE at > now() - interval '1 day'")
    before = superuser.execute("SELECT count(*) FROM memories_uses WHERE at < now() - interval '30 days'").fetchone()
    assert before == (9,)
    prune_uses(0)
    assert superuser.execute("SELECT count(*), min(at) > now() - interval '30 days' FROM memories_uses").fetchone() == (
        3,
        True,
    )
    settings.USE_LOG_DAYS = 0  # never less than a day: a slip of the pen is no erasure
    uses.prune(current_store())
    assert superuser.execute("SELECT count(*) FROM memories_uses").fetchone() == (0,)


def test_the_wall_stands_around_the_log(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    for owner in (alice, bob):
        _cook(owner).add("I drink tea")
        _cook(owner).page()
    with pool.transaction(configuration().dsn, str(alice.subject)) as cursor:
        assert {row[0] for row in cursor.execute("SELECT subject FROM memories_uses")} == {str(alice.subject)}
        cursor.execute("DELETE FROM memories_uses")
    assert {row[0] for row in _log(superuser)} == {str(bob.subject)}
    with pytest.raises(StoreUnavailable), pool.transaction(configuration().dsn, str(alice.subject)) as cursor:
        cursor.execute("INSERT INTO memories_uses (subject, memory_id) VALUES (%s, gen_random_uuid())", (bob.subject,))


# --- facts that a language model extracts ----------------------------------------------------------------------------


@pytest.fixture
def extracting(settings: Any, model_server: ModelServer) -> ModelServer:
    settings.MEM0_CONFIG = model_server.mem0_config()
    model_server.facts = [{"text": "I have a tortoise", "attributed_to": "user"}]
    return model_server


def test_what_the_model_is_shown_is_noted(
    superuser: Superuser, alice: ScopedMemory, extracting: ModelServer, tea: str
) -> None:
    assert _log(superuser) == [], "there was nothing to show yet"
    seen: list[Any] = []
    extracting.before_answer = lambda: seen.append(_log(superuser))
    _cook(alice).add("my pet is slow")
    assert "I have a tortoise" in extracting.prompts[-1]
    assert seen == [[(str(alice.subject), tea, "cook", "r1")]], "noted before the model has it"


def test_the_model_is_shown_nothing_unnoted(
    superuser: Superuser, alice: ScopedMemory, extracting: ModelServer, tea: str
) -> None:
    before, asked = stored(superuser), len(extracting.prompts)
    superuser.execute("REVOKE INSERT ON memories_uses FROM memoryportal_scoped")
    try:
        with pytest.raises(StoreUnavailable):
            _cook(alice).add("my pet is slow")
    finally:
        superuser.execute("GRANT INSERT ON memories_uses TO memoryportal_scoped")
    assert len(extracting.prompts) == asked
    assert stored(superuser) == before


def test_the_address_of_the_log_is_the_portals_own(superuser: Superuser, alice: ScopedMemory) -> None:
    """Whoever has Django's login neither reads nor prunes it."""
    with psycopg.connect(configuration().dsn, user="memoryportal_app", autocommit=True) as app:
        for statement in ("SELECT 1 FROM memories_uses", "SELECT memories_prune_uses(1, 1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)  # type: ignore[arg-type]
