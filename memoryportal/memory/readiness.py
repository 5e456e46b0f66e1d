"""Whether the store would answer somebody right now."""

import logging
import threading
import time

from .errors import MemoryRoomError, StoreUnavailable
from .gate_gaps import gate_gaps
from .scope import Filters, Scope, SubjectId
from .stores import current_store
from .stores.base import Store

logger = logging.getLogger(__name__)
HOLDS = 5.0  # seconds that an answer counts: anybody may ask /readyz, and the store would be asked as often
NOBODY = Scope(SubjectId("memoryportal-readiness"))


class StoreProbe:
    """Asks for the memories of nobody, where they lie and in the tables beside them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # one question at a time: a frozen store must not take every thread
        self._store: Store | None = None
        self._asked = float("-inf")
        self._works = False

    def __call__(self) -> None:
        """Raises StoreUnavailable."""
        with self._lock:
            store = current_store()
            if store is not self._store or time.monotonic() - self._asked >= HOLDS:
                self._works = _answers(store)
                self._store, self._asked = store, time.monotonic()
            if not self._works:
                raise StoreUnavailable("the store cannot serve")


def _answers(store: Store) -> bool:
    try:
        store.admit(NOBODY)
        store.count(NOBODY, Filters())
        if gaps := gate_gaps(NOBODY.subject):
            logger.error("not ready: no gate stands on %s; run prepare_store", ", ".join(gaps))
    except MemoryRoomError as error:
        logger.warning("not ready: %s", error)
        return False
    return not gaps
