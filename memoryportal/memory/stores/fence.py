"""The gate for stores outside PostgreSQL, where no trigger stands: our own writers ask it, in the same order.

A write happens inside a transaction on the side tables. It takes the gate's shared lock first and reads the gate
second; whoever shuts the gate commits its row and then waits for the exclusive lock (controls.drain). So a write
through the portal either saw the shut gate or has ended before anything is erased. Programs that write to the store
without the portal are not held back: `Abilities.fenced` is False, and says so.
"""

from psycopg import sql

from ..controls import LOCK_SPACE
from ..errors import ErasureRunning, WritesPaused
from ..names import Tables
from ..pool import Cursor
from ..scope import AnyScope, KnowledgeScope, Scope

WRITERS = LOCK_SPACE + 1


def alone(cursor: Cursor, scope: Scope) -> None:
    """Let one writer of the portal at a time change this subject, until the transaction ends.

    Two systems have no common transaction: without this a deletion could fall between two halves of a correction.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (WRITERS, str(scope.subject)))


def enter(cursor: Cursor, tables: Tables, scope: AnyScope, *, adding: bool) -> None:
    """Admit a write, until the transaction ends. Raises ErasureRunning, and for something new WritesPaused."""
    if isinstance(scope, KnowledgeScope):
        return  # nobody's: there is nobody who could have shut the gate
    subject = str(scope.subject)
    cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s) & 1023)", (LOCK_SPACE, subject))
    statement = sql.SQL("SELECT state FROM {} WHERE subject = %s AND (state = 'erasing' OR agent IN ('', %s))")
    rows = cursor.execute(statement.format(tables.gate), (subject, scope.agent or "")).fetchall()
    states = {row[0] for row in rows}
    if "erasing" in states:
        raise ErasureRunning("the memories of this subject are being erased")
    if adding and "paused" in states:
        raise WritesPaused("remembering is paused for this subject")
    alone(cursor, scope)
