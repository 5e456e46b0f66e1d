"""After a restore: erase again what the ledger says was erased, shut what was paused, destroy keys that were destroyed.

What is older than a line goes. What a person let assistants remember afterwards, as far as the backup has it, stays.
The restored database's own requests are not asked: it does not know what came later.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from allauth.account.models import EmailAddress
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.models import SubjectKey
from memoryportal.audit.pseudonyms import destroy_keys
from memoryportal.audit.record import DETAIL_KEYS, OPERATOR, record
from memoryportal.memory import ScopedMemory, StoreUnavailable, SubjectId, controls
from memoryportal.memory.older import erase_older, older, older_ids
from memoryportal.memory.places import Whose, kept_elsewhere
from memoryportal.memory.stores import current_store

from . import ledger
from .ledger import Line
from .models import Erasure
from .replay_facts import Facts, account_of, moment_of, read_ledger
from .states import BEGUN
from .whose import held_by_accounts

BATCH = 1000
_ALL = ""  # of the assistants


@dataclass
class Report:
    """What was found and done. `people` are those whom the ledger names and the database knows.

    `left` counts rows that are there although they were erased; `problems` are sentences for the operator.
    """

    lines: int = 0
    unknown: int = 0
    people: int = 0
    changed: int = 0
    left: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    switched: int = 0
    keys: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return not (self.problems or self.left or self.unknown)


def look(known_until: int) -> Report:
    """What `replay` would find. Changes nothing. Raises LedgerUnavailable, StoreUnavailable."""
    whole = read_ledger(known_until)
    report = Report(whole.lines, whole.unknown)
    for subject, facts in whole.people():
        report.people += 1
        report.left += sum(_left(subject, line) for line in facts.erased.values())
        report.left += facts.account is not None and account_of(subject, facts.account) is not None
    return report


def replay(known_until: int) -> Report:
    """Do it all again. When nothing is left to do, this database knows the whole ledger. Can be repeated.

    Raises LedgerUnavailable, StoreUnavailable, AuditUnavailable.
    """
    whole = read_ledger(known_until)
    report = Report(whole.lines, whole.unknown)
    done = []
    for subject, facts in whole.people():
        report.people += 1
        again = _Again(subject, facts, report)
        try:
            again.run()
        except StoreUnavailable as error:
            report.problems.append(str(error))
        else:
            done.append(again)
    for again in done:  # when the accounts that had gone are gone: they hold the ids that were connected to them
        again.end()
    report.problems = list(dict.fromkeys(report.problems))
    if not (report.problems or report.left):
        ledger.know_all()
        report.unknown = 0
    return report


def _memory(subject: SubjectId, line: Line) -> ScopedMemory:
    return ScopedMemory.for_person(subject, agent=line.agent or None)


def _kept(line: Line) -> frozenset[str]:
    return frozenset({"never"} if line.keep_never else ())


def _left(subject: SubjectId, line: Line) -> int:
    return older(_memory(subject, line), moment_of(line), _kept(line))


class _Again:
    """The replay for one person."""

    def __init__(self, subject: SubjectId, facts: Facts, report: Report) -> None:
        self.subject, self.facts, self.report = subject, facts, report
        self.removed: Counter[str] = Counter()
        self.switched = 0

    def run(self) -> None:
        for line in self.facts.erased.values():
            self._erase(line)
        if self.facts.account and account_of(self.subject, self.facts.account):
            self.report.left += 1
        self.switched = self._switch()
        self.report.removed.update(self.removed)
        self.report.switched += self.switched

    def end(self) -> None:
        """Destroy keys, and leave the event about all that was done."""
        keys = self._destroy_keys()
        self.report.keys += keys
        if keys or self.switched or self.removed.total():
            self.report.changed += 1
            self._note()

    def _erase(self, line: Line) -> None:
        memory = _memory(self.subject, line)
        if _left(self.subject, line):
            with self._fenced(line.agent):
                self._erase_by_ids(line, memory)
                self.removed.update(erase_older(memory, moment_of(line), _kept(line)))
                self.report.left += _left(self.subject, line)
        self._erase_elsewhere(line, memory)

    def _erase_by_ids(self, line: Line, memory: ScopedMemory) -> None:
        """Places that name a memory and no person, first: when the memories are gone, nobody knows their ids any more.

        Where one cannot be emptied the memories stay, so that the next run finds it again.
        """
        ids = older_ids(memory, moment_of(line))
        whose = Whose((), line.agent or None, memory_ids=lambda: _batches(ids))
        for place, keeper in kept_elsewhere(whose):
            try:  # also where nothing is left to delete: an earlier run may have got so far (history_files)
                self.removed[place.key] += keeper.erase(whose)
            except StoreUnavailable as error:
                raise StoreUnavailable(f"{place.label}: {error}") from None

    @contextmanager
    def _fenced(self, agent: str) -> Iterator[None]:
        """Nobody writes meanwhile. A request that is being carried out here keeps its own gate."""
        controls.shut(current_store(), self.subject, "erasing", agent)
        yield  # after an error it stays shut until the replay is repeated
        about = Erasure.objects.filter(subjects__contains=[str(self.subject)], agent=agent)
        if not about.filter(state__in=BEGUN).exists():
            controls.reopen(current_store(), self.subject, "erasing", agent)

    def _erase_elsewhere(self, line: Line, memory: ScopedMemory) -> None:
        """The other rooms' places cannot tell old from new: they are emptied where nothing new is remembered."""
        nothing_new = not any(count for place, count in memory.held().items() if place not in _kept(line))
        whose = self._whose(line, (self.subject,) if nothing_new else ())
        for place, keeper in kept_elsewhere(whose):
            try:
                if keeper.count(whose):
                    self.removed[place.key] += keeper.erase(whose)
            except StoreUnavailable as error:
                self.report.problems.append(f"{place.label}: {error}")

    def _whose(self, line: Line, subjects: tuple[SubjectId, ...]) -> Whose:
        gone = self.facts.account if line.agent == _ALL else None
        account = account_of(self.subject, gone) if gone else None
        if account is None:
            return Whose(subjects, line.agent or None)
        others = EmailAddress.objects.filter(user=account).values_list("email", flat=True)
        return Whose(subjects, None, account.pk, (account.email, *others))

    def _switch(self) -> int:
        """Pause, or let assistants remember again; how many switches were moved."""
        paused = {control.agent for control in controls.states(self.subject) if control.state == "paused"}
        moved = [(agent, shut) for agent, shut in self.facts.gates.items() if shut != (agent in paused)]
        for agent, shut in moved:
            (controls.pause if shut else controls.resume)(self.subject, agent)
        return len(moved)

    def _destroy_keys(self) -> int:
        """The keys that were destroyed before; one that was made later is of somebody who came back.

        The line comes before the act, so it also names an id that was connected again in between: its key was kept.
        """
        line = self.facts.keys
        back = line and SubjectKey.objects.filter(subject=self.subject, created_at__lt=moment_of(line)).exists()
        if not back or held_by_accounts([self.subject]):
            return 0
        return destroy_keys([str(self.subject)], timezone.now())

    def _note(self) -> None:
        """Whose key was destroyed is not named again."""
        named = not self.facts.keys or SubjectKey.objects.filter(subject=self.subject).exists()
        newest = max(self.facts.erased.values(), key=lambda line: line.n, default=None)
        counts = {place: count for place, count in self.removed.items() if place in DETAIL_KEYS}
        record(
            Action.ERASURE_REPLAYED,
            actor=OPERATOR,
            subject=self.subject if named else None,
            object=newest.reference if newest else "",
            details={**counts, "count": self.removed.total() + self.switched},
        )


def _batches(ids: list[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch
