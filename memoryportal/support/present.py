"""What the staff read: a person without their address, a memory without its text, the time that is left."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import dateformat, timezone

from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import ISSUED, OwnSubject
from memoryportal.memory import Hits, Item

from .masking import Masked
from .models import MAX_SEARCHES, AccessGrant, How

_ENDED = {
    How.BY_ITSELF: "its time was over",
    How.BY_HAND: "you ended it",
    How.ROLE: "the role was taken away",
    How.REQUEST: "the deletion request that it was for has ended",
    How.OWNER: "it would be somebody else’s by now, or the person works for us",
}


def day(value: datetime | None) -> str:
    return dateformat.format(timezone.localtime(value), "j F Y") if value else "date unknown"


def moment(value: datetime) -> str:
    """Such as "3 May 2026, 14:02", in the zone of the member of the staff."""
    return dateformat.format(timezone.localtime(value), "j F Y, H:i")


def who(account: User | None) -> str:
    """The person as far as somebody needs it who knows the address already, such as "a…@example.com"."""
    if account is None:
        return "somebody without an account here"
    return masked_address(account.email)


def masked_address(address: str) -> str:
    name, _, host = address.rpartition("@")
    return f"{name[:1]}…@{host}"


def id_label(own: OwnSubject) -> str:
    if own.key == ISSUED:
        return "the id that this portal gave them"
    return f"an assistant's id{f' ({own.issuer})' if own.issuer else ''}, connected on {day(own.since)}"


@dataclass(frozen=True, slots=True)
class Row:
    """A memory in the staff's list. `text` is None while it is hidden; then `length` is one of four words."""

    id: str
    when: str
    iso: str
    agent: str | None
    length: str
    text: str | None


def hidden(memory: Masked) -> Row:
    return Row(memory.id, day(memory.created), _iso(memory.created), memory.agent, memory.length, None)


def opened(item: Item) -> Row:
    return Row(item.id, day(item.created), _iso(item.created), item.agent, "", item.text)


def _iso(value: datetime | None) -> str:
    return timezone.localtime(value).date().isoformat() if value else ""


@dataclass(frozen=True, slots=True)
class ShownGrant:
    """A grant as its member of the staff sees it. `seconds` until it ends; 0 when it has ended."""

    id: str
    reference: str
    ticket: str
    category: str
    who: str
    opened: str
    until: str
    seconds: int
    left: str
    ended: str
    revealed: int
    searches: int


def shown(grant: AccessGrant) -> ShownGrant:
    seconds = grant.seconds_left()
    return ShownGrant(
        id=str(grant.pk),
        reference=grant.reference,
        ticket=grant.ticket,
        category=grant.get_category_display(),
        who=who(grant.person),
        opened=moment(grant.opened_at),
        until=dateformat.format(timezone.localtime(grant.ended_at or grant.ends_at), "H:i"),
        seconds=seconds,
        left=time_left(seconds),
        ended=_ended(grant) if not seconds else "",
        revealed=grant.revealed,
        searches=MAX_SEARCHES - grant.searches,
    )


def time_left(seconds: int) -> str:
    """Such as "15 minutes left": minutes that have begun count whole, as in static/js/timeleft.js."""
    if seconds < 60:
        return "Less than a minute left"
    minutes = -(-seconds // 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'} left"


def _ended(grant: AccessGrant) -> str:
    """Why, such as "you ended it". The worker has not always been there yet."""
    return _ENDED[How(grant.ended_how)] if grant.ended_how else _ENDED[How.BY_ITSELF]


def results_sentence(hits: Hits) -> str:
    number = len(hits.hits)
    if hits.more:
        return f"The first {number} results; there are more"
    return f"{number} result{'' if number == 1 else 's'}"
