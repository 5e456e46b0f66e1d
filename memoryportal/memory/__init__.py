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
    WritesPaused,
)
from .knowledge import AgentKnowledge
from .scope import Filters, KnowledgeScope, Scope, SubjectId
from .scoped import ScopedMemory
from .types import (
    Entity,
    Hit,
    Hits,
    Item,
    Message,
    Page,
    Removed,
    Residue,
    Summary,
    Version,
)

__all__ = [
    "AgentKnowledge",
    "BadCursor",
    "BadQuery",
    "CountMoved",
    "EmbedderUnavailable",
    "Entity",
    "ErasureRunning",
    "Filters",
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
    "StoreNotPrepared",
    "StoreRefused",
    "StoreUnavailable",
    "SubjectId",
    "Summary",
    "UseRestricted",
    "Version",
    "WritesPaused",
]
