"""What the tests in this folder share."""

from memoryportal.memory import ScopedMemory
from memoryportal.memory.stores import current_store
from memoryportal.memory.stores.platform_client import Patience

from .server import Platform

QUICK = Patience(answer=5.0, list=5.0, event=0.4, settle=0.3, pause=0.005)


def be_patient(patience: Patience) -> None:
    """Wait so long from now on; the connections are new, because their deadlines are fixed."""
    client = current_store().client  # type: ignore[attr-defined]
    client.close()
    client.patience = patience


def narrowed(memory: ScopedMemory, agent: str | None = None, run: str | None = None) -> ScopedMemory:
    """The same person, seen through an assistant or a conversation."""
    return ScopedMemory.for_person(memory.subject, agent=agent, run=run)


def texts(memory: ScopedMemory, **more: object) -> list[str]:
    """What a page shows."""
    return [item.text for item in memory.page(limit=500, **more).items]  # type: ignore[arg-type]


def kept(platform: Platform, memory: ScopedMemory) -> set[str]:
    """What the stand-in itself has of a person."""
    return {row.memory for row in platform.state.rows.values() if row.user_id == str(memory.subject)}


def plant(platform: Platform, memory: ScopedMemory, count: int) -> None:
    """Store `count` memories past the portal."""
    for number in range(count):
        platform.state.store(memory=f"Note {number}.", user_id=str(memory.subject))
