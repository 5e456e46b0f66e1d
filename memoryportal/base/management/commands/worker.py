import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from procrastinate.contrib.django import app

logger = logging.getLogger(__name__)
DRAIN_SECONDS = 30


class Command(BaseCommand):
    help = "Carry out what is queued and scheduled. Several may run; SIGTERM lets running jobs end first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2, help="jobs at a time")
        parser.add_argument("--until-empty", action="store_true", help="end when nothing is queued any more")

    def handle(self, *args: Any, concurrency: int = 2, until_empty: bool = False, **options: Any) -> None:
        connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
        with app.replace_connector(connector) as worker_app:
            worker_app.run_worker(
                concurrency=concurrency,
                wait=not until_empty,
                listen_notify=not until_empty,
                shutdown_graceful_timeout=DRAIN_SECONDS,
                delete_jobs="successful",
                install_signal_handlers=True,
            )
