from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.agent import keys
from memoryportal.audit.record import AuditUnavailable


class Command(BaseCommand):
    help = "End a service key, and every token that was made with it, at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="the key's name in list_service_keys")

    def handle(self, prefix: str, **options: Any) -> None:
        try:
            keys.revoke(keys.by_prefix(prefix))
        except (keys.KeyRefused, AuditUnavailable) as error:
            raise CommandError(f"{error}. Nothing was changed.") from None
        self.stdout.write("Revoked. The key and its tokens are refused from now on.")
