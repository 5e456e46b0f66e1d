"""Which answers an operation has: its own, and a problem for every status that the gateway refuses with."""

from types import UnionType
from typing import Any

from .problems import STATUSES
from .schemas import ProblemDetails


def answers(status: int, model: type | UnionType) -> dict[int, Any]:
    """ninja's `response` of one operation."""
    return {status: model, **dict.fromkeys(STATUSES, ProblemDetails)}
