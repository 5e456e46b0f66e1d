"""One deletion request as the staff read it: what was asked, until when, by whom, about whom, and how far it is."""

from dataclasses import dataclass

from django.utils import timezone

from memoryportal.accounts.models import SubjectLink, User
from memoryportal.erasure.identity import LINKS
from memoryportal.erasure.models import Channel, Erasure, ErasureStep, Identified, OutsidePlace, Unread, office_day
from memoryportal.erasure.states import ERASED, State
from memoryportal.memory.places import PLACES

from .present import day, masked_address, moment, who
from .request_reading import Reader
from .request_words import colleague, date_words, due_in_words, due_look, scope

HIDDEN = "hidden"
_RULES = {
    "gdpr": "GDPR: one calendar month from the day on which it came in; once two months more",
    "ccpa": "CCPA: 45 calendar days from the day on which it came in; once 45 more",
    "both": "GDPR and CCPA: the earlier date counts",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a list. `exact` is for ids and references: they are set in a fixed width."""

    label: str
    words: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """One place, as counts. `look` is the class of the list item; the words say the same."""

    label: str
    words: str
    look: str


@dataclass(frozen=True, slots=True)
class Outside:
    """A place that the portal cannot read. `id` is 0 where there is nothing more to report."""

    name: str
    words: str
    id: int


def due(erasure: Erasure) -> tuple[str, str]:
    """How late or early in words, and the class of the tag for it; nothing for a request that has ended."""
    if erasure.is_terminal or erasure.due is None:
        return "", ""
    until, today = erasure.clock().due, office_day()
    return due_in_words(until, today), due_look(until, today)


# --- what was asked, and until when -----------------------------------------------------------------------------


def asked(erasure: Erasure, reader: Reader) -> list[Fact]:
    by_letter = erasure.channel == Channel.PRIVACY
    by_staff = erasure.channel in (Channel.SUPPORT, Channel.PRIVACY)
    return _facts(
        ("What", scope(erasure)),
        ("Kept", "the list of wordings that may never be stored again" if erasure.keep_never else ""),
        ("How it came in", Channel(erasure.channel).label),
        ("When", date_words(office_day(erasure.asked_at)) if by_letter else moment(erasure.asked_at)),
        ("Case", erasure.ticket),
        ("Written down by", colleague(erasure.filed_by_id, reader.user.pk) if by_staff else ""),
        ("The same as", erasure.duplicate_of.reference if erasure.duplicate_of else ""),
    )


def clock(erasure: Erasure) -> list[Fact]:
    """The dates of the law: what is due when, since when it rests, and the one extension."""
    rests = f"since {date_words(erasure.rests_since)}, while proof of who asks is waited for" if _rests(erasure) else ""
    before = f"{erasure.rested_days} day{'' if erasure.rested_days == 1 else 's'} so far"
    return _facts(
        ("Law", _RULES[erasure.law]),
        ("To be done by", date_words(erasure.clock().due if not erasure.is_terminal else erasure.due)),
        ("The clock rests", rests),
        ("The clock rested", before if erasure.rested_days and erasure.law != "ccpa" else ""),
        ("They were told that it came in", _confirmed(erasure)),
        ("Extended", f"on {day(erasure.extended_at)}: {erasure.extension_reason}" if erasure.extended_at else ""),
        ("On hold until", date_words(erasure.held_until) if erasure.state == State.ON_HOLD else ""),
        ("Ground", erasure.ground),
        ("Ended", moment(erasure.ended_at) if erasure.ended_at else ""),
    )


def _rests(erasure: Erasure) -> bool:
    return erasure.rests_since is not None and erasure.law != "ccpa"


def _confirmed(erasure: Erasure) -> str:
    if erasure.confirmed_at:
        return f"on {day(erasure.confirmed_at)}"
    until = f"; it has to be by {date_words(erasure.confirm_by)}" if erasure.confirm_by else ""
    return "" if erasure.is_terminal else f"not yet{until}"


# --- who asks, and whose data -----------------------------------------------------------------------------------


def who_asks(erasure: Erasure, reader: Reader) -> list[Fact]:
    return _facts(
        ("Account", _account(erasure, reader)),
        ("Address for mails", _address(erasure, reader)),
        ("What they wrote", (erasure.told if reader.sees else HIDDEN) if erasure.told else ""),
        ("How it is known who asks", _identified(erasure, reader)),
        ("How it was checked", erasure.identity_note if reader.is_privacy else ""),
        ("Links by mail", _links(erasure)),
    )


def _account(erasure: Erasure, reader: Reader) -> str:
    if erasure.account is None:
        return "none here, or none that is known"
    if not reader.works:
        return "they have one here"
    return str(erasure.account.email) if reader.sees else who(erasure.account)


def _address(erasure: Erasure, reader: Reader) -> str:
    if not erasure.address:
        return "" if erasure.account or erasure.is_terminal else "none: somebody of us has to tell them"
    if not reader.works:
        return "they gave one"
    return str(erasure.address) if reader.sees else masked_address(erasure.address)


def _identified(erasure: Erasure, reader: Reader) -> str:
    if not erasure.identified_at:
        return "not yet"
    by = f", {colleague(erasure.identified_by_id, reader.user.pk)}" if erasure.identified_by_id else ""
    return f"{Identified(erasure.identified_how).label}{by}, on {moment(erasure.identified_at)}"


def _links(erasure: Erasure) -> str:
    if erasure.state != State.IDENTITY or not (erasure.address or erasure.account):
        return ""
    sent = list(erasure.links.values_list("sent_at", flat=True))
    return f"{len(sent)} of {LINKS} sent, the last on {moment(sent[-1])}" if sent else "the first goes out in a moment"


def whose_data(erasure: Erasure, reader: Reader) -> list[Fact]:
    """The ids, each with whom it belongs to as far as the portal knows; hidden until `reader` sees them."""
    me = reader.user.pk
    found = colleague(erasure.attached_by_id, me) if erasure.attached_by_id else ""
    approved = f"{colleague(erasure.approved_by_id, me)}, on {day(erasure.approved_at)}" if erasure.approved_at else ""
    ids = _ids(erasure) if reader.sees else _facts(("Ids", _hidden(erasure)))
    return [*ids, *_facts(("Found out by", found), ("Approved by", approved))]


def _hidden(erasure: Erasure) -> str:
    count = len(erasure.subjects)
    return f"{count}, {HIDDEN}" if count else "nobody has said yet whose data it is"


def _ids(erasure: Erasure) -> list[Fact]:
    if not erasure.subjects:
        return _facts(("Ids", _hidden(erasure)))
    owned = owners(erasure.subjects)
    return [Fact(owned.get(subject, "An id that no account here has"), subject, True) for subject in erasure.subjects]


def owners(subjects: list[str]) -> dict[str, str]:
    """What the portal knows about these ids; those that no account here has are missing."""
    links = SubjectLink.objects.filter(subject__in=subjects).values_list("subject", "account__email")
    issued = User.objects.filter(subject__in=subjects).values_list("subject", "email")
    connected = {subject: f"Connected to the account {masked_address(email)}" for subject, email in links}
    return connected | {subject: f"Given by this portal to {masked_address(email)}" for subject, email in issued}


# --- how far it is --------------------------------------------------------------------------------------------------


def work(erasure: Erasure) -> list[Fact]:
    """Attempts and the next try. Nothing before it can begin."""
    now, tried = timezone.now(), erasure.attempts
    at_work = erasure.lease_until is not None and erasure.lease_until > now
    later = erasure.next_at if erasure.is_begun and not at_work else None
    return _facts(
        ("Begins", moment(erasure.grace_until) if erasure.state == State.WAITING and erasure.grace_until else ""),
        ("Begun", moment(erasure.began_at) if erasure.began_at else ""),
        ("Attempts", str(tried) if tried and erasure.is_begun else ""),
        ("Next try", moment(later) if later else ""),
        ("Right now", "the portal is at work on it" if at_work else ""),
        ("Looked again", f"{erasure.sweeps} time{'' if erasure.sweeps == 1 else 's'}" if erasure.sweeps else ""),
        ("Search repeated", _searched(erasure) if erasure.is_erased else ""),
    )


def excepted(erasure: Erasure, reader: Reader) -> list[Fact]:
    """What two people let it end without, or one of them has asked for."""
    if erasure.except_at is None:
        return []
    me, agreed_at = reader.user.pk, erasure.except_agreed_at
    agreed = f"{colleague(erasure.except_agreed_by_id, me)}, on {moment(agreed_at)}" if agreed_at else "nobody yet"
    labels = [PLACES[place].label if place in PLACES else place for place in erasure.excepted]
    return _facts(
        ("To end without", ", ".join(labels)),
        ("Why", f"{Unread(erasure.except_category).label}: {erasure.except_reason}"),
        ("Asked for by", f"{colleague(erasure.except_by_id, me)}, on {moment(erasure.except_at)}"),
        ("Agreed by", agreed),
    )


def _searched(erasure: Erasure) -> str:
    if erasure.questions is None:
        return "no: questions are never written down, or there was nothing to ask for"
    return f"{erasure.questions} questions, {erasure.answered} answered by a memory"


def places(erasure: Erasure) -> list[Place]:
    return [
        Place(
            PLACES[step.place].label if step.place in PLACES else step.place,
            _counts(step),
            ("step-done" if step.is_empty else "step-failed") if step.verified_at else "",
        )
        for step in erasure.steps.all()
    ]


def _counts(step: ErasureStep) -> str:
    found, left = step.found, step.left
    problem = f" {step.problem[:1].upper()}{step.problem[1:]}." if step.problem else ""
    if found is None and step.verified_at is None:
        return "Not begun."
    counted = "Not counted" if found is None else f"{found:,} found"
    unread = "not read again yet" if step.verified_at is None else "could not be read again"
    read = unread if left is None else f"{left:,} left when it was read again"
    return f"{counted}, {step.removed:,} removed, {read}.{problem}"


def outside(erasure: Erasure, reader: Reader) -> list[Outside]:
    may = reader.works and (erasure.state in ERASED or not erasure.is_terminal)
    return [
        Outside(place.name, _report(place, reader), 0 if place.reported_at or not may else place.pk)
        for place in erasure.outside.all()
    ]


def _report(place: OutsidePlace, reader: Reader) -> str:
    if place.reported_at is None:
        return "Nobody has reported it as emptied."
    by = colleague(place.reported_by_id, reader.user.pk)
    return f"Reported as emptied by {by} on {day(place.reported_at)}, not verified by us. {place.note}".strip()


def _facts(*pairs: tuple[str, object]) -> list[Fact]:
    """Those that have something to say."""
    return [Fact(label, str(words)) for label, words in pairs if words]
