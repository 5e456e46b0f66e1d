"""The only room that knows mem0 and speaks to a memory store.

    from memoryportal.memory import ScopedMemory, SubjectId

Nothing here imports mem0 until a text has to be embedded: listing, reading and erasing never need it.
"""

from .errors import (
    BadCursor,
    BadQuery,
    CountMoved,
    EmbedderUnavailable,
    ErasureRunning,
    GateOpen,
    InferenceFailed,
    InvalidSubject,
    MemoryChanged,
    MemoryNotFound,
    MemoryRoomError,
    NotConfirmed,
    ScopeViolation,
    StoreNotPrepared,
    StoreRefused,
    StoreUnavailable,
    UseRestricted,
    WordingStopped,
    WritesPaused,
)
from .knowledge import AgentKnowledge
from .scope import Filters, KnowledgeScope, Scope, SubjectId
from .scoped import ScopedMemory
from .types import (
    Added,
    Entity,
    Handed,
    Hit,
    Hits,
    Item,
    Message,
    Page,
    Removed,
    Residue,
    Stopped,
    Summary,
    Use,
    Version,
)

__all__ = [
    "Added",
    "AgentKnowledge",
    "BadCursor",
    "BadQuery",
    "CountMoved",
    "EmbedderUnavailable",
    "Entity",
    "ErasureRunning",
    "Filters",
    "GateOpen",
    "Handed",
    "Hit",
    "Hits",
    "InferenceFailed",
    "InvalidSubject",
    "Item",
    "KnowledgeScope",
    "MemoryChanged",
    "MemoryNotFound",
    "MemoryRoomError",
    "Message",
    "NotConfirmed",
    "Page",
    "Removed",
    "Residue",
    "Scope",
    "ScopeViolation",
    "ScopedMemory",
    "Stopped",
    "StoreNotPrepared",
    "StoreRefused",
    "StoreUnavailable",
    "SubjectId",
    "Summary",
    "Use",
    "UseRestricted",
    "Version",
    "WordingStopped",
    "WritesPaused",
]
