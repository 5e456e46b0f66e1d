"""prepare_store: on nothing, on what a plain mem0 made and uses, twice, at the same time, after an interruption."""

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from mem0.vector_stores.pgvector import PGVector
from psycopg.conninfo import make_conninfo

from memoryportal.memory import ScopedMemory, StoreRefused, StoreUnavailable, SubjectId
from memoryportal.memory.configuration import configuration
from memoryportal.memory.prepare import prepare_store

from .databases import CANARY, OLD_TIME, Database, plain_mem0
from .planted import SOMEWHERE, as_text, payload


def _person(number: int) -> ScopedMemory:
    return ScopedMemory(SubjectId(f"person{number}"))


def _catalog(database: Database) -> list[Any]:
    """Everything that was defined, to compare before and after."""
    statements = (
        "SELECT relname, relrowsecurity, relforcerowsecurity, relacl FROM pg_class WHERE relkind = 'r' ORDER BY 1",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT tablename, policyname, qual, with_check FROM pg_policies ORDER BY 1, 2",
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "SELECT attrelid::regclass::text, attname, attstattarget FROM pg_attribute WHERE attnum > 0 ORDER BY 1, 2",
        "SELECT proname, prosrc FROM pg_proc WHERE proname LIKE '%gate_check'",
    )
    return [database.superuser.execute(statement).fetchall() for statement in statements]  # type: ignore[arg-type]


def test_preparing_twice_changes_nothing(database: Database) -> None:
    said = prepare_store()
    assert {
        f"created the table memories{suffix}" for suffix in ("", "_entities", "_history", "_messages", "_gate")
    } <= {*said}
    before = _catalog(database)
    ScopedMemory(SubjectId("alice")).add("I drink tea")
    assert prepare_store() == []
    assert _catalog(database) == before
    assert ScopedMemory(SubjectId("alice")).page().total == 1


def test_the_store_of_a_plain_mem0_is_taken_over(database: Database) -> None:
    plain_mem0(database)
    said = prepare_store()
    assert "turned created_at of 2000 memories into UTC" in said
    assert "created the table memories" not in said
    page = _person(7).page(limit=100)
    assert (page.total, len(page.items)) == (50, 50)
    assert {item.created for item in page.items} == {datetime(2026, 3, 14, 12, 0, 0, 123456, tzinfo=UTC)}
    assert all(item.text.endswith("of person7") for item in page.items)
    assert len(_person(7).search("tea", by="word").hits) == 0
    assert len(_person(7).search(CANARY, by="word", limit=500).hits) == 50
    assert _person(7).erase().counts == {
        "memories": 50,
        "entities": 50,
        "history": 0,
        "messages": 0,
        "uses": 100,  # the page and the search above
        "never": 0,
    }
    assert _person(8).held()["memories"] == 50
    assert prepare_store() == []


def test_a_plain_mem0_goes_on_writing_as_the_owner(database: Database) -> None:
    plain_mem0(database, rows=40)
    prepare_store()
    store = PGVector("", "memories", 256, "", "", "", "", False, True, connection_string=database.owner_dsn)
    store.insert([SOMEWHERE], [payload("person7", "written afterwards")], [str(uuid.uuid4())])
    assert len(store.list({"user_id": "person7"}, 100)[0]) == 2
    with pytest.raises(psycopg.Error) as refusal:
        store.insert([SOMEWHERE], [payload("*", "of everybody")], [str(uuid.uuid4())])
    assert refusal.value.sqlstate == "MP003"
    store.connection_pool.close()
    assert _person(7).page().total == 2


def test_rows_of_ids_that_are_refused_today_stop_nothing(database: Database) -> None:
    """They were written before the gate stood; they are reached by rename_subject."""
    plain_mem0(database, rows=1)
    for subject in ("*", " a ", "john smith", "", "x" * 3000, "a\u200bb"):
        database.superuser.execute(
            "INSERT INTO memories (id, vector, payload) VALUES (gen_random_uuid(), %s, %s)",
            (as_text(SOMEWHERE), json.dumps(payload(subject, "old", created_at=OLD_TIME))),
        )
    assert "turned created_at of 7 memories into UTC" in prepare_store()
    assert prepare_store() == []


