"""The end of an erasure: pause, ledger, receipt, state and event, in the order that survives a crash."""

from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM
from memoryportal.memory import controls
from memoryportal.memory.stores import current_store

from . import ledger, receipts, telling
from .lease import Lease
from .ledger import LedgerUnavailable
from .models import Erasure
from .moves import move, note
from .reach import Reach
from .states import State


def finish(lease: Lease, reach: Reach, clean: bool) -> None:
    """Say how it ended. The ledger comes before the state: a crash in between repeats its line, at worst."""
    _leave_paused(reach)
    state = State.COMPLETED if clean else State.COMPLETED_WITH_EXCEPTIONS
    with lease.step() as erasure:
        ledger.append("erased", erasure, state)
    with lease.step() as erasure:
        removed = {step.place: step.removed for step in erasure.steps.all() if step.place in NOTED}
        left = sum(step.left or 0 for step in erasure.steps.all())
        move(erasure, state)
        erasure.receipt = receipts.sign(receipts.statement(erasure))
        erasure.save(update_fields=["receipt"])
        ledger.mark(erasure)
        tell_end(erasure)
        note(erasure, Action.ERASURE_DONE, SYSTEM, details={**removed, "left": left, "state": str(state)})


def tell_end(erasure: Erasure) -> None:
    """The last mail, as part of the transaction in which the request ends."""
    from .tasks import ring_end  # the tasks import the engine

    if erasure.address:
        ring_end(erasure)
    else:
        telling.tell_account(erasure)


NOTED = ("memories", "entities", "history", "messages")


def _leave_paused(reach: Reach) -> None:
    """Assistants may not simply begin again: the person is asked first. A deleted account's ids stay closed."""
    store = current_store()
    for subject in reach.subjects:
        controls.shut(store, subject, "paused", reach.agent)
        controls.reopen(store, subject, "erasing", reach.agent)


__all__ = ["Erasure", "LedgerUnavailable", "finish"]
