"""What assistants know by themselves, behind the wall in PostgreSQL: a door of its own, and nothing kept beside it."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from mem0.vector_stores.pgvector import PGVector
from psycopg.conninfo import make_conninfo

from memoryportal.base.deadline import DeadlineConnection
from memoryportal.memory import AgentKnowledge, NotConfirmed, ScopedMemory, StoreUnavailable, controls, pool
from memoryportal.memory.configuration import configuration
from memoryportal.memory.inspection import inspect
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.stores import current_store

from ..proxy import Proxy
from .calls import CANARY, assert_free_of_content
from .conftest import superuser_dsn
from .model_server import ModelServer
from .planted import SOMEWHERE, Superuser, as_text, payload, plant, stored

REFUND = "Our refund policy is 30 days for unused items."
INSERT = "INSERT INTO {} (id, vector, payload) VALUES (gen_random_uuid(), %s, %s)"


def _as(subject: str = "", knowledge: str = "", role: str = "memoryportal_scoped") -> str:
    options = f"-c memoryportal.subject={subject} -c memoryportal.knowledge={knowledge}"
    return make_conninfo(configuration().dsn, user=role, options=options)


def _seen(dsn: str, table: str = "memories_knowledge") -> set[str]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        statement = psycopg.sql.SQL("SELECT payload->>'data' FROM {}").format(psycopg.sql.Identifier(table))
        return {row[0] for row in connection.execute(statement)}


@pytest.fixture
def filled(superuser: Superuser, alice: ScopedMemory) -> None:
    rows = [("cook", None), ("planner", None), ("cook", str(alice.subject)), (None, str(alice.subject))]
    plant(superuser, [payload(person, f"{agent} of {person}", agent_id=agent) for agent, person in rows])
    plant(superuser, [payload(None, "a conversation's", run_id="r1")])


def test_the_view_shows_one_assistants_knowledge_and_the_tables_none(alice: ScopedMemory, filled: None) -> None:
    for subject in ("", str(alice.subject)):
        assert _seen(_as(subject, "cook")) == {"cook of None"}
        assert _seen(_as(subject, "planner")) == {"planner of None"}
        for nobody in ("", "*", "coo", "Cook"):
            assert _seen(_as(subject, nobody)) == set()
    own = {f"cook of {alice.subject}", f"None of {alice.subject}"}
    assert _seen(_as(str(alice.subject), "cook"), "memories") == own
    assert _seen(_as("", "cook"), "memories") == set()


@pytest.mark.parametrize("owner", [{"user_id": "eve", "agent_id": "cook"}, {"agent_id": "planner"}, {"run_id": "r1"}])
def test_nothing_else_can_be_written_through_the_view(
    superuser: Superuser, filled: None, owner: dict[str, str]
) -> None:
    before = stored(superuser)
    with psycopg.connect(_as("eve", "cook"), autocommit=True) as scoped:
        with pytest.raises(psycopg.Error):
            scoped.execute(
                INSERT.format("memories_knowledge"), (as_text(SOMEWHERE), json.dumps({"data": "planted", **owner}))
            )
        with pytest.raises(psycopg.Error):
            scoped.execute("UPDATE memories_knowledge SET payload = %s", (json.dumps({"data": "planted", **owner}),))
        with pytest.raises(psycopg.Error):
            scoped.execute(INSERT.format("memories"), (as_text(SOMEWHERE), json.dumps({"agent_id": "cook"})))
    assert stored(superuser) == before


def test_deleting_through_the_view_reaches_nobody_else(superuser: Superuser, filled: None) -> None:
    with psycopg.connect(_as(knowledge="cook"), autocommit=True) as scoped:
        assert scoped.execute("DELETE FROM memories_knowledge").rowcount == 1
    assert len(stored(superuser)["memories"]) == 4


def test_a_plain_mem0_finds_no_way_from_the_view_to_people(
    superuser: Superuser, alice: ScopedMemory, filled: None
) -> None:
    """mem0's own store on the view, with everything that its filters let through."""
    before = stored(superuser)
    nothing = dict.fromkeys(("dbname", "user", "password", "host", "port"), "")
    store = PGVector(
        collection_name="memories_knowledge",
        embedding_model_dims=256,
        diskann=False,
        hnsw=False,
        connection_string=_as(str(alice.subject), "cook"),
        **nothing,
    )
    for filters in ({}, {"user_id": "*"}, {"user_id": str(alice.subject)}, {"agent_id": "planner"}):
        rows = [*store.list(filters, 100)[0], *store.search("tea", SOMEWHERE, 100, filters)]
        assert {row.payload["data"] for row in rows} <= {"cook of None"}
    store.connection_pool.close()
    assert stored(superuser) == before


