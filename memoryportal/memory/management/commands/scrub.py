from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.memory.errors import MemoryRoomError
from memoryportal.memory.scrub import scrub


class Command(BaseCommand):
    help = "Rewrite the memory tables (locks them while it runs), so that deleted text leaves PostgreSQL's files."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = scrub()
        except MemoryRoomError as error:
            raise CommandError(str(error)) from None
        for table in done:
            self.stdout.write(f"  {table.table}: {table.before:,} -> {table.after:,} bytes")
        self.stdout.write("Rewritten. The write-ahead log (until it is recycled) and backups still hold older bytes.")
