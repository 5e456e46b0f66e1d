"""After "erase everything" a word that was in the memories stands nowhere.

It is looked for as superuser: in every table, in the statistics, in the log, in every file of the portal, and after
`scrub` in PostgreSQL's own files too.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

from memoryportal.accounts.models import User
from memoryportal.base.databases import embedded_dsn
from memoryportal.erasure import decisions, engine, services, tasks
from memoryportal.erasure.models import Channel, Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.backdate import Name, add_messages, add_names
from memoryportal.memory.scrub import scrub

from .test_sweep import environment

pytestmark = pytest.mark.django_db

# Transactions that another test of this process has left open: scrub would wait for them, as it should.
LEFT_OPEN = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
"""


@pytest.fixture
def superuser() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    name = str(connection.settings_dict["NAME"])
    with psycopg.connect(embedded_dsn(Path(settings.DATA_DIR), "postgres", name), autocommit=True) as found:
        yield found


@pytest.fixture
def canary() -> str:
    """A word that stands nowhere else; lower case, since lemmas are."""
    return f"canary{uuid.uuid4().hex}"


def plant(memory: ScopedMemory, canary: str) -> None:
    """The word in every place: memories, an earlier wording, a noted name, the message buffer, an expired memory."""
    first = memory.add(f"My secret is {canary}.", infer=False)[0]
    memory.update(first.id, f"My secret was {canary}, they say.")
    memory.update(first.id, "I have no secret.")
    agent = ScopedMemory(memory.subject, agent="travel_planner")
    kept = agent.add(f"Flies to {canary} in May.", infer=False, metadata={"place": canary}, expires="2020-01-01")[0]
    add_names(memory, [Name(canary, "PLACE", [kept.id])])
    add_messages(agent, [("user", f"Book {canary}!"), ("assistant", f"Booked {canary}.")], datetime.now(UTC))


def provoke(memory: ScopedMemory, canary: str) -> None:
    """Errors that would write the row into the server's log: a duplicate key, and a value that does not fit."""
    item = memory.page(limit=1).items[0]
    with psycopg.connect(settings.MEMORY_DATABASE_URL, autocommit=True) as scoped:
        scoped.execute("SELECT set_config('memoryportal.subject', %s, false)", (str(memory.subject),))
        payload = f'{{"user_id": "{memory.subject}", "data": "{canary}"}}'
        for statement in (
            "INSERT INTO memories (id, payload) VALUES (%s, %s)",
            "INSERT INTO memories (id, payload, vector) VALUES (%s, %s, '[1,2]')",
        ):
            with pytest.raises(psycopg.Error):
                scoped.execute(statement, (item.id, payload))


def tables(superuser: psycopg.Connection[tuple[object, ...]]) -> list[tuple[str, str]]:
    rows = superuser.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg_temp%'"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


def in_tables(superuser: psycopg.Connection[tuple[object, ...]], word: str) -> list[str]:
    found = []
    for schema, table in tables(superuser):
        statement = sql.SQL("SELECT count(*) FROM {} t WHERE t::text ILIKE %s").format(sql.Identifier(schema, table))
        row = superuser.execute(statement, (f"%{word}%",)).fetchone()
        if row and row[0]:
            found.append(f"{schema}.{table}")
    return found


def in_files(word: str, *, postgres: bool) -> list[str]:
    """Files under DATA_DIR that hold the word: PostgreSQL's own (without the write-ahead log), or all others."""
    pgdata = Path(settings.DATA_DIR) / "pgdata"
    found = []
    for folder, folders, files in os.walk(settings.DATA_DIR):
        if Path(folder).name == "pg_wal":
            folders.clear()
            continue
        for file in files:
            path = Path(folder) / file
            own = pgdata in path.parents and path.suffix != ".log"
            if own == postgres and path.is_file() and word.encode() in path.read_bytes():
                found.append(str(path))
    return found


