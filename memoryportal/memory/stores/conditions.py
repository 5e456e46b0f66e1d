"""WHERE clauses of a scope and its filters, built from typed values. Nothing a caller writes becomes SQL."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg import sql

from ..names import Tables
from ..rows import TIME_KEY_LENGTH
from ..scope import AnyScope, Filters, KnowledgeScope, Scope

# rows.time_key in SQL: what is no text counts as missing, and what is longer than any time is cut.
CREATED = sql.SQL(
    "(CASE jsonb_typeof(payload->'created_at') WHEN 'string' THEN left(payload->>'created_at', {}) "
    "ELSE '' END COLLATE \"C\")"
).format(sql.Literal(TIME_KEY_LENGTH))


@dataclass
class Conditions:
    """ANDed conditions with their parameters."""

    parts: list[sql.Composable] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)

    def add(self, clause: str | sql.Composable, *params: Any) -> "Conditions":
        self.parts.append(sql.SQL(clause) if isinstance(clause, str) else clause)
        self.params.extend(params)
        return self

    @property
    def sql(self) -> sql.Composable:
        return sql.SQL(" AND ").join(self.parts) if self.parts else sql.SQL("true")


def instant(value: date | datetime, *, end: bool) -> str:
    """The UTC text that `created_at` is compared with. A date's end is the start of the day after it."""
    if not isinstance(value, datetime):
        value = datetime.combine(value + timedelta(days=1) if end else value, time.min, tzinfo=UTC)
    return value.astimezone(UTC).isoformat()


def of_owner(scope: AnyScope) -> Conditions:
    """Rows of the scope's person, or of no person where the scope is an assistant's knowledge."""
    if isinstance(scope, KnowledgeScope):
        return Conditions().add("payload->>'user_id' IS NULL")
    return Conditions().add("payload->>'user_id' = %s", str(scope.subject))


def of_scope(scope: AnyScope) -> Conditions:
    """Rows of this scope in a table with mem0's payload."""
    found = of_owner(scope)
    if scope.agent is not None:
        found.add("payload->>'agent_id' = %s", scope.agent)
    if scope.run is not None:
        found.add("payload->>'run_id' = %s", scope.run)
    return found


# A text that is no id belongs to no memory; casting it would fail.
_ID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_LINK = sql.SQL("CASE WHEN link #>> '{{}}' ~* {} THEN (link #>> '{{}}')::uuid END").format(sql.Literal(_ID))


def of_names_noted(tables: Tables, scope: Scope) -> Conditions:
    """Noted names of this scope; where it is one assistant's, without those that a memory of another links to."""
    found = of_scope(scope)
    narrow = {"agent_id": scope.agent, "run_id": scope.run}
    other = [(key, value) for key, value in narrow.items() if value is not None]
    if not other:
        return found
    statement = sql.SQL(
        "NOT EXISTS (SELECT 1 FROM jsonb_path_query({}.payload, '$.linked_memory_ids[*]') link "
        "JOIN {} linked ON linked.id = {} WHERE linked.payload->>'user_id' = %s AND ({}))"
    )
    differs = sql.SQL(" OR ").join([sql.SQL("linked.payload->>%s IS DISTINCT FROM %s")] * len(other))
    params = [value for pair in other for value in pair]
    return found.add(statement.format(tables.entities, tables.memories, _LINK, differs), str(scope.subject), *params)


def of_dates(filters: Filters) -> Conditions:
    """Rows inside the filters' dates; a row without a date is in no range."""
    found = Conditions()
    if filters.since is not None:
        found.add(sql.SQL("{} >= %s").format(CREATED), instant(filters.since, end=False))
    if filters.until is not None:
        found.add(sql.SQL("{} < %s").format(CREATED), instant(filters.until, end=True))
    if found.parts:
        found.add(sql.SQL("{} <> ''").format(CREATED))
    return found


def of_names(filters: Filters) -> Conditions:
    """Rows of the filters' assistant and conversation."""
    found = Conditions()
    if filters.agent is not None:
        found.add("payload->>'agent_id' = %s", filters.agent)
    if filters.run is not None:
        found.add("payload->>'run_id' = %s", filters.run)
    return found


def of(scope: AnyScope, filters: Filters) -> Conditions:
    """All conditions of a scope and its filters."""
    whole = of_scope(scope)
    for more in (of_names(filters), of_dates(filters)):
        whole.parts += more.parts
        whole.params += more.params
    return whole


def like(word: str) -> str:
    """An ILIKE pattern that contains `word` literally."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
