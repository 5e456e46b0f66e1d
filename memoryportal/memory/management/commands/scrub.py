from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.memory.errors import MemoryRoomError
from memoryportal.memory.scrub import WAIT, scrub


class Command(BaseCommand):
    help = "Rewrite the memory tables (locks them while it runs), so that deleted text leaves PostgreSQL's files."

    def add_arguments(self, parser: CommandParser) -> None:
        retry = "how long to try again where an older transaction keeps deleted rows (default: %(default)g)"
        parser.add_argument("--wait", type=float, default=WAIT, metavar="SECONDS", help=retry)

    def handle(self, *args: Any, wait: float = WAIT, **options: Any) -> None:
        try:
            done = scrub(wait=wait)
        except MemoryRoomError as error:
            raise CommandError(str(error)) from None
        for table in done:
            self.stdout.write(f"  {table.table}: {table.before:,} -> {table.after:,} bytes")
        self.stdout.write("Rewritten. The write-ahead log (until it is recycled) and backups still hold older bytes.")
