"""The erasure ledger: every completed erasure, pause and destroyed key, outside of the database and its backups.

The line comes first, the database second, so the ledger is never behind. How far a database knows it, its mark says
(ledger_mark.py). A line that a database does not know is the sign of a restore: /readyz is red until
`manage.py replay_erasures` has run. A line whose request is still being erased here is no such sign: between its line
and its end a worker may be killed, its gate is shut, and whoever takes it up writes the line again.
"""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from memoryportal.base.readiness import NotReady
from memoryportal.memory import SubjectId

from . import ledger_file
from .ledger_file import LedgerBroken, LedgerUnavailable, Line, name_of, read
from .ledger_mark import LedgerMark
from .models import Erasure
from .states import BEGUN, ERASED

ERASED_LINE, PAUSED, RESUMED, KEYS_DESTROYED = "erased", "paused", "resumed", "keys-destroyed"
KINDS = (ERASED_LINE, PAUSED, RESUMED, KEYS_DESTROYED)


def append(kind: str, erasure: Erasure, state: str) -> Line:
    """Write the line of a request that is about to end. Raises LedgerUnavailable, and it must not end then."""
    with ledger_file.held() as file:
        return ledger_file.write(
            file,
            **_fields(kind, erasure.subjects, erasure.agent),
            reference=erasure.reference,
            scope=str(erasure.scope),
            keep_never=erasure.keep_never,
            state=str(state),
        )


def note(kind: str, subjects: Iterable[SubjectId], agent: str = "") -> Line:
    """Write the line of an act without a request, before the act: a pause, its end, the destruction of keys.

    Raises LedgerUnavailable, and the act must not happen then. Not inside a transaction: other writers wait meanwhile.
    """
    with ledger_file.held() as file:
        fields = _fields(kind, subjects, agent)
        line = ledger_file.write(file, **fields, reference="", scope="", keep_never=False, state="")
        with transaction.atomic(durable=True):
            _advance(line)
        return line


def _fields(kind: str, subjects: Iterable[str], agent: str) -> dict[str, object]:
    if kind not in KINDS:
        raise ValueError(f"the ledger has no lines of the kind {kind!r}")
    names = sorted({name_of(str(subject)) for subject in subjects})
    return {"kind": kind, "subjects": names, "agent": agent, "at": timezone.now().isoformat()}


# --- what this database knows -------------------------------------------------------------------------------------


def mark(erasure: Erasure) -> None:
    """Note that this database knows the line of `erasure`: in the transaction in which it ends, after its state.

    Raises LedgerUnavailable.
    """
    _advance()


def _advance(own: Line | None = None) -> None:
    """Move the mark over all lines that are known, up to the first that is not: a restored database keeps its gap."""
    row, _ = LedgerMark.objects.select_for_update().get_or_create(pk=1)
    lines = ledger_file.after(row.number, row.digest)
    known = _known(lines)
    for line in lines:
        if line.reference not in known and line != own:
            break
        row.number, row.digest = line.n, line.digest
    row.save()


def _known(lines: list[Line]) -> set[str]:
    """References of requests that this database has carried out, or is carrying out behind a shut gate."""
    found = Erasure.objects.filter(reference__in={line.reference for line in lines}, state__in=BEGUN | ERASED)
    return set(found.values_list("reference", flat=True)) - {""}


def marked() -> LedgerMark:
    """How far this database knows the ledger."""
    return LedgerMark.objects.filter(pk=1).first() or LedgerMark()


def unknown() -> list[Line]:
    """Lines of acts that this database has not seen: it was restored. Raises LedgerBroken, LedgerUnavailable."""
    row = marked()
    lines = ledger_file.after(row.number, row.digest)
    known = _known(lines) if lines else set()
    return [line for line in lines if line.reference not in known]


def know_all() -> None:
    """Note that everything in the ledger has been done in this database: after a replay. Raises LedgerUnavailable."""
    with ledger_file.held(), transaction.atomic():
        LedgerMark.objects.select_for_update().get_or_create(pk=1)
        last = ledger_file.last_line()
        number, digest = (last.n, last.digest) if last else (0, ledger_file.START)
        LedgerMark.objects.filter(pk=1).update(number=number, digest=digest)


def probe() -> None:
    """The readiness probe "erasures". Raises NotReady after a restore, LedgerUnavailable without a whole ledger."""
    if unknown():
        with ledger_file.held():  # whoever is writing a line right now notes it in the database first
            left = unknown()
        if left:
            raise NotReady


__all__ = [
    "LedgerBroken",
    "LedgerUnavailable",
    "Line",
    "append",
    "know_all",
    "mark",
    "marked",
    "name_of",
    "note",
    "probe",
    "read",
    "unknown",
]
