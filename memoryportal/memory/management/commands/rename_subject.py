from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.memory.errors import MemoryRoomError
from memoryportal.memory.rename import rename_subject
from memoryportal.memory.scope import SubjectId
from memoryportal.memory.signals import moved, moving


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
            subject = SubjectId(new)
            moving.send(None, subject=subject, reason=reason)
            rows = rename_subject(old, subject, resume=resume)
        except MemoryRoomError as error:
            raise CommandError(str(error)) from None
        for table, number in rows.items():
            self.stdout.write(f"  {table}: {number} rows")
        told = moved.send_robust(None, subject=subject, reason=reason, count=sum(rows.values()))
        if any(isinstance(answer, Exception) for _, answer in told):
            raise CommandError("This was done; that it was done could not be written to the trail.")
        if not any(rows.values()):
            raise CommandError("Nothing is stored under exactly this id.")
