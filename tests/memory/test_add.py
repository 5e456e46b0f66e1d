"""Adding: what is refused, that nothing is half added, and that nobody can set what the store keeps for itself."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from memoryportal.memory import (
    BadQuery,
    EmbedderUnavailable,
    ErasureRunning,
    NotConfirmed,
    ScopedMemory,
    WritesPaused,
    controls,
)
from memoryportal.memory.stores import current_store

from .model_server import ModelServer
from .planted import Superuser, stored

RESERVED = [
    "user_id",
    "agent_id",
    "run_id",
    "actor_id",
    "role",
    "data",
    "hash",
    "created_at",
    "updated_at",
    "expiration_date",
    "text_lemmatized",
    "id",
    "attributed_to",
    "memory_type",
    "linked_memory_ids",
]


def test_what_is_added_is_what_was_said(alice: ScopedMemory, bob: ScopedMemory) -> None:
    narrowed = ScopedMemory(alice.subject, agent="cook", run="r1")
    began = datetime.now(UTC)
    items = narrowed.add(
        [
            {"role": "system", "content": "You are a cook."},
            {"role": "user", "content": "  I am vegetarian.\n", "name": "Alice A."},
            {"role": "assistant", "content": "Noted."},
        ],
        metadata={"source": "chat", "score": 0.5, "seen": True, "empty": None, "größe": "ü" * 1000},
        expires=date(2099, 1, 2),
    )
    assert [(item.text, item.role, item.actor) for item in items] == [
        ("I am vegetarian.", "user", "Alice A."),
        ("Noted.", "assistant", None),
    ]
    for item in items:
        assert (item.agent, item.run, item.expires, item.expired) == ("cook", "r1", date(2099, 1, 2), False)
        assert item.created is not None
        assert began <= item.created <= datetime.now(UTC)
        assert item.metadata == {"source": "chat", "score": 0.5, "seen": True, "empty": None, "größe": "ü" * 1000}
        assert alice.get(item.id) == item
        assert [version.new for version in alice.history(item.id)] == [item.text]
    assert alice.page().total == 2
    assert bob.page().total == 0


def test_the_same_text_twice_is_kept_twice(alice: ScopedMemory) -> None:
    first, second = (alice.add("I drink tea")[0] for _ in range(2))
    assert first.id != second.id
    assert alice.page().total == 2


@pytest.mark.parametrize("key", RESERVED)
def test_what_the_store_keeps_for_itself_cannot_be_set(superuser: Superuser, alice: ScopedMemory, key: str) -> None:
    for value in ("bob", None, "2020-01-01"):
        with pytest.raises(BadQuery):
            alice.add("I drink tea", metadata={key: value})
    assert not any(stored(superuser).values())


@pytest.mark.parametrize(
    "metadata",
    [
        "text",
        ["a"],
        {1: "x"},
        {"": "x"},
        {"a b": "x"},
        {"a.b": "x"},
        {"*": "x"},
        {"$or": "x"},
        {"a\0": "x"},
        {"x" * 65: "x"},
        {"a": "b\0"},
        {"a": "b\ud800"},
        {"a": "x" * 1001},
        {"a": ["x"]},
        {"a": {"user_id": "bob"}},
        {"a": b"x"},
        {"a": datetime(2026, 1, 1)},
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": -float("inf")},
        {"a": 10**5000},
        {"a": -(2**53)},
        {f"k{n}": n for n in range(21)},
    ],
    ids=lambda value: f"{type(value).__name__} {next(iter(value))!r:.20}",
)
def test_odd_metadata_is_refused(superuser: Superuser, alice: ScopedMemory, metadata: Any) -> None:
    with pytest.raises(BadQuery) as refusal:
        alice.add("I drink tea", metadata=metadata)
    assert "xxx" not in str(refusal.value)
    assert not any(stored(superuser).values())


@pytest.mark.parametrize(
    "messages",
    [
        "",
        "   \n",
        "a\0b",
        "a\ud800",
        "x" * 8001,
        None,
        5,
        b"text",
        [],
        {},
        {"role": "user", "content": "a single message in no list"},
        ["text"],
        [None],
        [["role", "content"]],
        [{}],
        [{"content": "no role"}],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": ["parts"]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x"}}]}],
        [{"role": "root", "content": "x"}],
        [{"role": None, "content": "x"}],
        [{"role": ["user"], "content": "x"}],
        [{"role": {}, "content": "x"}],
        [{"role": "user", "content": "x", "user_id": "bob"}],
        [{"role": "user", "content": "x", "name": 5}],
        [{"role": "user", "content": "x", "name": "a\0"}],
        [{"role": "user", "content": "x", "name": "x" * 129}],
        [{"role": "user", "content": "good"}, {"role": "user", "content": "a\0b"}],
        [{"role": "user", "content": "good"}] * 51,
    ],
    ids=lambda value: repr(value)[:60],
)
def test_malformed_messages_are_refused_before_anything_is_written(
    superuser: Superuser, alice: ScopedMemory, messages: Any
) -> None:
    with pytest.raises(BadQuery) as refusal:
        alice.add(messages)
    assert "xxx" not in str(refusal.value)
    assert "good" not in str(refusal.value)
    assert not any(stored(superuser).values())


def test_the_largest_are_taken(alice: ScopedMemory) -> None:
    assert alice.add("x" * 8000)[0].text == "x" * 8000
    assert len(alice.add([{"role": "user", "content": f"memory {n}"} for n in range(50)])) == 50
    assert alice.page().total == 51


@pytest.mark.parametrize(
    "expires",
    ["soon", "2026-13-01", "2026-02-30", 5, "", b"2026-01-01", ["2026-01-01"], "2026-01-01T00:00:00", "x" * 99],
)
def test_a_day_that_is_none_is_refused(superuser: Superuser, alice: ScopedMemory, expires: Any) -> None:
    with pytest.raises(BadQuery) as refusal:
        alice.add("I drink tea", expires=expires)
    assert "xxx" not in str(refusal.value)
    assert not any(stored(superuser).values())


def test_a_memory_expires_after_its_last_day(alice: ScopedMemory) -> None:
    today = datetime.now(UTC).date()
    assert alice.add("today", expires=today)[0].expired is False
    assert alice.add("as text", expires=today.isoformat())[0].expires == today
    assert alice.add("yesterday", expires=today - timedelta(days=1))[0].expired is True
    assert {item.text for item in alice.page().items} == {"today", "as text", "yesterday"}


def test_nothing_is_inferred_without_a_language_model(superuser: Superuser, alice: ScopedMemory) -> None:
    with pytest.raises(BadQuery):
        alice.add("I drink tea", infer=True)
    assert not any(stored(superuser).values())
    assert alice.add("I drink tea", infer=False)[0].text == "I drink tea"


@pytest.mark.parametrize("choking", ["first", "second", "third"])
def test_all_messages_are_kept_or_none(
    superuser: Superuser, alice: ScopedMemory, settings: Any, model_server: ModelServer, choking: str
) -> None:
    settings.MEM0_CONFIG = model_server.mem0_config(llm=False)
    messages = [{"role": "user", "content": f"the {number} thing"} for number in ("first", "second", "third")]
    model_server.chokes_on = {choking}
    with pytest.raises(EmbedderUnavailable) as failure:
        alice.add(messages)
    assert choking not in str(failure.value)
    assert not any(stored(superuser).values())
    model_server.chokes_on = set()
    assert [item.text for item in alice.add(messages)] == [message["content"] for message in messages]


def test_a_row_that_the_store_refuses_takes_the_others_with_it(superuser: Superuser, alice: ScopedMemory) -> None:
    superuser.execute("ALTER TABLE memories ADD CONSTRAINT no_coffee CHECK (payload->>'data' NOT LIKE '%coffee%')")
    try:
        with pytest.raises(Exception, match="could not be used") as failure:
            alice.add([{"role": "user", "content": text} for text in ("I drink tea", "I drink coffee")])
    finally:
        superuser.execute("ALTER TABLE memories DROP CONSTRAINT no_coffee")
    assert "coffee" not in str(failure.value)
    assert not any(stored(superuser).values())


def test_a_history_that_cannot_be_written_keeps_the_memory_out(superuser: Superuser, alice: ScopedMemory) -> None:
    superuser.execute("REVOKE INSERT ON memories_history FROM memoryportal_scoped")
    try:
        with pytest.raises(Exception, match="prepare_store"):
            alice.add("I drink tea")
    finally:
        superuser.execute("GRANT INSERT ON memories_history TO memoryportal_scoped")
    assert not any(stored(superuser).values())


@pytest.fixture
def eager_eraser(superuser: Superuser) -> Iterator[None]:
    """Somebody who deletes each memory in the moment in which it is stored, as an eraser does that waited for it."""
    superuser.execute(
        "CREATE FUNCTION gone_at_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN DELETE FROM public.memories WHERE id = NEW.id; RETURN NULL; END $$"
    )
    superuser.execute(
        "CREATE CONSTRAINT TRIGGER gone_at_once AFTER INSERT ON memories DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION gone_at_once()"
    )
    yield
    superuser.execute("DROP FUNCTION gone_at_once CASCADE")


def test_what_is_deleted_as_soon_as_it_is_stored_is_not_said_to_be_missing(
    alice: ScopedMemory, eager_eraser: None
) -> None:
    """Whoever hears that nothing was changed sends it again: after the erasure, which had taken it."""
    with pytest.raises(NotConfirmed):
        alice.add("I drink tea")
    assert alice.page().total == 0


@pytest.mark.parametrize(("state", "error"), [("paused", WritesPaused), ("erasing", ErasureRunning)])
def test_a_shut_gate_is_seen_before_the_embedder_is_asked(
    superuser: Superuser,
    alice: ScopedMemory,
    settings: Any,
    model_server: ModelServer,
    state: Any,
    error: type[Exception],
) -> None:
    settings.MEM0_CONFIG = model_server.mem0_config()
    controls.shut(current_store(), alice.subject, state)
    before = stored(superuser)
    for infer in (True, False):
        with pytest.raises(error):
            alice.add("I drink tea", infer=infer)
    assert stored(superuser) == before
    assert model_server.prompts == model_server.embedded == []


def test_only_ones_own_scope_is_written(superuser: Superuser, alice: ScopedMemory) -> None:
    ScopedMemory(alice.subject, agent="cook", run="r1").add("I drink tea")
    alice.add("I drink coffee")
    rows = superuser.execute("SELECT payload FROM memories ORDER BY payload->>'data'").fetchall()
    ids = [{key: row[0].get(key) for key in ("user_id", "agent_id", "run_id")} for row in rows]
    assert ids == [
        {"user_id": str(alice.subject), "agent_id": None, "run_id": None},
        {"user_id": str(alice.subject), "agent_id": "cook", "run_id": "r1"},
    ]
    assert "user_id" not in json.dumps(alice.page().items[0].metadata)
