"""What somebody can do to the trail's tables and files who does not go through the portal.

A `Forger` acts as the login of Django's connection. It computes hashes as the trail does: the method is no secret.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection

from memoryportal.audit.verify import expected_hash

COLUMNS = (
    *("seq", "at", "actor", "role", "action", "subject", "object", "reason", "grant_id", "request_id"),
    *("details", "prev_hash", "hash"),
)
Row = dict[str, Any]
START = "0" * 64


class Forger:
    def __init__(self, heads: Path) -> None:
        self.heads = heads

    def do(self, statement: str, *values: object) -> list[Any]:
        """The rows that the statement answers, if it does."""
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    # --- what stands there --------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All events. `details` is the text that PostgreSQL makes of it, as the hash takes it."""
        names = ", ".join(COLUMNS).replace("details", "details::text")
        found = self.do(f"SELECT {names} FROM audit_event ORDER BY seq")
        return [dict(zip(COLUMNS, row, strict=True)) for row in found]

    def row(self, seq: int) -> Row:
        return next(row for row in self.rows() if row["seq"] == seq)

    # --- with the trigger out of the way ------------------------------------------------------------------------

    def unlocked(self, statement: str, *values: object) -> None:
        self.do("ALTER TABLE audit_event DISABLE TRIGGER audit_event_fixed")
        self.do(statement, *values)
        self.do("ALTER TABLE audit_event ENABLE TRIGGER audit_event_fixed")

    def write(self, rows: list[Row], *, rehash: bool = True) -> None:
        """Put these events in place of all that are there, chained to each other, with a head that fits."""
        chained = chain(rows) if rehash else rows
        self.do("TRUNCATE audit_event")
        for row in chained:
            self.insert(row)
        self.do("UPDATE audit_head SET seq = %s, hash = %s", chained[-1]["seq"], chained[-1]["hash"])

    def insert(self, row: Row) -> None:
        places = ", ".join(["%s"] * len(row))
        self.do("SELECT audit_partition(%s)", row["at"])
        self.do(f"INSERT INTO audit_event ({', '.join(row)}) VALUES ({places})", *row.values())

    def rewrite(self, change: Callable[[list[Row]], list[Row]]) -> None:
        self.write(change(self.rows()))

    # --- the file -----------------------------------------------------------------------------------------------

    def write_file_through_database(self) -> None:
        self.do(f"COPY (SELECT 'forged') TO '{self.heads}'")

    def change_lines(self, change: Callable[[list[str]], list[str]]) -> None:
        self.heads.write_text("".join(change(self.heads.read_text().splitlines(keepends=True))))


def chain(rows: list[Row]) -> list[Row]:
    """The same events with numbers and hashes as if they had happened like that."""
    done: list[Row] = []
    for number, row in enumerate(rows, start=rows[0]["seq"]):
        prev = done[-1]["hash"] if done else row["prev_hash"]
        done.append(with_hash({**row, "seq": number, "prev_hash": prev}))
    return done


def with_hash(row: Row) -> Row:
    fields = {**row, "at": round(row["at"].timestamp() * 1_000_000)}
    return {**row, "hash": expected_hash(tuple(fields[name] for name in COLUMNS[:-1]))}
