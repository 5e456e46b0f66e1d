from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.memory.errors import MemoryRoomError
from memoryportal.memory.inspection import inspect
from memoryportal.memory.prepare import prepare_store


class Command(BaseCommand):
    help = (
        "Make the memory store fit for the portal: tables, owner index, row-level security, gate, no text statistics."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when something is missing")

    def handle(self, *args: Any, check: bool = False, **options: Any) -> None:
        try:
            done = [] if check else prepare_store()
            findings = inspect()
        except MemoryRoomError as error:
            raise CommandError(str(error)) from None
        for sentence in done:
            self.stdout.write(f"  {sentence}")
        for finding in findings:
            self.stdout.write(f"  {finding.level.upper()}: {finding.sentence}")
        missing = [finding for finding in findings if finding.level == "missing"]
        if missing:
            raise CommandError(f"{len(missing)} things are missing: run manage.py prepare_store as the owner.")
        if not done and not findings:
            self.stdout.write("  everything was in place")
