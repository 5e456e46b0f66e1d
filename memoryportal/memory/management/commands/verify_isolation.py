from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.memory.errors import MemoryRoomError
from memoryportal.memory.inspection import made_by_us
from memoryportal.memory.verification.breakage import breakage
from memoryportal.memory.verification.story import Check, Story
from memoryportal.memory.verification.subjects import ThrowAway


class Command(BaseCommand):
    help = "Prove on the configured store that no query crosses from one person to another. Exit code 0 or 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--on-live-store", action="store_true", help="allow a store that the portal did not create")
        parser.add_argument("--breakage", action="store_true", help="show what happens without the wrapper")

    def handle(self, *args: Any, on_live_store: bool = False, **options: Any) -> None:
        try:
            if options["breakage"]:
                self._breakage()
                return
            if not on_live_store and not made_by_us():
                raise CommandError(
                    "This store was not created by the portal. Two throw-away people would be added to it and erased "
                    "again; say --on-live-store to allow that."
                )
            failed = [check for check in self._run() if not check.passed]
        except MemoryRoomError as error:
            raise CommandError(str(error)) from None
        if failed:
            raise CommandError(f"{len(failed)} checks failed: isolation is NOT proven.")
        self.stdout.write("Isolation is proven on this store. Both throw-away people are erased.")

    def _run(self) -> list[Check]:
        throw_away, done = ThrowAway(Path(settings.DATA_DIR) / "verify_isolation.json"), []
        with throw_away.alone():
            if left := throw_away.clean():
                self.stdout.write(f"(erased {left} throw-away people of a run that did not end)")
            with throw_away.subjects("alice", "bob") as (alice, bob):
                for check in Story(alice, bob).checks():
                    self.stdout.write(f"  {'ok  ' if check.passed else 'FAIL'}  {check.name:<58} {check.seen}")
                    done.append(check)
        return done

    def _breakage(self) -> None:
        self.stdout.write("Without the wrapper, on a throw-away collection:")
        for sentence in breakage():
            self.stdout.write(f"  {sentence}")
