from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.audit.heads import HeadsUnavailable, read_heads
from memoryportal.audit.record import OPERATOR, AuditUnavailable
from memoryportal.audit.verify import note_verdict, verify_trail


class Command(BaseCommand):
    help = "Recompute the audit trail, compare every signed head, and name the first event that is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--heads", type=Path, help="the signed heads, as they were shipped (default: AUDIT_HEADS)")

    def handle(self, *args: Any, heads: Path | None = None, **options: Any) -> None:
        try:
            signed = read_heads(heads)
        except HeadsUnavailable as error:
            raise CommandError(str(error)) from None
        if heads and not signed:
            raise CommandError(f"There is no signed head in {heads}.")
        verdict = verify_trail(signed)
        try:
            note_verdict(OPERATOR, verdict)
        except AuditUnavailable:  # a verdict is of use all the same, and most of all then
            self.stderr.write("This verification could not be recorded in the trail.")
        if verdict.problem:
            raise CommandError(f"The trail is NOT intact: {verdict.problem}.")
        heads_compared = f"{verdict.heads} signed head{'' if verdict.heads == 1 else 's'} compared"
        self.stdout.write(f"The trail is intact: {verdict.events} events, {heads_compared}.")
