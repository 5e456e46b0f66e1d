"""Look at a pgvector store without changing anything: what is prepared, what is missing, what nobody can vouch for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from .configuration import Configuration, configuration
from .errors import StoreNotPrepared, StoreUnavailable
from .names import Tables
from .prepare import GATED, OLD_STATES, OURS, TEXT_COLUMNS, UNFORCED, VECTOR_TABLES
from .refused import is_refused, owners
from .stores import build

Level = Literal["ok", "missing", "warning"]
# A server that logs statements or parameters writes memory text into its log.
LOGGING = {
    "log_min_error_statement": ("panic", "a failed INSERT writes the whole memory into the server's log"),
    "log_parameter_max_length_on_error": ("0", "parameters of failed statements are written into the server's log"),
    "log_statement": ("none", "every statement is written into the server's log"),
    "log_min_duration_statement": ("-1", "slow statements are written into the server's log with their values"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the store. `missing` is what `prepare_store` would put right; `warning` needs a person."""

    level: Level
    sentence: str


class Inspection:
    """Reads the catalogs and counts; changes nothing."""

    def __init__(self, connection: psycopg.Connection[Any], configured: Configuration) -> None:
        self.connection, self.configured, self.tables = connection, configured, Tables(configured.collection)
        self.beside = configured.provider == "pgvector"
        self.suffixes = [suffix for suffix in TEXT_COLUMNS if self.beside or suffix not in VECTOR_TABLES]

    def findings(self) -> Iterator[Finding]:
        """All findings, the structural ones first."""
        present = [suffix for suffix in self.suffixes if self._oid(self.tables.name(suffix))]
        for suffix in self.suffixes:
            if suffix not in present:
                yield Finding("missing", f"the table {self.tables.name(suffix)} does not exist")
        if not self._oid(self.tables.name("refused")):
            yield Finding("missing", f"the table {self.tables.name('refused')} does not exist")
        for suffix in present:
            yield from self._structure(suffix)
        if "" in present:
            yield from self._indexes()
        outside = list(self._outside())
        yield from outside
        if not outside and (not self.beside or {"", "entities"} <= {*present}):
            yield from self._owners()
        yield from self._logging()

    def _value(self, statement: str | sql.Composable, params: Any = None) -> Any:
        row = self.connection.execute(statement, params).fetchone()  # type: ignore[arg-type]
        return row[0] if row else None

    def _oid(self, name: str) -> Any:
        return self._value("SELECT to_regclass(%s)", (sql.Identifier(name).as_string(self.connection),))

    def _structure(self, suffix: str) -> Iterator[Finding]:
        name = self.tables.name(suffix)
        oid = self._oid(name)
        if not self._value("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", (oid,)):
            yield Finding("missing", f"{name}: row-level security is off")
        elif suffix not in UNFORCED and not self._value(
            "SELECT relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", (oid,)
        ):
            yield Finding("warning", f"{name}: the table's owner is not bound by row-level security")
        if suffix in {gated[0] for gated in GATED} and not self._value(
            "SELECT 1 FROM pg_trigger WHERE tgrelid = %s::regclass "
            "AND tgname = 'memoryportal_gate' AND tgenabled <> 'D'",
            (oid,),
        ):
            yield Finding("missing", f"{name}: the gate (pause, erase) is not installed")
        if suffix == "gate" and self._value(OLD_STATES, (oid,)):
            yield Finding("missing", f"the table {name} cannot hold restrictions")
        for column in TEXT_COLUMNS[suffix]:
            target = self._value(
                "SELECT COALESCE(attstattarget, -1) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
                (oid, column),
            )
            if target != 0:
                yield Finding("missing", f"{name}.{column}: ANALYZE copies its texts into the statistics")

    def _indexes(self) -> Iterator[Finding]:
        if not self._oid(view := self.tables.name("knowledge")):
            sentence = f"the view {view} does not exist: what assistants know by themselves cannot be read"
            yield Finding("missing", sentence)
        if not self._oid(f"{self.tables.name()}_owner_idx"):
            yield Finding("missing", "the owner index does not exist: lists read the whole table")
        approximate = self._value(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam "
            "WHERE i.indrelid = %s::regclass AND a.amname IN ('hnsw', 'ivfflat', 'diskann')",
            (self._oid(self.tables.name()),),
        )
        if approximate:
            yield Finding(
                "warning",
                f"the approximate index {approximate} serves nobody who filters by person (recall@10 of one's own "
                "memories falls to 0.0 at 100,000 rows); the portal does not use it: dropping it makes writing cheaper",
            )

    def _outside(self) -> Iterator[Finding]:
        """What is missing in a store outside PostgreSQL."""
        yield from (Finding("missing", sentence) for sentence in build(self.configured).missing())

    def _owners(self) -> Iterator[Finding]:
        """Rows that no person's erasure reaches: nobody's, and those of ids that SubjectId refuses."""
        counted: Counter[str | None] = Counter()
        for owner, rows in owners(self.connection, self.configured):
            counted[owner] += rows
        alone = counted.pop(None, 0)
        refused = [owner for owner in counted if owner is not None and is_refused(owner)]
        if refused:
            yield Finding(
                "warning",
                f"{len(refused)} user ids are refused (wildcards, white space, invisible characters, not NFC …): their "
                "rows are reached by nobody. Move them with manage.py rename_subject OLD NEW --reason",
            )
        if alone:
            yield Finding("ok", f"{alone} rows belong to an assistant or a conversation and to no person")

    def _logging(self) -> Iterator[Finding]:
        for name, (quiet, consequence) in LOGGING.items():
            value = self._value("SELECT current_setting(%s, true)", (name,))
            if value is not None and value != quiet:
                yield Finding("warning", f"the server runs with {name} = {value}: {consequence}")


def inspect(owner_dsn: str | None = None) -> list[Finding]:
    """Findings of the configured store. Raises StoreUnavailable."""
    configured = configuration()
    try:
        with psycopg.connect(owner_dsn or configured.owner_dsn, autocommit=True, connect_timeout=3) as connection:
            return list(Inspection(connection, configured).findings())
    except psycopg.Error as error:
        raise StoreUnavailable(f"the store could not be inspected ({error.sqlstate or type(error).__name__})") from None


def made_by_us() -> bool:
    """Whether the portal itself created the configured store (`prepare_store` leaves a comment on its tables).

    Raises StoreUnavailable, and StoreNotPrepared where there is nothing that anybody could have created.
    """
    configured = configuration()
    if configured.provider != "pgvector":
        return False
    try:
        with psycopg.connect(configured.dsn, connect_timeout=3) as connection:
            name = Tables(configured.collection).memories.as_string(connection)
            row = connection.execute(
                "SELECT to_regclass(%s) IS NOT NULL, obj_description(to_regclass(%s), 'pg_class')", (name, name)
            ).fetchone()
    except psycopg.Error as error:
        raise StoreUnavailable(f"the store could not be reached ({error.sqlstate or type(error).__name__})") from None
    if not row or not row[0]:
        raise StoreNotPrepared("the store has no tables yet: run manage.py prepare_store")
    return bool(row[1] == OURS)
