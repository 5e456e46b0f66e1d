"""One conversation of a person with the portal's own assistant: what it is handed, what is said, what is remembered.

Where the words lie: in mem0's message buffer (place "messages": the newest ten messages of a conversation), and nowhere
else. Extraction is shown that buffer, so what must not be shown again must not be in it: a deletion takes the buffer of
every conversation in which the memory was handed out (stores/side.py), and `keep` keeps nothing that was made with a
memory, or after a message, which is not there any more.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql

from . import controls, uses
from . import never_again as stops
from .checks import MAX_QUERY
from .history import BUFFER_SIZE, SubjectHistory
from .pool import Cursor
from .scope import Scope, SubjectId
from .scoped import ScopedMemory
from .stores import current_store
from .stores.base import Store
from .stores.side import hold_talks
from .types import Added, Item, Message


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer was made with: memories that were handed out, and the number of the newest message before it."""

    memories: tuple[str, ...] = ()
    newest: int = 0


class Conversation:
    """The assistant's side of a conversation: the person's pause, restriction and erasure bind it."""

    def __init__(self, subject: SubjectId, agent: str, run: str) -> None:
        self.memory = ScopedMemory(subject, agent=agent, run=run)

    @property
    def scope(self) -> Scope:
        return self.memory.scope

    def recall(self, words: str, most: int) -> list[Item]:
        """What is close to these words among all memories of the person, whichever assistant learned them.

        Noted as handed to this assistant in this conversation. Raises UseRestricted, ErasureRunning,
        EmbedderUnavailable.
        """
        controls.require_usable(current_store(), self.scope)
        near = ScopedMemory.for_person(self.scope.subject).search(words.strip()[:MAX_QUERY], limit=2 * most)
        found = [hit.item for hit in near.hits if not hit.item.expired][:most]
        uses.note(current_store(), self.scope, [item.id for item in found])
        return found

    def said(self) -> list[Message]:
        """The newest messages, oldest first. For the person; for an answer only where `recall` was allowed."""
        return current_store().messages(self.scope, BUFFER_SIZE)

    def remember(self, text: str, *, infer: bool) -> Added:
        """As ScopedMemory.add."""
        return self.memory.add([{"role": "user", "content": text}], infer=infer)

    def keep(self, question: str, answer: str, basis: Basis) -> int | None:
        """Keep both in the buffer; the number of the answer there. An extraction may have kept the question already.

        None where they may not be kept: what the answer was made with was deleted meanwhile, or one of them is never
        to be learned again. Raises WritesPaused, ErasureRunning.
        """
        store = current_store()
        if stops.Screen(store, self.scope).stops({question, answer}) or not self._all_there(store, basis):
            return None
        with store.open(self.scope) as cursor:
            hold_talks(cursor, self.scope)
            if not self._stands(cursor, store, basis):
                return None
            told = [] if self._was_kept(cursor, store, question, basis) else [{"role": "user", "content": question}]
            history = SubjectHistory(store.tables, self.scope, lambda: nullcontext(cursor))
            history.save_messages([*told, {"role": "assistant", "content": answer}], "")
            return self._newest(cursor, store)

    def end(self, older_than: timedelta | None = None) -> int:
        """Remove this conversation from the buffer, or all of this assistant's that are as old; how many messages."""
        store = current_store()
        which = sql.SQL("run = %s" if older_than is None else "created_at < now() - %s")
        statement = sql.SQL("DELETE FROM {} WHERE subject = %s AND agent = %s AND {}").format(
            store.tables.messages, which
        )
        value = self.scope.run if older_than is None else older_than
        with store.open(self.scope) as cursor:
            return cursor.execute(statement, (str(self.scope.subject), self.scope.agent, value)).rowcount

    def _all_there(self, store: Store, basis: Basis) -> bool:
        """Whether the memories exist. One that is deleted from now on takes its uses along, which `_stands` sees."""
        whole = Scope(self.scope.subject)
        return len(store.get_many(whole, list(basis.memories))) == len(basis.memories) if basis.memories else True

    def _stands(self, cursor: Cursor, store: Store, basis: Basis) -> bool:
        noted = sql.SQL("SELECT count(DISTINCT memory_id) FROM {} WHERE {} AND memory_id = ANY(%s::uuid[])").format(
            store.tables.identifier("uses"), self._mine
        )
        read = sql.SQL("SELECT count(*) FROM {} WHERE {} AND seq = %s").format(store.tables.messages, self._mine)
        memories = cursor.execute(noted, (*self._key, list(basis.memories))).fetchone()
        newest = cursor.execute(read, (*self._key, basis.newest)).fetchone()
        return (memories, newest) == ((len(basis.memories),), (1 if basis.newest else 0,))

    def _was_kept(self, cursor: Cursor, store: Store, question: str, basis: Basis) -> bool:
        statement = sql.SQL("SELECT 1 FROM {} WHERE {} AND seq > %s AND role = 'user' AND content = %s").format(
            store.tables.messages, self._mine
        )
        return cursor.execute(statement, (*self._key, basis.newest, question)).fetchone() is not None

    def _newest(self, cursor: Cursor, store: Store) -> int:
        statement = sql.SQL("SELECT max(seq) FROM {} WHERE {}").format(store.tables.messages, self._mine)
        row = cursor.execute(statement, self._key).fetchone()
        return int(row[0]) if row else 0

    @property
    def _key(self) -> tuple[str, str | None, str | None]:
        return str(self.scope.subject), self.scope.agent, self.scope.run

    @property
    def _mine(self) -> sql.Composable:
        return sql.SQL("subject = %s AND agent = %s AND run = %s")
