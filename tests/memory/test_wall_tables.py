"""The wall as the database tells of it: on every table, for every login."""

import psycopg
import pytest

from memoryportal.memory import ScopedMemory, pool
from memoryportal.memory.configuration import configuration

from .planted import TABLES, Superuser, address, fill_places, stored


@pytest.mark.parametrize("table", TABLES)
def test_djangos_login_cannot_touch_the_memory_tables(superuser: Superuser, alice: ScopedMemory, table: str) -> None:
    fill_places(superuser, alice)
    before = stored(superuser)
    acts = ["SELECT 1 FROM {}", "DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES", "DROP TABLE {}"]
    acts += ["ALTER TABLE {} DISABLE ROW LEVEL SECURITY", "COPY {} TO STDOUT"]
    with psycopg.connect(address(alice.subject, "memoryportal_app"), autocommit=True) as app:
        for act in acts:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(psycopg.sql.SQL(act).format(psycopg.sql.Identifier(table)))  # type: ignore[arg-type]
    assert stored(superuser) == before


@pytest.mark.parametrize("table", TABLES)
def test_the_wall_stands_on_every_table(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, table: str
) -> None:
    fill_places(superuser, alice, bob)
    name = psycopg.sql.Identifier(table)
    owner_of = "payload->>'user_id'" if table in ("memories", "memories_entities") else "subject"
    statement = psycopg.sql.SQL(f"SELECT DISTINCT {owner_of} FROM {{}}").format(name)
    for subject, visible in ((alice.subject, {str(alice.subject)}), (bob.subject, {str(bob.subject)}), (None, set())):
        with psycopg.connect(address(subject), autocommit=True) as scoped:
            assert {row[0] for row in scoped.execute(statement)} == visible
            for act in ("TRUNCATE {}", "ALTER TABLE {} DISABLE ROW LEVEL SECURITY", "DROP TABLE {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    scoped.execute(psycopg.sql.SQL(act).format(name))  # type: ignore[arg-type]
    if table not in ("memories_gate", "memories_uses"):  # read by the gate's trigger, and pruned, for everybody
        with psycopg.connect(address(None, "memoryportal_owner"), autocommit=True) as owner:
            assert owner.execute(statement).fetchall() == []  # the owner is bound too


def test_the_portals_login_owns_nothing_and_is_no_superuser(superuser: Superuser) -> None:
    roles = superuser.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles "
        "WHERE rolname IN ('memoryportal_scoped', 'memoryportal_app', 'memoryportal_owner')"
    ).fetchall()
    assert roles == [(False,) * 5] * 3
    owned = superuser.execute(
        "SELECT relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
        "WHERE rolname IN ('memoryportal_scoped', 'memoryportal_app')"
    ).fetchall()
    assert owned == []
    members = superuser.execute(
        "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE rolname LIKE 'memoryportal%'"
    ).fetchall()
    assert members == []


def test_a_subject_is_forgotten_with_its_transaction(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    """A pooled connection must not go on speaking for the person that it served last."""
    fill_places(superuser, alice, bob)
    with pool.get_pool(configuration().dsn).connection() as connection:
        for _ in range(3):
            with connection.transaction(), connection.cursor() as cursor:
                pool.bind_subject(cursor, str(alice.subject))
                assert cursor.execute("SELECT count(*) FROM memories").fetchone() == (1,)
            with connection.transaction():
                assert connection.execute("SELECT count(*) FROM memories").fetchone() == (0,)
