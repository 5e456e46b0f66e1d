import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.base import demo, web
from memoryportal.base.databases import data_dir_of
from memoryportal.base.embedded import EmbeddedFailed


class Command(BaseCommand):
    help = "Try the portal out, with made-up people on a database of its own. PORT and DATA_DIR can be set."
    requires_system_checks: list[str] = []  # the steps that it starts run them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--end-with-parent", action="store_true", help="end when the starting process is gone")

    def handle(self, *args: Any, end_with_parent: bool, **options: Any) -> None:
        try:
            port = web.read_port(os.environ.get("PORT") or "8000")
            status = demo.run(data_dir_of(os.environ), port, self._say, end_with_parent)
        except (demo.DemoRefused, web.CannotServe, EmbeddedFailed) as error:
            raise CommandError(str(error)) from None
        if status:
            sys.exit(status)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
