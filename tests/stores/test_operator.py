"""An operator's commands on stores outside PostgreSQL: looking without changing, counting, moving refused ids."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from memoryportal.memory import BadQuery, NotConfirmed, ScopedMemory, StoreUnavailable, SubjectId
from memoryportal.memory.configuration import configuration
from memoryportal.memory.inspection import inspect
from memoryportal.memory.names import Tables
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.refused import refused_owners_like
from memoryportal.memory.rename import rename_subject
from memoryportal.memory.stores import close_all
from memoryportal.memory.stores.side import SIDE_PLACES
from tests.platform.server import Platform

from . import qdrant_rows
from .qdrant_server import KEY, serving
from .registry import mem0_config
from .test_contract import said
from .test_contract_changes import snapshot
from .valkey_rig import plain_mem0, remember_plainly
from .valkey_server import Server, running

Plant = Callable[[str | None, str], object]
NAMES = (" alice", "Alice\u200b", "alice,bob", "*")


@dataclass(frozen=True, slots=True)
class Outside:
    """A store that nobody has prepared. `plant(owner, text)` writes a row past the portal; None is an assistant's."""

    name: str
    plant: Plant
    collection: str
    moves: bool = True


@contextmanager
def _qdrant_folder(folder: Path) -> Iterator[Outside]:
    name = _fresh()
    with override_settings(**mem0_config("qdrant", path=str(folder), collection_name=name)):
        yield Outside("qdrant", _into_qdrant, name)


@contextmanager
def _qdrant_server(folder: Path) -> Iterator[Outside]:
    name = _fresh()
    with (
        serving() as server,
        override_settings(**mem0_config("qdrant", url=server.url, api_key=KEY, collection_name=name)),
    ):
        yield Outside("qdrant-server", _into_qdrant, name)


def _into_qdrant(owner: str | None, text: str) -> None:
    row = {"data": text, "hash": "x", **({"agent_id": "bot"} if owner is None else {"user_id": owner})}
    qdrant_rows.plant(row)


@contextmanager
def _valkey(folder: Path) -> Iterator[Outside]:
    name = _fresh()
    with (
        running(Server()) as server,
        override_settings(**mem0_config("valkey", valkey_url=server.url, collection_name=name)),
    ):

        def plant(owner: str | None, text: str) -> None:
            if owner is None:
                server.keyspace[f"mem0:{name}:{uuid.uuid4()}".encode()] = {
                    b"agent_id": b"bot",
                    b"memory": text.encode(),
                }
            else:
                remember_plainly(plain_mem0(server, name), owner, text)

        yield Outside("valkey", plant, name)


@contextmanager
def _platform(folder: Path) -> Iterator[Outside]:
    with Platform() as server, override_settings(MEM0_CONFIG="", MEM0_API_KEY=server.key, MEM0_HOST=server.url):

        def plant(owner: str | None, text: str) -> None:
            server.state.store(memory=text, **({"agent_id": "bot"} if owner is None else {"user_id": owner}))

        yield Outside("platform", plant, "platform", moves=False)
        assert server.violations == []


STORES: dict[str, Callable[[Path], AbstractContextManager[Outside]]] = {
    "qdrant": _qdrant_folder,
    "qdrant-server": _qdrant_server,
    "valkey": _valkey,
    "platform": _platform,
}


def _fresh() -> str:
    return f"operator_{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=STORES)
def outside(request: pytest.FixtureRequest, django_db_setup: None, tmp_path: Path) -> Iterator[Outside]:
    with STORES[request.param](tmp_path / "store") as found:
        yield found
        close_all()
        if found.moves:
            _drop_side_tables(Tables(found.collection))


def _drop_side_tables(tables: Tables) -> None:
    """Other tests look at every table there is."""
    drop = psycopg.sql.SQL("DROP TABLE IF EXISTS {} CASCADE")
    with psycopg.connect(configuration().owner_dsn, autocommit=True) as owner:
        for suffix in (*SIDE_PLACES, "gate", "refused"):
            owner.execute(drop.format(tables.identifier(suffix)))


def findings(level: str) -> list[str]:
    return [finding.sentence for finding in inspect() if finding.level == level]


