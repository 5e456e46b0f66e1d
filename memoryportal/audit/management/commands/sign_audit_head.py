from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.audit.heads import HeadsUnavailable, sign_head


class Command(BaseCommand):
    help = "Sign the newest event of the audit trail and write it to AUDIT_HEADS (the worker does so on a schedule)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            head = sign_head()
        except HeadsUnavailable as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Signed event {head.seq} with key {head.kid}.")
