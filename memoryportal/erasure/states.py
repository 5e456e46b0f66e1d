"""The states of a deletion request and the ways between them. The database enforces the same table (sql/states.sql)."""

from django.db import models


class State(models.TextChoices):
    """The contract of the design: other people's scripts read these words."""

    RECEIVED = "received", "Received"
    IDENTITY = "identity", "Waiting for proof of who asks"
    APPROVAL = "approval", "Waiting for a second person"
    WAITING = "waiting", "Begins soon"
    ERASING = "erasing", "Erasing"
    VERIFYING = "verifying", "Reading everything again"
    WATCHING = "watching", "Erased; being watched"
    COMPLETED = "completed", "Erased"
    COMPLETED_WITH_EXCEPTIONS = "completed-with-exceptions", "Erased, with exceptions"
    ON_HOLD = "on-hold", "On hold by law"
    RETRYING = "retrying", "Delayed: trying again"
    NEEDS_ATTENTION = "needs-attention", "Delayed: we are looking into it"
    REFUSED = "refused", "Refused"
    CANCELLED = "cancelled", "Cancelled"
    UNCONFIRMED = "unconfirmed", "Ended: nobody confirmed it"


TERMINAL = frozenset(
    {State.COMPLETED, State.COMPLETED_WITH_EXCEPTIONS, State.REFUSED, State.CANCELLED, State.UNCONFIRMED}
)
ERASED = frozenset({State.COMPLETED, State.COMPLETED_WITH_EXCEPTIONS})
# From the first of these on, something may be gone already: no way back, no cancelling.
BEGUN = frozenset({State.ERASING, State.VERIFYING, State.WATCHING, State.RETRYING, State.NEEDS_ATTENTION})
# Before that, nothing has been removed.
OPEN_BEFORE = frozenset({State.RECEIVED, State.IDENTITY, State.APPROVAL, State.WAITING, State.ON_HOLD})
# What the engine takes up by itself.
DUE = frozenset({State.ERASING, State.VERIFYING, State.WATCHING, State.RETRYING})

_DECIDED = {State.REFUSED, State.CANCELLED}
_ENDED = {State.COMPLETED, State.COMPLETED_WITH_EXCEPTIONS}
_LATE = {State.RETRYING, State.NEEDS_ATTENTION}
TRANSITIONS: dict[str, frozenset[str]] = {
    State.RECEIVED: frozenset({State.IDENTITY, State.APPROVAL, State.WAITING, State.ERASING, State.ON_HOLD, *_DECIDED}),
    State.IDENTITY: frozenset(
        {State.APPROVAL, State.WAITING, State.ERASING, State.ON_HOLD, State.UNCONFIRMED, *_DECIDED}
    ),
    State.APPROVAL: frozenset({State.IDENTITY, State.WAITING, State.ERASING, State.ON_HOLD, *_DECIDED}),
    State.WAITING: frozenset({State.APPROVAL, State.ERASING, State.ON_HOLD, *_DECIDED}),
    State.ON_HOLD: frozenset({State.IDENTITY, State.APPROVAL, State.WAITING, *_DECIDED}),
    State.ERASING: frozenset({State.VERIFYING, *_LATE}),
    State.VERIFYING: frozenset({State.ERASING, State.WATCHING, *_ENDED, *_LATE}),
    State.WATCHING: frozenset({State.ERASING, *_LATE}),
    State.RETRYING: frozenset({State.ERASING, State.NEEDS_ATTENTION}),
    State.NEEDS_ATTENTION: frozenset({State.ERASING}),
}


def may_go(old: str, new: str) -> bool:
    """Whether a request may go from one state to another."""
    return new in TRANSITIONS.get(old, frozenset())


def states_sql() -> str:
    """The ways as an SQL array of 'old>new', for the migration that installs the trigger."""
    ways = sorted(f"{old}>{new}" for old, news in TRANSITIONS.items() for new in news)
    return "ARRAY[" + ", ".join(f"'{way}'" for way in ways) + "]"
