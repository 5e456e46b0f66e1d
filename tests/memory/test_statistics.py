"""ANALYZE copies texts into the statistics, where they outlive every DELETE: nothing of them may stand there."""

import psycopg

from memoryportal.memory.prepare import prepare_store

from .databases import CANARY, Database, plain_mem0


def _in_statistics(database: Database, text: str) -> set[str]:
    """Tables and indexes whose statistics repeat `text`, read as somebody who may."""
    slots = " || ".join(f"COALESCE(stavalues{n}::text, '')" for n in range(1, 6))
    return {
        row[0]
        for row in database.superuser.execute(
            f"SELECT starelid::regclass::text FROM pg_statistic WHERE {slots} ILIKE %s",
            (f"%{text}%",),  # type: ignore[arg-type]
        )
    }


def _fill_side_tables(database: Database) -> None:
    for n in range(300):
        who = f"person{n % 40}"
        database.superuser.execute(
            "INSERT INTO memories_history (subject, memory_id, old_memory, new_memory, event, actor_id) "
            "VALUES (%s, gen_random_uuid(), %s, %s, 'UPDATE', %s)",
            (who, f"{CANARY} old {n}", f"{CANARY} new {n}", f"{CANARY} {n % 9}"),
        )
        database.superuser.execute(
            "INSERT INTO memories_messages (subject, role, name, content) VALUES (%s, 'user', %s, %s)",
            (who, f"{CANARY} {n % 9}", f"{CANARY} {n % 9}"),
        )
        database.superuser.execute(
            "INSERT INTO memories_gate (subject, state) VALUES (%s, 'paused') ON CONFLICT DO NOTHING", (f"{who} {n}",)
        )


def test_no_text_and_no_subject_stands_in_the_statistics(database: Database) -> None:
    plain_mem0(database)
    database.superuser.execute("ANALYZE")
    assert _in_statistics(database, CANARY) >= {"memories", "memories_entities"}  # what a plain mem0 leaves there
    prepare_store()
    _fill_side_tables(database)
    assert _in_statistics(database, CANARY) == _in_statistics(database, "person") == set()
    database.superuser.execute("ANALYZE")
    assert _in_statistics(database, CANARY) == _in_statistics(database, "person") == set()
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    assert _in_statistics(database, CANARY) == _in_statistics(database, "person") == set()


def test_an_index_that_somebody_adds_is_found_by_the_next_run(database: Database) -> None:
    plain_mem0(database, rows=500)
    prepare_store()
    database.superuser.execute("CREATE INDEX somebodys_idx ON memories (lower(payload->>'data'))")
    database.superuser.execute("ANALYZE")
    assert _in_statistics(database, CANARY) == {"somebodys_idx"}
    prepare_store()
    database.superuser.execute("ANALYZE")
    assert _in_statistics(database, CANARY) == set()