def test_check_says_what_is_missing_and_creates_nothing(outside: Outside) -> None:
    if outside.name == "platform":  # its side tables may be there, and it prepares itself
        prepare_store()
        assert findings("missing") == []
        return
    for _ in range(2):
        missing = findings("missing")
        expected = ["index" if outside.name == "valkey" else "collection"] * 2
        assert [word for sentence in missing for word in expected[:1] if f"the {word} {outside.collection}" in sentence]
        assert any(f"the table {outside.collection}_history does not exist" in sentence for sentence in missing)
        with pytest.raises(CommandError, match="things are missing"):
            call_command("prepare_store", "--check", stdout=StringIO())
    prepare_store()
    assert findings("missing") == []
    call_command("prepare_store", "--check", stdout=StringIO())


def test_check_of_a_store_that_is_away_says_so(outside: Outside) -> None:
    prepare_store()
    away = {"MEM0_CONFIG": mem0_config("valkey", valkey_url="valkey://127.0.0.1:1")["MEM0_CONFIG"], "MEM0_API_KEY": ""}
    if outside.name == "platform":
        away = {"MEM0_HOST": "http://127.0.0.1:1"}
    elif outside.name.startswith("qdrant"):
        away = mem0_config("qdrant", host="127.0.0.1", port=1)
    with override_settings(**away), pytest.raises(StoreUnavailable):
        inspect()


def test_refused_ids_are_counted_and_told_without_naming_them(outside: Outside) -> None:
    prepare_store()
    for name in NAMES:
        outside.plant(name, f"text of {name}")
    outside.plant(None, "a bot's")
    said(ScopedMemory.for_person(SubjectId("dora")), "I like tea.")
    assert refused_owners_like(SubjectId("alice")) == 0  # as of the last look
    prepare_store()
    counts = {who: refused_owners_like(SubjectId(who)) for who in ("alice", "bob", "dora")}
    assert counts == {"alice": 3, "bob": 1, "dora": 0}
    told = findings("warning") + findings("ok")
    assert any(sentence.startswith("4 user ids are refused") for sentence in told)
    assert outside.name == "platform" or "1 rows belong to an assistant or a conversation and to no person" in told
    assert not any("alice" in sentence.casefold() for sentence in told)
    ScopedMemory.for_person(SubjectId("dora")).erase()


def test_refused_ids_move_by_their_exact_bytes(outside: Outside) -> None:
    if not outside.moves:
        with pytest.raises(StoreUnavailable, match="cannot give a memory to another user id"):
            rename_subject(" alice", SubjectId("alice"))
        return
    prepare_store()
    for name in NAMES:
        outside.plant(name, f"text of {name}")
    bob = ScopedMemory.for_person(SubjectId("bob"))
    said(bob, "I fear dogs.")
    before = snapshot(bob)
    alice = ScopedMemory.for_person(SubjectId("alice"))
    assert rename_subject("alice ", alice.subject)[outside.collection] == 0
    assert rename_subject(" alice", alice.subject)[outside.collection] == 1
    assert [item.text for item in alice.page().items] == ["text of  alice"]
    assert refused_owners_like(alice.subject) == 2
    with pytest.raises(BadQuery, match="two people would become one"):
        rename_subject("Alice\u200b", alice.subject)
    assert rename_subject("Alice\u200b", alice.subject, resume=True)[outside.collection] == 1
    assert alice.count() == 2
    assert alice.erase().memories == 2
    assert rename_subject("*", SubjectId("nobody"))[outside.collection] == 1
    assert refused_owners_like(alice.subject) == 1
    assert snapshot(bob) == before
    bob.erase()


def test_move_that_is_cut_off_is_gone_on_with(django_db_setup: None) -> None:
    name = _fresh()
    with (
        running(Server()) as server,
        override_settings(**mem0_config("valkey", valkey_url=server.url, collection_name=name)),
    ):
        prepare_store()
        plain, alice = plain_mem0(server, name), ScopedMemory.for_person(SubjectId("alice"))
        for number in range(5):
            remember_plainly(plain, "Alice\u200b", f"Note {number}.")
        server.lose_at = ("EXEC", 3)
        with pytest.raises(NotConfirmed):
            rename_subject("Alice\u200b", alice.subject)
        server.lose_at = None
        assert alice.count() == 2
        with pytest.raises(BadQuery):
            rename_subject("Alice\u200b", alice.subject)
        assert rename_subject("Alice\u200b", alice.subject, resume=True)[name] == 3
        assert alice.erase().memories == 5
        close_all()
