"""A person's pause, noted outside of the database first: a restored backup must not let assistants begin again."""

from memoryportal.memory import SubjectId, controls

from . import ledger


def pause(subject: SubjectId, agent: str = "") -> None:
    """Stop remembering, for one assistant or ("") for all. Raises LedgerUnavailable, StoreUnavailable, NotConfirmed."""
    ledger.note(ledger.PAUSED, [subject], agent)
    controls.pause(subject, agent)


def resume(subject: SubjectId, agent: str = "") -> None:
    """Let assistants remember again. Raises LedgerUnavailable, StoreUnavailable."""
    ledger.note(ledger.RESUMED, [subject], agent)
    controls.resume(subject, agent)
