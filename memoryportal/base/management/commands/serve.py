import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from memoryportal.base import web
from memoryportal.base.installation import refuse_unsafe_start


class Command(BaseCommand):
    help = "Serve the portal (run migrate, prepare_store and collectstatic first; TLS belongs to the proxy in front)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000")
        parser.add_argument("--workers", type=int, default=max(1, min(4, os.cpu_count() or 1)))
        parser.add_argument(
            "--threads", type=int, default=web.sensible_threads(), help="requests at a time, per worker"
        )

    def handle(self, *args: Any, host: str, port: str, workers: int, threads: int, **options: Any) -> None:
        refuse_unsafe_start()
        connections.close_all()
        try:
            number = web.read_port(port)
            web.refuse_used_port(host, number)
        except web.CannotServe as error:
            raise CommandError(str(error)) from None
        command = web.granian(host, number, workers, threads)
        os.environ[web.THREADS] = str(threads)
        if settings.ADDRESSES.embedded:
            self._beside_the_server(command)
        else:
            os.execv(command[0], command)  # noqa: S606 - this process becomes granian, and gets its signals

    def _beside_the_server(self, command: list[str]) -> None:
        """As a child: this process keeps the embedded PostgreSQL, and ends both together."""
        with web.ending_on_signals():
            child = web.start(command)
            try:
                status = web.wait(child)
            except web.Ended:
                status = 0
            finally:
                web.end(child)
        sys.exit(status or 0)
