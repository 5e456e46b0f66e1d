"""What one request reaches: its subjects' memories in the store, and the other rooms' places."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from memoryportal.memory import GateOpen, Residue, ScopedMemory, StoreUnavailable, SubjectId, controls
from memoryportal.memory.places import Keeper, Place, Whose, kept_elsewhere, store_places
from memoryportal.memory.stores import current_store

from .lease import Lease, LeaseLost
from .models import Erasure, ErasureStep, JournalPage
from .steps import note_removed

PAGE = 10_000  # ids in one row of the journal
_CANONICAL = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LAST = "account"  # the place that goes last: until then the person can sign in and see how far it is


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of counting or emptying one place: rows, and why the rest of it, or all, could not be reached."""

    rows: int
    problem: str = ""


def reached(act: Callable[[Whose], int], whose: Whose) -> Reached:
    """One place that cannot be used now keeps no other from being emptied."""
    try:
        return Reached(act(whose))
    except StoreUnavailable as error:
        return Reached(error.reached, str(error))
    except OSError as error:
        return Reached(0, f"cannot be used ({error.strerror})")


class Reach:
    """Whose rows a request is about. Built anew by whoever takes it up: everything in it is in the database.

    `excepted` are places that two people let it end without, where they cannot be read. `uncounted` and `trouble` are
    the places that could not be counted, or emptied, the last time, and why.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        erasure = Erasure.objects.get(pk=lease.pk)
        self.subjects: list[SubjectId] = erasure.subject_ids
        self.agent: str = erasure.agent
        self.keep: tuple[str, ...] = ("never",) if erasure.keep_never else ()
        self.account: int | None = erasure.account_number  # only where the account goes too
        self.addresses: tuple[str, ...] = tuple(erasure.addresses)
        self.excepted = frozenset(erasure.excepted if erasure.except_agreed_at else ())
        self.uncounted: dict[str, str] = {}
        self.trouble: dict[str, str] = {}

    def memories(self) -> list[ScopedMemory]:
        return [ScopedMemory.for_person(subject, agent=self.agent or None) for subject in self.subjects]

    def whose(self) -> Whose:
        return Whose(tuple(self.subjects), self.agent or None, self.account, self.addresses, self._journaled)

    def _journaled(self) -> Iterator[list[str]]:
        for ids in JournalPage.objects.filter(erasure_id=self.lease.pk).values_list("ids", flat=True).iterator():
            yield [str(each) for each in ids]

    def known(self) -> set[str]:
        """Ids in the journal."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT unnest(ids)::text FROM erasure_journalpage WHERE erasure_id = %s", [self.lease.pk])
            return {row[0] for row in cursor.fetchall()}

    def write_journal(self) -> None:
        """Note every id that is there now and not noted yet, before anything is removed."""
        present = {_as_uuid(each) for memory in self.memories() for each in memory.known_ids()}
        new = list(present - self.known() - {""})
        with self.lease.step() as erasure, connection.cursor() as cursor:
            for start in range(0, len(new), PAGE):  # as one text: the ORM, and the driver, look at each id by itself
                page = "{" + ",".join(new[start : start + PAGE]) + "}"
                cursor.execute(
                    "INSERT INTO erasure_journalpage (erasure_id, ids) VALUES (%s, %s::uuid[])", [erasure.pk, page]
                )

    def count(self) -> Counter[str]:
        """Rows in every place now. A place that the store does not have, or cannot read, is not among them."""
        found: Counter[str] = Counter()
        for memory in self.memories():
            found.update({place: count for place, count in memory.held().items() if place not in self.keep})
        self.uncounted = {}
        for place, keeper in kept_elsewhere(self.whose()):
            there = reached(keeper.count, self.whose())
            if there.problem:
                self.uncounted[place.key] = there.problem
            if there.rows or not there.problem:
                found[place.key] += there.rows
        return found

    def shut(self, state: controls.State) -> None:
        """Shut the gate for everything that this is about, and wait for writers under way."""
        for memory in self.memories():
            with self.lease.step():
                controls.shut(current_store(), memory.subject, state, self.agent)

    def erase(self) -> None:
        """Empty every place, the account last, and only where nothing else is left to be emptied: it is how the person
        sees that. What went is noted place by place."""
        self.trouble = {}
        for memory in self.memories():
            with self.lease.step() as erasure:
                note_removed(erasure, self._erase_memories(memory))
        for place, keeper in sorted(kept_elsewhere(self.whose()), key=lambda kept: kept[0].key == LAST):
            if place.key == LAST and self.trouble.keys() - self.excepted:
                return
            with self.lease.step() as erasure:
                gone = reached(keeper.erase, self.whose())
                note_removed(erasure, {place.key: gone.rows})
            if gone.problem:
                self.trouble[place.key] = gone.problem

    def _erase_memories(self, memory: ScopedMemory) -> dict[str, int]:
        """Only behind the shut gate: a worker that was frozen, and lost its lease, must not erase what came later.

        A row of the history does not say whose assistant's memory it was of. So where an earlier attempt was killed
        between two systems, or another program deletes too, what is left of one assistant is found by the journal.
        """
        try:
            gone = Counter(memory.erase(keep=self.keep, behind=self.agent).counts)
            for page in self._journaled() if self.agent else ():
                gone.update(memory.forget_traces(page, behind=self.agent).counts)
        except GateOpen:
            raise LeaseLost from None
        return gone

    def read_again(self) -> list[Residue]:
        """Every place, counted on fresh connections; None where it cannot be read now."""
        found = [residue for memory in self.memories() for residue in self._residue(memory)]
        return found + [residue for kept in kept_elsewhere(self.whose()) for residue in self._kept(*kept)]

    def _kept(self, place: Place, keeper: Keeper) -> Iterator[Residue]:
        """Of a place that can be read in part, both: that it was not read, and what is left in that part."""
        there = reached(keeper.count, self.whose())
        if there.problem:
            yield Residue(place.key, None, there.problem)
        if there.rows or not there.problem:
            yield Residue(place.key, there.rows)

    def unread_elsewhere(self) -> dict[str, str]:
        """The other rooms' places that cannot be read now, wholly or in part, and why."""
        kept = kept_elsewhere(self.whose())
        found = {place.key: reached(keeper.count, self.whose()).problem for place, keeper in kept}
        gone = self.never_read({*found, *store_places()})
        return {place: problem for place, problem in {**gone, **found}.items() if problem}

    def never_read(self, there: Collection[str]) -> dict[str, str]:
        """Places that were to be read and are not there any more: somebody took them out of the configuration."""
        steps = ErasureStep.objects.filter(erasure_id=self.lease.pk, left=None).exclude(place__in=there)
        return {step.place: step.problem or "is not configured any more" for step in steps}

    def _residue(self, memory: ScopedMemory) -> Iterator[Residue]:
        for residue in memory.residue():
            if residue.place in self.keep:
                continue
            if residue.place == "history" and self.agent and residue.count is not None:
                yield Residue("history", sum(memory.history_of(page) for page in self._journaled()))
            else:
                yield residue


def _as_uuid(memory_id: str) -> str:
    """Its text; empty for an id that mem0 did not give out, which no history can name."""
    if _CANONICAL.fullmatch(memory_id):
        return memory_id
    try:
        return str(UUID(memory_id))
    except ValueError:
        return ""
