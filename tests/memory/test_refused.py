"""Rows under ids that are refused: counted, told, moved, and in the way of an erasure that may concern them."""

import json
import uuid
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from mem0.vector_stores.pgvector import PGVector

from memoryportal.memory import BadQuery, ScopedMemory, SubjectId
from memoryportal.memory.configuration import configuration
from memoryportal.memory.inspection import inspect
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.refused import is_refused, plain_form, refused_owners_like
from memoryportal.memory.rename import rename_subject
from tests import hostile

from .databases import Database
from .planted import SOMEWHERE, payload

ALICES = (" alice", "Alice\u200b", "alice,bob", "ALICE*")


@pytest.mark.parametrize(
    ("owner", "form"),
    [
        (" alice ", "alice"),
        ("a\u200bli\u00adce", "alice"),
        ("ALICE", "alice"),
        ("e\u0301lise", "élise"),
        ("straße", "strasse"),
        ("\u212aim", "kim"),
        ("\u202eecila", "ecila"),
        ("a\0b", "ab"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_plain_form(owner: str, form: str) -> None:
    assert plain_form(owner) == form == plain_form(form)


def test_what_is_refused_is_what_a_subject_refuses() -> None:
    assert {value for value in hostile.REFUSED.values() if not is_refused(value)} == set()
    assert {value for group in hostile.APART for value in group if is_refused(value)} == set()


@pytest.fixture
def taken_over(database: Database) -> Database:
    """A table that a plain mem0 filled before the gate stood: three rows under each of Alice's spellings."""
    store = PGVector("", "memories", 256, "", "", "", "", False, False, connection_string=database.owner_dsn)
    owners = [name for name in ALICES for _ in range(3)] + ["*", "bob", "carol smith", "x" * 200]
    rows = [payload(owner, f"text of {owner}") for owner in owners]
    rows += [payload(None, "a bot's", agent_id="bot")]
    store.insert([SOMEWHERE] * len(rows), rows, [str(uuid.uuid4()) for _ in rows])
    store.connection_pool.close()
    prepare_store()
    return database


def test_they_are_counted_for_whom_they_may_be(taken_over: Database) -> None:
    counts = {who: refused_owners_like(SubjectId(who)) for who in ("alice", "ALICE", "bob", "carol", "smith", "dora")}
    assert counts == {"alice": 12, "ALICE": 12, "bob": 3, "carol": 1, "smith": 1, "dora": 0}


def test_check_tells_and_changes_nothing(taken_over: Database) -> None:
    sentences = [finding.sentence for finding in inspect() if finding.level != "ok"]
    assert [sentence for sentence in sentences if sentence.startswith("7 user ids are refused")]
    assert "1 rows belong to an assistant or a conversation and to no person" in [f.sentence for f in inspect()]
    said = StringIO()
    call_command("prepare_store", "--check", stdout=said)
    assert "WARNING: 7 user ids are refused" in said.getvalue()
    assert "alice" not in said.getvalue().lower()


def test_the_portals_login_cannot_read_whose_they_are(taken_over: Database) -> None:
    with psycopg.connect(configuration().dsn, autocommit=True) as scoped:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scoped.execute("SELECT * FROM memories_refused")
        assert scoped.execute("SELECT memories_refused_like('alice')").fetchone() == (12,)
    with psycopg.connect(psycopg.conninfo.make_conninfo(configuration().dsn, user="memoryportal_app")) as app:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT memories_refused_like('alice')")


@pytest.mark.django_db(transaction=True)  # the trail
def test_moving_them_clears_the_way(taken_over: Database) -> None:
    assert rename_subject(" alice", SubjectId("alice"))["memories"] == 3
    assert refused_owners_like(SubjectId("alice")) == 9
    assert ScopedMemory(SubjectId("alice")).count() == 3
    with pytest.raises(BadQuery):
        rename_subject("Alice\u200b", SubjectId("alice"))  # two people could become one: the operator must say so
    assert rename_subject("Alice\u200b", SubjectId("alice"), resume=True)["memories"] == 3
    assert rename_subject("alice ", SubjectId("nobody"))["memories"] == 0  # exactly these bytes, nothing like them
    assert refused_owners_like(SubjectId("alice")) == 6
    with pytest.raises(CommandError, match="exactly this id"):
        call_command("rename_subject", "alice ", "nobody", reason="ticket 17", stdout=StringIO())
    call_command("rename_subject", "*", "nobody", reason="ticket 17", stdout=StringIO())
    assert ScopedMemory(SubjectId("nobody")).count() == 1


def test_a_store_that_stood_behind_the_gate_has_none(database: Database) -> None:
    prepare_store()
    assert refused_owners_like(SubjectId("alice")) == 0
    with pytest.raises(psycopg.Error):
        database.superuser.execute(
            "INSERT INTO memories (id, payload) VALUES (gen_random_uuid(), %s)", (json.dumps(payload(" alice", "x")),)
        )
