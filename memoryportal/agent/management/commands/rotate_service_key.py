from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.agent import keys
from memoryportal.audit.record import AuditUnavailable


class Command(BaseCommand):
    help = "Give a service key another secret. The old one stays good for some days, so that nothing stands still."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="the key's name in list_service_keys")
        parser.add_argument("--days", type=int, default=7, help="how long the old secret stays good (0: not at all)")

    def handle(self, prefix: str, days: int, **options: Any) -> None:
        if not 0 <= days <= 90:
            raise CommandError("--days is 0 to 90. Nothing was changed.")
        try:
            secret = keys.rotate(keys.by_prefix(prefix), timedelta(days=days))
        except (keys.KeyRefused, AuditUnavailable) as error:
            raise CommandError(f"{error}. Nothing was changed.") from None
        self.stderr.write(
            f"Rotated. The old secret is good for {days} more days. The new one, which is not shown again:"
        )
        self.stdout.write(secret)
