"""Everything the memory room can say "no" with. None of these messages ever carries memory text."""


class MemoryRoomError(Exception):
    """Base of all errors that leave the memory room."""


class InvalidSubject(MemoryRoomError, ValueError):
    """A subject, agent or run id that is refused. It is never repaired."""


class MemoryNotFound(MemoryRoomError, LookupError):
    """No such memory in this scope. Somebody else's memory raises exactly this too."""


class MemoryChanged(MemoryRoomError):
    """The memory was changed by somebody else since it was read; nothing was written."""


class CountMoved(MemoryRoomError):
    """`delete_matching` met another number of memories than the person was shown; nothing was deleted."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"expected {expected} memories, found {found}")
        self.expected, self.found = expected, found


class BadCursor(MemoryRoomError, ValueError):
    """A page cursor that this scope and these filters did not issue."""


class BadQuery(MemoryRoomError, ValueError):
    """Search words, memory text or metadata that cannot be used; the message says why."""


class StoreUnavailable(MemoryRoomError):
    """The store could not be reached or did not answer in time. Nothing is known about what it holds."""

    status_code = 503
    retry_after: float | None = None  # seconds, where the store asks for a pause
    reached: int = 0  # rows that were counted or removed all the same, where only a part of a place is away


class NotConfirmed(StoreUnavailable):
    """The store was asked for a change and did not show in time that it was made: it may have happened, or may yet."""

    unconfirmed = True


class StoreNotPrepared(StoreUnavailable):
    """The store answers, but `manage.py prepare_store` has not been run on it."""


class EmbedderUnavailable(MemoryRoomError):
    """The text could not be turned into a vector; search by meaning, adding and correcting need that."""


class InferenceFailed(MemoryRoomError):
    """The language model did not answer, or nothing could be made of what it answered."""


class ScopeViolation(MemoryRoomError):
    """A call tried to leave its scope. This is a bug or an attack, never a person's mistake."""


class WritesPaused(MemoryRoomError):
    """The subject has paused remembering; nothing was written."""


class UseRestricted(MemoryRoomError):
    """The subject has restricted the use of their memories: this assistant is handed none. Never an empty list."""

    status_code = 403


class WordingStopped(MemoryRoomError):
    """The subject has said that this wording is never to be learned again; nothing was written."""


class ErasureRunning(MemoryRoomError):
    """The subject's memories are being erased right now; nothing was written."""


class GateOpen(MemoryRoomError):
    """An erasure may remove something behind its shut gate only, and the gate is open: the erasure is over."""


class StoreRefused(MemoryRoomError):
    """The configured store is not one that isolation and erasure have been proven on."""
