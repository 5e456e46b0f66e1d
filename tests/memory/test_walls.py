"""The wall in the database: an unmodified mem0 that connects as the portal does reaches one person's rows, or none."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from mem0.memory.main import Memory
from mem0.vector_stores.pgvector import PGVector
from psycopg.conninfo import make_conninfo

from memoryportal.memory import ScopedMemory
from memoryportal.memory.configuration import configuration

from .conftest import superuser_dsn
from .model_server import ModelServer
from .planted import SOMEWHERE, Superuser, address, as_text, fill_places, payload, plant, stored


@pytest.fixture
def plain() -> Iterator[Callable[..., PGVector]]:
    """mem0's own store, unmodified, for a subject."""
    made = []

    def make(subject: str | None, collection: str = "memories") -> PGVector:
        connection = {
            "dbname": "",
            "user": "",
            "password": "",
            "host": "",
            "port": "",
            "connection_string": address(subject),
        }
        store = PGVector(
            collection_name=collection, embedding_model_dims=256, diskann=False, hnsw=False, maxconn=10, **connection
        )
        made.append(store)
        return store

    yield make
    for store in made:
        store.connection_pool.close()


@pytest.fixture
def memory_of(model_server: ModelServer) -> Iterator[Callable[[str | None], Memory]]:
    """mem0's whole Memory, unmodified, for a subject."""
    made = []

    def make(subject: str | None) -> Memory:
        config: dict[str, Any] = json.loads(model_server.mem0_config())
        reach = {"connection_string": address(subject), "collection_name": "memories", "embedding_model_dims": 256}
        config["vector_store"]["config"] = {**reach, "hnsw": False}
        made.append(Memory.from_config({**config, "history_db_path": ":memory:"}))
        return made[-1]

    yield make
    for memory in made:
        memory.close()
        memory.vector_store.connection_pool.close()


