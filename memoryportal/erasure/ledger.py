"""(placeholder until the ledger is written)"""

from typing import Any


class LedgerUnavailable(Exception):
    status_code = 503


def append(kind: str, erasure: Any, state: str) -> None: ...
def mark(erasure: Any) -> None: ...
