"""Which deletion request lets privacy look: an open one that is not the doing of the same officer alone."""

from typing import TYPE_CHECKING

from memoryportal.erasure.decisions import worked_on
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.moves import needs_second

if TYPE_CHECKING:
    from memoryportal.accounts.models import User


def why_not(erasure: Erasure, officer: "User") -> str:
    """A sentence for the officer, or '' when they may open access for this request."""
    if erasure.is_terminal:
        return "This request has ended: there is nothing left to look for."
    if erasure.identified_at is None and erasure.filed_by_id is None:
        return "Nobody has shown yet who asks: check that first."
    if worked_on(erasure, officer) and not _somebody_else_stands_behind(erasure, officer):
        return "You worked on this request yourself, so a second person has to approve it before you look."
    return ""


def _somebody_else_stands_behind(erasure: Erasure, officer: "User") -> bool:
    """The person, who showed that they ask for exactly this; or a colleague, who approved it."""
    if erasure.approved_at is not None:
        return erasure.approved_by_id not in (None, officer.pk)
    return not needs_second(erasure)
