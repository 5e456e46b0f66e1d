"""An erasure while others write: unmodified mem0 in processes of its own, which goes on when it is refused."""

import multiprocessing
import time
import uuid
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from memoryportal.memory import ScopedMemory
from memoryportal.memory.configuration import configuration

from .planted import SOMEWHERE, Superuser, payload, shut, stored


def _write_for_ever(dsn: str, subject: str, ready: Any, enough: Any) -> None:
    """An assistant's process: unmodified mem0 that adds, and goes on when it is refused."""
    from mem0.vector_stores.pgvector import PGVector

    options = f"-c memoryportal.subject={subject}"
    tables = [
        PGVector("", name, 256, "", "", "", "", False, False, connection_string=make_conninfo(dsn, options=options))
        for name in ("memories", "memories_entities")
    ]
    for table in tables:
        table._collection_ensured = True
    with psycopg.connect(make_conninfo(dsn, options=options), autocommit=True) as side:
        while not enough.is_set():
            for table in tables:
                try:
                    table.insert([SOMEWHERE] * 3, [payload(subject, "late")] * 3, [str(uuid.uuid4()) for _ in range(3)])
                    ready.set()
                except psycopg.Error as error:
                    if error.sqlstate != "MP002":
                        raise
            try:
                side.execute("INSERT INTO memories_messages (subject, content) VALUES (%s, 'late')", (subject,))
                side.execute(
                    "INSERT INTO memories_history (subject, memory_id, event) VALUES (%s, gen_random_uuid(), 'ADD')",
                    (subject,),
                )
            except psycopg.Error as error:
                if error.sqlstate != "MP002":
                    raise
    for table in tables:
        table.connection_pool.close()


def test_four_writing_processes_leave_nothing_behind_an_erasure(superuser: Superuser, alice: ScopedMemory) -> None:
    spawn = multiprocessing.get_context("spawn")
    enough, ready = spawn.Event(), [spawn.Event() for _ in range(4)]
    writers = [
        spawn.Process(
            target=_write_for_ever, args=(configuration().dsn, str(alice.subject), event, enough), daemon=True
        )
        for event in ready
    ]
    for writer in writers:
        writer.start()
    try:
        assert all(event.wait(60) for event in ready)
        erased = [_erase_once(superuser, alice) for _ in range(15)]
    finally:
        enough.set()
        for writer in writers:
            writer.join(20)
    assert all(count > 0 for count in erased)  # there was something to erase each time
    assert [writer.exitcode for writer in writers] == [0] * 4


def _erase_once(superuser: Superuser, memory: ScopedMemory) -> int:
    """Shut, empty, look again as somebody whom no policy binds, and let the writers go on for a while."""
    with shut(memory, "erasing"):
        removed = memory.erase().memories
        for _ in range(3):
            left = stored(superuser, memory.subject)
            left.pop("memories_gate")
            assert not any(left.values())
            assert {residue.count for residue in memory.residue()} == {0}
    time.sleep(0.1)
    return removed