HOSTILE: dict[str, Callable[[str, str], Any]] = {
    "nothing": lambda own, other: None,
    "no filter": lambda own, other: {},
    "everybody": lambda own, other: {"user_id": "*"},
    "the other": lambda own, other: {"user_id": other},
    "both": lambda own, other: {"user_id": [own, other]},
    "in": lambda own, other: {"user_id": {"in": [own, other]}},
    "not me": lambda own, other: {"user_id": {"ne": own}},
    "or": lambda own, other: {"$or": [{"user_id": own}, {"user_id": other}]},
    "not": lambda own, other: {"$not": [{"user_id": own}]},
    "like": lambda own, other: {"user_id": {"contains": ""}},
    "by assistant": lambda own, other: {"agent_id": "cook"},
    "any assistant": lambda own, other: {"agent_id": "*"},
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_filter_reaches_anybody_else(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, plain: Any, hostile: str
) -> None:
    own, _ = fill_places(superuser, alice, bob)
    for subject, visible in ((alice.subject, {own}), (None, set()), ("", set()), ("nobody", set()), ("*", set())):
        filters = HOSTILE[hostile](alice.subject, bob.subject)
        store = plain(subject)
        for rows in (
            store.list(filters, 1000)[0],
            store.search("tea", SOMEWHERE, 1000, filters),
            store.keyword_search("tea", 1000, filters),
        ):
            assert {row.id for row in rows} <= visible
        names = plain(subject, "memories_entities").list(filters, 1000)[0]
        assert {row.payload["user_id"] for row in names} <= ({str(alice.subject)} if visible else set())


def test_the_wall_is_what_keeps_them_out(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, plain: Any
) -> None:
    """The same calls with the wall down see everybody: the tests above have something to find."""
    ids = fill_places(superuser, alice, bob)
    superuser.execute("ALTER TABLE memories DISABLE ROW LEVEL SECURITY")
    try:
        assert {row.id for row in plain(alice.subject).list({"user_id": "*"}, 1000)[0]} == set(ids)
    finally:
        superuser.execute("ALTER TABLE memories ENABLE ROW LEVEL SECURITY")


@pytest.mark.parametrize("speaker", ["alice", None, ""])
def test_a_foreign_row_is_not_there_for_plain_mem0(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, plain: Any, speaker: str | None
) -> None:
    _, foreign = fill_places(superuser, alice, bob)
    before = stored(superuser)
    store = plain(alice.subject if speaker == "alice" else speaker)
    assert store.get(foreign) is None
    store.update(foreign, SOMEWHERE, payload(alice.subject, "taken over"))
    store.update(foreign, None, payload(bob.subject, "taken over"))
    store.delete(foreign)
    for subject in (bob.subject, "*", None):
        with pytest.raises(psycopg.Error):
            store.insert([SOMEWHERE], [payload(subject, "planted")], [str(uuid.uuid4())])
    with pytest.raises(psycopg.Error):
        store.insert([SOMEWHERE], [payload(alice.subject, "replaced")], [foreign])
    for destroy in (store.reset, store.delete_col):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            destroy()
    assert stored(superuser) == before


def test_an_own_row_cannot_be_given_away(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, plain: Any
) -> None:
    own, _ = fill_places(superuser, alice, bob)
    before = stored(superuser)
    for taker in (bob.subject, "*", None, f"{alice.subject} "):
        with pytest.raises(psycopg.Error):
            plain(alice.subject).update(own, None, payload(taker, "given away"))
    with pytest.raises(psycopg.Error) as refusal, psycopg.connect(superuser_dsn()) as owner:
        owner.execute("UPDATE memories SET payload = payload || %s WHERE id = %s", ('{"user_id": "carol"}', own))
    assert refusal.value.sqlstate == "MP005"  # not even for a login that no policy binds
    with pytest.raises(psycopg.Error) as refusal, psycopg.connect(superuser_dsn()) as owner:
        owner.execute("UPDATE memories_history SET subject = %s WHERE subject = %s", (bob.subject, alice.subject))
    assert refusal.value.sqlstate == "MP005"
    assert stored(superuser) == before


@pytest.mark.parametrize(
    "subject", ["*", "a,b", "", " ", "a b", "x" * 129, None, "a\u200bb", 5, True, ["a"], {"a": "b"}]
)
@pytest.mark.parametrize("role", ["memoryportal_scoped", "memoryportal_owner", "postgres"])
def test_nobody_writes_a_row_of_nobody(superuser: Superuser, role: str, subject: Any) -> None:
    row = {"data": "of nobody", **({} if subject is None else {"user_id": subject})}
    told = (subject or "") if isinstance(subject, str | None) else json.dumps(subject)
    statement = "INSERT INTO memories (id, vector, payload) VALUES (gen_random_uuid(), %s, %s)"
    with psycopg.connect(make_conninfo(configuration().dsn, user=role), autocommit=True) as connection:
        connection.execute("SELECT set_config('memoryportal.subject', %s, false)", (told,))
        with pytest.raises(psycopg.Error) as refusal:
            connection.execute(statement, (as_text(SOMEWHERE), json.dumps(row)))
    assert refusal.value.sqlstate in ("MP003", "42501")
    assert not any(stored(superuser).values())


def test_plain_mem0_lives_behind_the_wall(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, memory_of: Any
) -> None:
    """Everything that mem0 offers works for one's own, and nothing of it for anybody else's."""
    _, foreign = fill_places(superuser, alice, bob)
    theirs = stored(superuser, bob.subject)
    mem0 = memory_of(alice.subject)
    added = mem0.add("I ride a bicycle", user_id=str(alice.subject), infer=False)["results"][0]["id"]
    mem0.update(added, "I ride a red bicycle")
    everybody: list[dict[str, Any]] = [
        {"user_id": "*"},
        {"user_id": str(bob.subject)},
        {"user_id": str(alice.subject), "AND": [{"user_id": str(bob.subject)}]},
        {"user_id": str(alice.subject), "AND": [{"user_id": "*"}]},
        {"user_id": str(alice.subject), "OR": [{"user_id": str(bob.subject)}]},
        {"agent_id": "*"},
    ]
    for filters in everybody:
        seen = mem0.get_all(filters=filters, top_k=1000)["results"]
        seen += mem0.search("tea", filters=filters, threshold=0.0, top_k=1000)["results"]
        assert {row["user_id"] for row in seen} <= {str(alice.subject)}
    assert mem0.get(foreign) is None
    for change in (mem0.delete, lambda memory_id: mem0.update(memory_id, "taken over")):
        with pytest.raises(ValueError, match="not found"):
            change(foreign)
    for user_id in (str(bob.subject), "*"):
        with pytest.raises(psycopg.Error):
            mem0.add("planted", user_id=user_id, infer=False)
        mem0.delete_all(user_id=user_id)
    with pytest.raises(psycopg.Error):
        mem0.reset()
    assert stored(superuser, bob.subject) == theirs


def test_plain_mem0_without_a_subject_sees_and_writes_nothing(
    superuser: Superuser, alice: ScopedMemory, memory_of: Any
) -> None:
    fill_places(superuser, alice)
    before = stored(superuser)
    mem0 = memory_of(None)
    for filters in ({"user_id": "*"}, {"user_id": str(alice.subject)}):
        assert mem0.get_all(filters=filters)["results"] == []
        assert mem0.search("tea", filters=filters, threshold=0.0)["results"] == []
    with pytest.raises(psycopg.Error):
        mem0.add("planted", user_id=str(alice.subject), infer=False)
    mem0.delete_all(user_id=str(alice.subject))
    assert stored(superuser) == before


def test_ten_threads_with_wildcards_get_nothing_foreign(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, plain: Any
) -> None:
    plant(superuser, [payload(owner.subject, f"tea {n}") for owner in (alice, bob) for n in range(20)])
    store, seen = plain(alice.subject), []

    def look() -> None:
        for _ in range(20):
            looks = (store.list({"user_id": "*"}, 100)[0], store.search("tea", SOMEWHERE, 100, {"user_id": "*"}))
            seen.extend([row.payload["user_id"] for row in rows] for rows in looks)

    threads = [threading.Thread(target=look) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [[str(alice.subject)] * 20] * 400
