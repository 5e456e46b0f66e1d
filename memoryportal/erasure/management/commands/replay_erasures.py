from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.audit.actions import Action
from memoryportal.audit.record import OPERATOR, AuditUnavailable, record
from memoryportal.erasure import ledger
from memoryportal.erasure.ledger import LedgerBroken, LedgerUnavailable
from memoryportal.erasure.replay import Report, look, replay
from memoryportal.memory.errors import MemoryRoomError


class Command(BaseCommand):
    help = (
        "After a restore: erase again what ERASURE_LEDGER says was erased, pause what was paused, destroy the keys "
        "that were destroyed. Can be repeated. Exit code 1 as long as something is left to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when something is to be done")
        parser.add_argument(
            "--all",
            action="store_true",
            dest="everything",
            help="set pauses of every line again: for a memory store that was restored without the portal's database",
        )
        parser.add_argument(
            "--accept-lost-lines",
            action="store_true",
            help="the ledger lacks lines that this database knows, and they will not come back: go on without them",
        )

    def handle(self, *args: Any, check: bool = False, everything: bool = False, **options: Any) -> None:
        try:
            known_until = 0 if everything else _known_until(options["accept_lost_lines"])
            report = look(known_until) if check else replay(known_until)
            if options["accept_lost_lines"] and not check:
                record(Action.ERASURE_REPLAYED, actor=OPERATOR, details={"state": "lines-lost"})
        except (MemoryRoomError, LedgerUnavailable, AuditUnavailable) as error:
            raise CommandError(str(error)) from None
        self._tell(report, check)

    def _tell(self, report: Report, check: bool) -> None:
        known = "all known to this database" if not report.unknown else f"{report.unknown} unknown to this database"
        self.stdout.write(f"{report.lines} lines in the ledger, {known}; {report.people} of their people are here.")
        for place, count in sorted(report.removed.items()):
            if count:
                self.stdout.write(f"  {place}: {count} erased again")
        if report.switched or report.keys:
            self.stdout.write(f"  {report.switched} pauses set again or ended, {report.keys} keys destroyed again")
        for problem in report.problems:
            self.stderr.write(f"  {problem}")
        if not report.is_done:
            left = f"{report.left} rows that were erased are here" if report.left else "Not everything is done"
            raise CommandError(f"{left}: run manage.py replay_erasures{'' if check else ' again'}.")
        self.stdout.write("Nothing is left to be erased again." if check else "Everything is erased again.")


def _known_until(accept_lost: bool) -> int:
    """Up to which line this database knows the ledger; the whole of it counts as unknown where lines were lost."""
    try:
        ledger.unknown()
    except LedgerBroken:
        if not accept_lost:
            raise
        return 0
    return ledger.marked().number
