"""Every column that could hold a person's text, id or account is emptied by a place or exempt in words."""

import pytest

from memoryportal.memory import ScopedMemory
from memoryportal.memory.places import EXEMPT, PLACES, covered_columns, store_places

from .planted import Superuser

# Not personal by what they are: words from a fixed list, and numbers and digests that only the portal draws.
FIXED = {
    "audit_event": {"action", "role", "grant_id", "request_id", "hash", "prev_hash"},
    "audit_head": {"hash"},
    "accounts_letter": {"id"},
    "accounts_mailedcode": {"id"},
    "django_content_type": {"app_label", "model"},
    "django_migrations": {"app", "name"},
    "erasure_erasure": {"id", "lease_token", "reference", "state"},
    "erasure_erasurestep": {"erasure_id", "place", "problem"},  # problem: a sentence of memory/errors.py
    "erasure_ledgermark": {"digest"},
    "memories": {"id"},
    "memories_entities": {"id"},
    "support_accessgrant": {"id", "category", "ended_how", "kind", "reference"},
}
# Columns of a type that can hold words, ids or vectors, and those that point to an account.
COLUMNS = """
    SELECT c.relname || '.' || a.attname
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
      AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
      AND (
        t.typcategory IN ('S', 'A')
        OR t.typname IN ('json', 'jsonb', 'uuid', 'bytea', 'inet', 'vector', 'tsvector', 'xml')
        OR EXISTS (
            SELECT 1 FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
              AND k.confrelid = 'accounts_user'::regclass
        )
      )
"""
FIXED_COLUMNS = {f"{table}.{column}" for table, columns in FIXED.items() for column in columns}


def _columns(superuser: Superuser) -> set[str]:
    return {row[0] for row in superuser.execute(COLUMNS)}


def _uncovered(superuser: Superuser) -> set[str]:
    return _columns(superuser).difference(FIXED_COLUMNS, *map(covered_columns, _collections(superuser)))


def _collections(superuser: Superuser) -> list[str]:
    """The portal's own, and those that tests of other stores have made beside it."""
    gates = superuser.execute("SELECT relname FROM pg_class WHERE relname LIKE '%\\_gate' AND relkind = 'r'")
    return [row[0].removesuffix("_gate") for row in gates]


def test_every_column_is_covered(superuser: Superuser) -> None:
    """Register it with a place, or say in words why "erase everything" leaves it (memory/places.py)."""
    assert _uncovered(superuser) == set()


def test_nothing_is_listed_that_does_not_exist(superuser: Superuser) -> None:
    every = "SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    present = {row[0] for row in superuser.execute(every)}
    assert covered_columns("memories") - present == set()
    assert FIXED_COLUMNS - present == set()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("ALTER TABLE memories_messages ADD COLUMN topic text", "memories_messages.topic"),
        ("ALTER TABLE memories_history ADD COLUMN vector vector(3)", "memories_history.vector"),
        ("ALTER TABLE erasure_erasure ADD COLUMN note varchar(20)", "erasure_erasure.note"),
        ("ALTER TABLE accounts_user ADD COLUMN names text[]", "accounts_user.names"),
        ("CREATE TABLE notes (subject text, said jsonb, seen bigint REFERENCES accounts_user)", "notes.subject"),
        ("CREATE TABLE notes (said jsonb)", "notes.said"),
        ("CREATE TABLE notes (seen bigint REFERENCES accounts_user)", "notes.seen"),
        ("CREATE MATERIALIZED VIEW notes AS SELECT payload->>'data' AS said FROM memories", "notes.said"),
    ],
)
def test_a_new_column_is_noticed(superuser: Superuser, change: str, found: str) -> None:
    with superuser.transaction(force_rollback=True):
        superuser.execute(change)
        assert found in _uncovered(superuser)
    assert found not in _columns(superuser)


def test_every_place_is_counted_and_read_again(alice: ScopedMemory) -> None:
    assert list(alice.held()) == store_places()
    assert list(alice.erase().counts) == store_places()
    assert [residue.place for residue in alice.residue()] == store_places()


def test_places_and_exemptions_are_explained_in_words() -> None:
    for place in PLACES.values():
        assert place.label
        assert len(place.explains.split()) >= 5
        assert place.columns or place.keeper  # a file has no columns
    for column, why in EXEMPT.items():
        assert why.strip(), column