def test_djangos_login_cannot_use_the_view(filled: None) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _seen(_as(knowledge="cook", role="memoryportal_app"))


def test_the_owner_is_bound_to_the_view_as_well(filled: None) -> None:
    """FORCE: what the policy gives the view's owner is what the view shows."""
    assert _seen(_as(knowledge="cook", role="memoryportal_owner"), "memories") == {"cook of None"}
    assert _seen(_as(role="memoryportal_owner"), "memories") == set()


def test_an_assistant_is_forgotten_with_its_transaction(alice: ScopedMemory, filled: None) -> None:
    with pool.get_pool(configuration().dsn).connection() as connection:
        with connection.transaction(), connection.cursor() as cursor:
            pool.bind_subject(cursor, "", "cook")
            assert cursor.execute("SELECT count(*) FROM memories_knowledge").fetchone() == (1,)
        with connection.transaction():
            assert connection.execute("SELECT count(*) FROM memories_knowledge").fetchone() == (0,)


def test_nothing_is_kept_beside_it(superuser: Superuser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mem0.memory.main.extract_entities", lambda text: [("PROPER", "Refund")])
    monkeypatch.setattr("mem0.memory.main.extract_entities_batch", lambda texts: [[("PROPER", "Refund")]] * len(texts))
    cook = AgentKnowledge("cook")
    item = cook.add(REFUND)[0]
    assert cook.search("refund policy").hits[0].item == item
    kept = stored(superuser)
    assert {table: len(rows) for table, rows in kept.items() if rows} == {"memories": 1}
    cook.delete(item.id)
    assert not any(stored(superuser).values())


def test_facts_of_a_language_model_stay_knowledge(
    superuser: Superuser, alice: ScopedMemory, settings: Any, model_server: ModelServer
) -> None:
    settings.MEM0_CONFIG, settings.SEARCH_FLOOR = model_server.mem0_config(), 0.0
    alice_cook = ScopedMemory(alice.subject, agent="cook")
    model_server.facts = [{"text": "Alice likes zimtstern", "attributed_to": "user"}]
    alice_cook.add("I like zimtstern")
    model_server.facts = [{"text": "The kitchen closes at ten", "attributed_to": "user"}]
    model_server.prompts.clear()
    items = AgentKnowledge("cook").add("remember: the kitchen closes at ten")
    assert [item.text for item in items] == ["The kitchen closes at ten"]
    assert "zimtstern" not in "".join(model_server.prompts)  # nobody's memories are shown to the model
    assert alice.count() == 1
    lines = stored(superuser)["memories_messages"]
    assert not any("kitchen" in line for line in lines)


def test_no_gate_of_a_person_stands_before_it(alice: ScopedMemory) -> None:
    controls.shut(current_store(), alice.subject, "erasing")
    assert AgentKnowledge("cook").add(REFUND)


def test_a_table_that_plain_mem0_made_is_read_in_place(settings: Any, superuser: Superuser) -> None:
    """FORCE is off there; what holds is the view itself."""
    name = f"kitchen_{uuid.uuid4().hex[:8]}"
    plain = PGVector("", name, 256, "", "", "", "", False, False, connection_string=configuration().owner_dsn)
    rows = [payload(None, REFUND, agent_id="cook"), payload("eve", "Eve's", agent_id="cook")]
    plain.insert([SOMEWHERE] * 2, rows, [str(uuid.uuid4()) for _ in rows])
    plain.connection_pool.close()
    settings.MEM0_CONFIG = json.dumps(
        {
            "vector_store": {
                "provider": "pgvector",
                "config": {
                    "collection_name": name,
                    "embedding_model_dims": 256,
                    "connection_string": configuration().owner_dsn,
                },
            },
            "embedder": {"provider": "wordllama"},
        }
    )
    try:
        assert f"the view {name}_knowledge does not exist: what assistants know by themselves cannot be read" in {
            finding.sentence for finding in inspect() if finding.level == "missing"
        }
        prepare_store()
        assert [item.text for item in AgentKnowledge("cook").page().items] == [REFUND]
        AgentKnowledge("cook").add("More.")
        assert AgentKnowledge("cook").page().total == 2
        assert prepare_store() == []
        assert not [finding for finding in inspect() if finding.level == "missing"]
    finally:
        pool.close_all()
        with psycopg.connect(superuser_dsn(), autocommit=True) as connection:
            for suffix in ("", "_entities", "_history", "_messages", "_uses", "_never", "_gate", "_refused"):
                connection.execute(f"DROP TABLE IF EXISTS {name}{suffix} CASCADE")
            for function in (f"{name}_gate_check", f"{name}_refused_like"):
                connection.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE")


# --- a store that is away ---------------------------------------------------------------------------------------------

CALLS: dict[str, Callable[[AgentKnowledge, str], object]] = {
    "page": lambda cook, _: cook.page(),
    "search": lambda cook, _: cook.search("tea"),
    "search by word": lambda cook, _: cook.search("tea", by="word"),
    "get": lambda cook, item: cook.get(item),
    "add": lambda cook, _: cook.add(f"{CANARY} again"),
    "delete": lambda cook, item: cook.delete(item),
}


def test_the_list_of_calls_is_complete() -> None:
    public = {name for name in vars(AgentKnowledge) if not name.startswith("_")}
    assert public == {name.partition(" ")[0] for name in CALLS}


@pytest.mark.parametrize("way", ["refuse", "freeze"])
def test_every_call_says_that_the_store_is_away(
    superuser: Superuser, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(DeadlineConnection, "deadline", 0.4)
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 2)
    item = AgentKnowledge("cook").add(f"Tea with {CANARY}.")[0]
    before = stored(superuser)
    getattr(proxy, way)()

    def said(call: Callable[[AgentKnowledge, str], object]) -> StoreUnavailable:
        with pytest.raises(StoreUnavailable) as failure:
            call(AgentKnowledge("cook"), item.id)
        return failure.value

    with ThreadPoolExecutor(len(CALLS)) as executor:
        for error in executor.map(said, CALLS.values()):
            assert not isinstance(error, NotConfirmed)
            assert_free_of_content(error)
    proxy.cut()
    proxy.forward()
    assert stored(superuser) == before


@pytest.mark.parametrize("lost", ["the message", "the answer"])
@pytest.mark.parametrize("name", CALLS)
def test_a_connection_that_is_cut_anywhere(superuser: Superuser, proxy: Proxy, name: str, lost: str) -> None:
    cut, cook = proxy.cut_before if lost == "the message" else proxy.cut_after, AgentKnowledge("cook")
    for number in range(1, 100):
        proxy.forward()
        pool.close_all()
        item = cook.add(f"Tea with {CANARY}.")[0]
        before = stored(superuser)
        cut(number)
        try:
            CALLS[name](cook, item.id)
        except NotConfirmed as error:
            assert_free_of_content(error)
        except StoreUnavailable as error:
            assert_free_of_content(error)
            assert stored(superuser) == before, number
        else:
            if proxy.sent < number:
                break
        for row in superuser.execute("SELECT id::text FROM memories").fetchall():
            superuser.execute("DELETE FROM memories WHERE id = %s", row)
    assert number > 2
    proxy.forward()
