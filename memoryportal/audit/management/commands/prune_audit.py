from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.audit.actions import Action
from memoryportal.audit.heads import HeadsUnavailable
from memoryportal.audit.prune import prune
from memoryportal.audit.record import SYSTEM, record


class Command(BaseCommand):
    help = "Drop whole months of the audit trail that are past AUDIT_RETENTION_MONTHS, after a signed head."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            dropped = prune()
        except HeadsUnavailable as error:
            raise CommandError(str(error)) from None
        if dropped:
            record(Action.TRAIL_PRUNED, actor=SYSTEM, details={"months": dropped})
        self.stdout.write(f"Dropped: {', '.join(dropped)}." if dropped else "No month is past retention.")
