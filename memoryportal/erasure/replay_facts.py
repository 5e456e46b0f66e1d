"""What the ledger says, person by person, and whom of them this database knows.

The ledger names people as HMACs only. So everybody whom the database knows is compared with it: the store's owners,
accounts, connected ids, requests, and those whom the trail can name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from memoryportal.accounts.models import SubjectLink, User
from memoryportal.accounts.waiting import LinkAsk
from memoryportal.audit.models import SubjectKey
from memoryportal.memory import InvalidSubject, SubjectId
from memoryportal.memory.owners import owners

from . import ledger
from .ledger import ERASED_LINE, KEYS_DESTROYED, RESUMED, Line
from .models import Erasure, Scope


@dataclass
class Facts:
    """What the ledger says of one person.

    `erased` has the newest line for each assistant ('' for all of them), and the newest of those that left the stopped
    wordings beside it: an earlier one may have taken them. `gates` says of each assistant whether the
    last that this database does not know is a pause, or its end. `account` and `keys` are the newest lines with which
    the account went, and the keys of the trail.
    """

    erased: dict[tuple[str, bool], Line] = field(default_factory=dict)
    gates: dict[str, bool] = field(default_factory=dict)
    account: Line | None = None
    keys: Line | None = None

    def add(self, line: Line, known: bool) -> None:
        if line.kind == KEYS_DESTROYED:
            self.keys = line
            return
        if line.kind == ERASED_LINE:
            self.erased[line.agent, line.keep_never] = line
            self.account = line if line.scope == Scope.ACCOUNT else self.account
        if not known:  # an erasure leaves assistants paused, too
            self.gates[line.agent] = line.kind != RESUMED


@dataclass
class Ledger:
    """All of it, read once. `unknown` counts the lines that this database does not know."""

    lines: int = 0
    unknown: int = 0
    facts: dict[str, Facts] = field(default_factory=dict)

    def people(self) -> Iterator[tuple[SubjectId, Facts]]:
        """Whom the ledger names and the database knows, in a fixed order. Raises StoreUnavailable."""
        for subject in sorted(_everybody()) if self.facts else ():
            if (facts := self.facts.get(ledger.name_of(subject))) is not None:
                yield subject, facts


def read_ledger(known_until: int) -> Ledger:
    """The ledger, as a database that knows it up to this line sees it. Raises LedgerUnavailable, LedgerBroken."""
    whole = Ledger()
    for line in ledger.read():
        known = line.n <= known_until
        whole.lines += 1
        whole.unknown += not known
        for name in line.subjects:
            whole.facts.setdefault(name, Facts()).add(line, known)
    return whole


def moment_of(line: Line) -> datetime:
    return datetime.fromisoformat(line.at)


def account_of(subject: SubjectId, line: Line) -> User | None:
    """The account that was issued this id, and that came back although it had gone by the time of this line."""
    return User.objects.filter(subject=subject, created_at__lt=moment_of(line)).first()


def _everybody() -> set[SubjectId]:
    found = owners()
    for subjects in Erasure.objects.values_list("subjects", flat=True).iterator():
        found.update(subjects)
    found.update(User.objects.values_list("subject", flat=True).iterator())
    found.update(SubjectLink.objects.values_list("subject", flat=True).iterator())
    found.update(LinkAsk.objects.values_list("subject", flat=True).iterator())
    found.update(SubjectKey.objects.values_list("subject", flat=True).iterator())
    return {subject for subject in map(_subject, found) if subject is not None}


def _subject(owner: str) -> SubjectId | None:
    """None for an id that is refused: no erasure ever reached what lies under it."""
    try:
        return SubjectId(owner)
    except InvalidSubject:
        return None
