"""Throw-away subjects, remembered on disk for as long as they exist: a run that is killed is cleaned up by the next."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..scope import SubjectId
from ..scoped import ScopedMemory

PREFIX = "verify-isolation-"


class ThrowAway:
    """Makes subjects that nobody can have, and erases them again. `path` is where unfinished runs are noted."""

    def __init__(self, path: Path) -> None:
        self.path = path

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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(made))
        try:
            yield made
        finally:
            self.clean()
