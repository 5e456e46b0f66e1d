"""The end of an erasure: pause, ledger, receipt, state, gate and event, in the order that survives a crash."""

import contextlib

from django.db import DatabaseError

from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM
from memoryportal.memory import MemoryRoomError, controls
from memoryportal.memory.stores import current_store

from . import ledger, receipts, telling
from .lease import Lease, LeaseLost
from .ledger import LedgerUnavailable
from .models import Erasure
from .moves import move, note
from .reach import Reach
from .states import State
from .steps import is_clean

NOTED = ("memories", "entities", "history", "messages")


def finish(lease: Lease, reach: Reach, clean: bool) -> None:
    """Say how it ended.

    The ledger comes before the state: a crash in between repeats its line, at worst. The gate opens last, when
    everything but the event is written, and behind it stands the pause: a crash between the two leaves a request that
    is taken up again, and whose memories no assistant could add to.
    """
    reach.shut("paused")  # assistants may not simply begin again; the ids of a deleted account stay closed
    with lease.step() as erasure:
        state = State.COMPLETED if clean and is_clean(erasure) else State.COMPLETED_WITH_EXCEPTIONS
        ledger.append("erased", erasure, state)
    try:
        _end(lease, reach, state)
    except LeaseLost:
        raise
    except BaseException:
        with contextlib.suppress(MemoryRoomError, DatabaseError, LeaseLost):  # else the next attempt does it
            reach.shut("erasing")
        raise


def _end(lease: Lease, reach: Reach, state: State) -> None:
    with lease.step() as erasure:
        steps = list(erasure.steps.all())
        removed = {step.place: step.removed for step in steps if step.place in NOTED}
        left = sum(step.left or 0 for step in steps)
        move(erasure, state)
        erasure.receipt = receipts.sign(receipts.statement(erasure))
        erasure.save(update_fields=["receipt"])
        ledger.mark(erasure)
        tell_end(erasure)
        _open(reach)
        asked = {"form": str(erasure.scope)}
        note(erasure, Action.ERASURE_DONE, SYSTEM, details={**removed, "left": left, "state": str(state), **asked})


def tell_end(erasure: Erasure) -> None:
    """The last mail, as part of the transaction in which the request ends."""
    from .tasks import ring_end  # the tasks import the engine

    if erasure.address:
        ring_end(erasure)
    else:
        telling.tell_account(erasure)


def _open(reach: Reach) -> None:
    for subject in reach.subjects:
        controls.reopen(current_store(), subject, "erasing", reach.agent)


__all__ = ["LedgerUnavailable", "finish"]
