"""The gate for stores outside PostgreSQL, where no trigger stands: our own writers ask it, in the same order.

A write happens inside a transaction on the side tables. It takes the gate's shared lock first and reads the gate
second; whoever shuts the gate commits its row and then waits for the exclusive lock (controls.drain). So a write
through the portal either saw the shut gate or has ended before anything is erased. Programs that write to the store
without the portal are not held back: `Abilities.fenced` is False, and says so.
"""

from typing import Literal

from ..controls import LOCK_SPACE, behind_gate, refuse_write
from ..errors import WritesPaused
from ..names import Tables
from ..pool import Cursor
from ..scope import AnyScope, KnowledgeScope, Scope

WRITERS = LOCK_SPACE + 1
Write = Literal["add", "change", "remove"]


def alone(cursor: Cursor, scope: Scope) -> None:
    """Let one writer of the portal at a time change this subject, until the transaction ends.

    Two systems have no common transaction: without this a deletion could fall between two halves of a correction.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (WRITERS, str(scope.subject)))


def enter(cursor: Cursor, tables: Tables, scope: AnyScope, write: Write) -> None:
    """Admit a write, until the transaction ends. Raises ErasureRunning, and WritesPaused for what a pause refuses.

    A pause lets everybody remove, and the person change.
    """
    if isinstance(scope, KnowledgeScope):
        return  # nobody's: there is nobody who could have shut the gate
    shut = behind_gate(cursor, tables, scope.subject)
    try:
        refuse_write(shut, scope, correcting=write == "change")
    except WritesPaused:
        if write != "remove":
            raise
    alone(cursor, scope)
