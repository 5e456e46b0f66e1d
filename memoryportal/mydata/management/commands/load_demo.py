from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from memoryportal.memory import MemoryRoomError
from memoryportal.mydata.demo import load_demo
from memoryportal.mydata.demo_requests import load_requests


class Command(BaseCommand):
    help = "Create the demo's people and what assistants remember about Alice and Bob. Adds nothing to what is there."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            counts = load_demo()
            requests = load_requests()
        except (ImproperlyConfigured, MemoryRoomError) as error:
            raise CommandError(str(error)) from None
        added = ", ".join(f"{count} memories for {person}" for person, count in counts.items())
        filed = f"{requests} deletion requests" if requests else ""
        new = ", ".join(filter(None, (added, filed)))
        self.stdout.write(f"Demo data: {new}." if new else "Demo data: everything was in place.")
