"""A PostgreSQL connection that never waits for ever.

`statement_timeout` is kept by the server, so a frozen server does not honour it. This connection also counts on the
client's side and gives up by itself.
"""

from typing import Any

import psycopg
from psycopg import errors

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 10
DEADLINE_SECONDS = 12.0


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection whose every round trip ends after `deadline` seconds with OperationalError."""

    deadline: float = DEADLINE_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, self.deadline if timeout is None else timeout)
        except errors._WaitTimeout:
            # The state of the conversation is unknown: never reuse this connection.
            self.pgconn.finish()
            raise psycopg.OperationalError("the database did not answer in time") from None