def test_four_at_once_prepare_once(database: Database) -> None:
    plain_mem0(database, rows=200)
    said, failures = [], []

    def run() -> None:
        try:
            said.append(prepare_store())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(map(bool, said)) == [False, False, False, True]
    assert _person(7).page().total == 5


def test_an_interrupted_index_is_made_again(database: Database) -> None:
    prepare_store()
    database.superuser.execute("DROP INDEX memories_owner_idx")
    with psycopg.connect(database.owner_dsn) as writer, psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        writer.execute("LOCK TABLE memories IN ROW EXCLUSIVE MODE")  # CONCURRENTLY waits for writers
        owner.execute("SET statement_timeout = 300")
        with pytest.raises(psycopg.errors.QueryCanceled):
            owner.execute("CREATE INDEX CONCURRENTLY memories_owner_idx ON memories ((payload->>'user_id'))")
    broken = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    assert database.names(broken) == {"memories_owner_idx"}
    assert prepare_store() == ["created the index memories_owner_idx"]
    assert database.names(broken) == set()
    assert "created_at" in str(database.names("SELECT indexdef FROM pg_indexes WHERE indexname = 'memories_owner_idx'"))


def test_a_list_starts_from_the_owner_index(database: Database) -> None:
    plain_mem0(database)
    prepare_store()
    database.superuser.execute("ANALYZE")
    with psycopg.connect(configuration().dsn) as scoped:
        scoped.execute("SELECT set_config('memoryportal.subject', 'person7', true)")
        plan = scoped.execute(
            "EXPLAIN SELECT id FROM memories WHERE payload->>'user_id' = 'person7' AND payload->>'run_id' IS NULL"
        ).fetchall()
    assert "memories_owner_idx" in str(plan)


# --- refused ---------------------------------------------------------------------------------------------------------


def test_who_may_not_prepare_is_told_so(database: Database) -> None:
    for role in ("memoryportal_app", "memoryportal_scoped"):
        with pytest.raises(StoreUnavailable, match="could not be prepared: permission denied"):
            prepare_store(make_conninfo(database.owner_dsn, user=role))
    assert database.names("SELECT relname FROM pg_class WHERE relname LIKE 'memories%'") == set()


def test_a_server_that_is_not_there_is_named_without_its_password(database: Database) -> None:
    with pytest.raises(StoreUnavailable) as failure:
        prepare_store("postgresql://somebody:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize("collection", ["x" * 45, "", "ü" * 23, "a%b", "a;b", 'a"b', "a b", "a\0b", "*", "{}", "%s"])
def test_a_collection_whose_tables_could_be_mistaken_is_refused(
    database: Database, settings: Any, collection: str
) -> None:
    """PostgreSQL cuts names at 63 bytes: a long one's entities would be its memories."""
    store = {
        "provider": "pgvector",
        "config": {"collection_name": collection, "host": "x", "embedding_model_dims": 256},
    }
    settings.MEM0_CONFIG = json.dumps({"vector_store": store})
    if collection == "":  # mem0's own default
        assert configuration().collection == "mem0"
        return
    with pytest.raises(StoreRefused):
        configuration()


def test_the_longest_name_works(database: Database, settings: Any) -> None:
    for collection in ("x" * 44, "My-Collection.2"):
        store = {
            "provider": "pgvector",
            "config": {"collection_name": collection, "host": "x", "embedding_model_dims": 256},
        }
        settings.MEM0_CONFIG = json.dumps({"vector_store": store, "embedder": {"provider": "wordllama"}})
        prepare_store()
        memory = ScopedMemory.for_person(SubjectId("alice"))
        item = memory.add("I drink tea")[0]
        assert memory.search("tea", by="word").hits[0].item.id == item.id
        assert memory.erase().counts == {
            "memories": 1,
            "entities": 0,
            "history": 1,
            "messages": 0,
            "uses": 0,
            "never": 0,
        }
        assert prepare_store() == []
