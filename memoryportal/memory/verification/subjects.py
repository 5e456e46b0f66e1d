"""Throw-away subjects, remembered on disk for as long as they exist: a run that is killed is cleaned up by the next."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StoreRefused
from ..scope import SubjectId
from ..scoped import ScopedMemory

PREFIX = "verify-isolation-"


class ThrowAway:
    """Makes subjects that nobody can have, and erases them again. `path` is where unfinished runs are noted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One run at a time: a second one would take the first one's people for left over. Ends with the process."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreRefused("Another run of verify_isolation is under way. Wait for its end.") from None
            yield

    def leftovers(self) -> list[SubjectId]:
        """Subjects of runs that did not end."""
        try:
            return [SubjectId(name) for name in json.loads(self.path.read_text()) if name.startswith(PREFIX)]
        except FileNotFoundError:
            return []

    def clean(self) -> int:
        """Erase what earlier runs left; returns how many subjects that were."""
        left = self.leftovers()
        for subject in left:
            ScopedMemory(subject).erase()
        self.path.unlink(missing_ok=True)
        return len(left)

    @contextmanager
    def subjects(self, *names: str) -> Iterator[list[SubjectId]]:
        """Fresh subjects that are erased at the end of the block, whatever happens in it."""
        made = [SubjectId(f"{PREFIX}{uuid.uuid4().hex}-{name}") for name in names]
        self._note(made)
        try:
            yield made
        finally:
            self.clean()

    def _note(self, made: list[SubjectId]) -> None:
        """On disk before anything is in the store, and never half written."""
        unfinished = self.path.with_suffix(".new")
        with unfinished.open("w") as file:
            json.dump(made, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path)