@pytest.mark.django_db(transaction=True)  # an open transaction would keep deleted rows visible, and VACUUM keeps those
def test_nothing_is_left_anywhere(
    alice: User,
    alice_memory: ScopedMemory,
    bob_memory: ScopedMemory,
    canary: str,
    superuser: psycopg.Connection[tuple[object, ...]],
) -> None:
    bob_memory.add("Bob keeps a window seat.", infer=False)
    plant(alice_memory, canary)
    assert alice_memory.search(canary, by="word").hits
    superuser.execute("ANALYZE")
    provoke(alice_memory, canary)
    before = in_tables(superuser, canary)
    assert {"public.memories", "public.memories_entities", "public.memories_history"} <= set(before)
    assert "public.memories_messages" in before
    assert "pg_catalog.pg_statistic" not in before, "texts must not be in the statistics even before an erasure"

    erasure = engine.run(services.ask(alice, SubjectId(alice.subject)))

    assert erasure.state == State.COMPLETED
    assert {step.place: step.found for step in erasure.steps.all() if step.found} == {
        "memories": 2,
        "entities": 1,
        "history": 4,
        "messages": 2,
    }
    assert all(step.is_empty for step in erasure.steps.all())
    superuser.execute("ANALYZE")
    assert in_tables(superuser, canary) == []
    assert in_files(canary, postgres=False) == []
    assert bob_memory.count() == 1

    superuser.execute(LEFT_OPEN)
    scrub(settings.MEMORY_OWNER_URL)
    superuser.execute("CHECKPOINT")
    assert in_files(canary, postgres=True) == []
    assert bob_memory.count() == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_after_a_request_through_the_worker(
    bob: User,
    bob_memory: ScopedMemory,
    alice_memory: ScopedMemory,
    canary: str,
    superuser: psycopg.Connection[tuple[object, ...]],
) -> None:
    """A letter, an officer's check, a second person, the worker's own command, and errors on the way."""
    subject, folder = alice_memory.subject, Path(settings.DATA_DIR) / f"canary-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    plant(alice_memory, canary)
    told = f"I wrote to you about {canary} in May."
    erasure = services.file(Channel.PRIVACY, [subject], address="carol@example.com", told=told, by=bob)
    decisions.check_identity(erasure.pk, bob, f"asked about {canary}")
    other = User.objects.create_user("second@example.com", None)
    decisions.approve(erasure.pk, other)
    decisions.begin_now(erasure.pk, decisions.officer(other))
    superuser.execute("ANALYZE")
    assert {"public.memories", "public.erasure_erasure"} <= set(in_tables(superuser, canary))
    assert "pg_catalog.pg_statistic" not in in_tables(superuser, canary)

    provoke(alice_memory, canary)
    superuser.execute("REVOKE DELETE ON memories_history FROM memoryportal_scoped")  # a day on which it cannot work
    try:
        worked(folder, "first")
    finally:
        superuser.execute("GRANT DELETE ON memories_history TO memoryportal_scoped")
    assert Erasure.objects.get(pk=erasure.pk).state == State.RETRYING
    provoke(alice_memory, canary)
    Erasure.objects.filter(pk=erasure.pk).update(next_at=None)
    tasks.sweep(0)
    worked(folder, "second")
    tasks.sweep(0)
    worked(folder, "third")

    assert Erasure.objects.get(pk=erasure.pk).state == State.COMPLETED
    superuser.execute("ANALYZE")
    assert in_tables(superuser, canary) == []
    mails = [path.read_text() for path in (folder / "mails").iterdir()]
    assert any("carol@example.com" in text and erasure.reference in text for text in mails)
    assert (folder / "first.log").read_text().count("could not go on") == 1
    assert in_files(canary, postgres=False) == []  # the worker's logs and the mails among them
    assert bob_memory.count() == 0


def worked(folder: Path, name: str) -> None:
    """Let `manage.py worker` do what is queued, in a process of its own; its log and its mails lie in the folder."""
    command = [sys.executable, "manage.py", "worker", "--until-empty", "--concurrency", "1"]
    with (folder / f"{name}.log").open("w") as log:
        surroundings = {**environment(), "EMAIL_URL": f"filemail:///{folder}/mails"}
        subprocess.run(command, env=surroundings, stdout=log, stderr=log, check=True, timeout=120)


def test_the_search_would_find_it(alice_memory: ScopedMemory, canary: str) -> None:
    """Without this the test above would pass because it looks in the wrong place."""
    plant(alice_memory, canary)
    name = str(connection.settings_dict["NAME"])
    with psycopg.connect(embedded_dsn(Path(settings.DATA_DIR), "postgres", name), autocommit=True) as superuser:
        assert in_tables(superuser, canary)
        superuser.execute("CHECKPOINT")
    assert in_files(canary, postgres=True)
    planted = Path(settings.DATA_DIR) / "planted.txt"
    planted.write_text(canary)
    assert in_files(canary, postgres=False) == [str(planted)]
    planted.unlink()
