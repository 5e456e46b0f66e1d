import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.memory.errors import MemoryRoomError
from memoryportal.memory.rename import rename_subject
from memoryportal.memory.scope import SubjectId

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Move everything that is stored under one user id to another, by exact byte match (for ids that are refused)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("old")
        parser.add_argument("new")
        parser.add_argument("--reason", required=True)
        resume = "NEW has something already: go on with a move that was cut off, or add to it"
        parser.add_argument("--resume", action="store_true", help=resume)

    def handle(self, *args: Any, old: str, new: str, reason: str, resume: bool = False, **options: Any) -> None:
        if not reason.strip():
            raise CommandError("Give a reason: --reason '…'")
        try:
            moved = rename_subject(old, SubjectId(new), resume=resume)
        except MemoryRoomError as error:
            raise CommandError(str(error)) from None
        for table, count in moved.items():
            self.stdout.write(f"  {table}: {count} rows")
        if not any(moved.values()):
            raise CommandError("Nothing is stored under exactly this id.")
        logger.warning("a subject was renamed by an operator")
