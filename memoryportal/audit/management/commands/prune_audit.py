from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from memoryportal.audit.heads import HeadsUnavailable
from memoryportal.audit.prune import NotIntact, prune
from memoryportal.audit.record import AuditUnavailable


class Command(BaseCommand):
    help = "Drop whole months of the audit trail that are past AUDIT_RETENTION_MONTHS, after a signed head."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            dropped = prune()
        except (HeadsUnavailable, NotIntact, AuditUnavailable) as error:
            raise CommandError(str(error)) from None
        except OperationalError:
            raise CommandError("The trail is being read right now, so nothing more was dropped. Try again.") from None
        self.stdout.write(f"Dropped: {', '.join(dropped)}." if dropped else "No month is past retention.")
