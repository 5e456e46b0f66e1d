from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memoryportal.memory.errors import MemoryRoomError
from memoryportal.memory.prepare import prepare_store


class Command(BaseCommand):
    help = (
        "Make the memory store fit for the portal: tables, owner index, row-level security, gate, no text statistics."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = prepare_store()
        except MemoryRoomError as error:
            raise CommandError(str(error)) from None
        for sentence in done or ["everything was in place"]:
            self.stdout.write(f"  {sentence}")
