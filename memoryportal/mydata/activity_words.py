"""Events as the person reads them: what was done, by whom, why, and under which case number. Plain words, no alarm."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from memoryportal.accounts.models import User
from memoryportal.accounts.roles import ROLES
from memoryportal.accounts.staff import Category, pseudonym_of_staff
from memoryportal.accounts.subjects import PERSON
from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event
from memoryportal.memory.places import PLACES

from . import present

_FACTORS = {"totp": "an authenticator app", "webauthn": "a passkey"}
_ENDED = {
    "other": "ended another of your sessions",
    "others": "ended your other sessions",
    "all": "ended all your sessions",
}
_BY = {
    "system": "By this portal, by itself",
    "operator": "By the people who run this portal",
    "assistant": "By an assistant",
    "host": "By the application that uses your memories",
}
_DEPARTMENTS = {"support": "Support", "privacy": "The privacy team", "auditor": "The auditor"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the page. `department` is empty unless the staff acted; `name` is then their pseudonym.

    `times` is how often the same was done in a row, `since` when the first time was.
    """

    what: str
    when: str
    iso: str
    by: str
    department: str
    name: str
    why: str
    case: str
    reference: str
    times: int = 1
    since: str = ""


def in_words(events: Iterable[Event], user: User, openings: dict[str, Event]) -> list[Entry]:
    """Entries in the order of the events. What was asked for and then done is one entry."""
    shown = list(events)
    ended = {(event.request_id, event.actor) for event in shown if _is_end(event)}
    kept = [event for event in shown if not (_is_asked(event) and (event.request_id, event.actor) in ended)]
    rows = [list(row) for _, row in groupby(kept, key=_in_a_row)]
    return [_row(row, user, openings.get(row[0].grant)) for row in rows]


def _in_a_row(event: Event) -> tuple[object, ...]:
    """Equal for events that make one entry together: every page that the staff opened is one event."""
    if event.action == Action.MEMORY_LISTED and event.role in ROLES:
        return (event.action, event.actor, event.grant)
    alone = event.action not in (Action.TRAIL_READ, Action.REQUEST_OPENED) or event.role not in ROLES
    return (event.seq,) if alone else (event.action, event.actor)


def _row(events: list[Event], user: User, opening: Event | None) -> Entry:
    entry = _entry(events[0], user, opening)
    return entry if len(events) == 1 else replace(entry, times=len(events), since=present.moment(events[-1].at))


def _is_asked(event: Event) -> bool:
    return event.action.endswith("-asked") and bool(event.request_id)


def _is_end(event: Event) -> bool:
    return event.action in _ENDS


def _entry(event: Event, user: User, opening: Event | None) -> Entry:
    staff = event.role in ROLES
    why = opening.details.get("category", "") if opening else ""
    return Entry(
        what=_what(event, user),
        when=present.moment(event.at),
        iso=event.at.isoformat(),
        by=_by(event, user),
        department=_DEPARTMENTS.get(event.role, ""),
        name=pseudonym_of_staff(event.actor) if staff else "",
        why=str(Category(why).label) if why in Category.values else "",
        case=opening.object.removeprefix("ticket:") if opening else "",
        reference=event.object if event.object.startswith("MP-") else "",
    )


def _by(event: Event, user: User) -> str:
    """Who acted, where it was neither the person nor the staff."""
    if _is_own(event, user) or event.role in ROLES:
        return ""
    if event.role == PERSON:
        return "From another account that this id was connected to"
    if event.role == "admin":
        return f"By an administrator, {pseudonym_of_staff(event.actor)}"
    return _BY.get(event.role, "")


def _is_own(event: Event, user: User) -> bool:
    return event.role == PERSON and event.actor == str(user.pk)


def _what(event: Event, user: User) -> str:
    if event.action not in Action.values:  # a newer release wrote it
        return "Something for which this page has no words yet"
    action, details = Action(event.action), event.details
    if event.role in ROLES and action in _STAFF:
        return _STAFF[action](details)
    if action not in _WORDS:
        return str(action.label)
    own, other = _WORDS[action]
    return own(details) if _is_own(event, user) else other(details)


# --- the words -------------------------------------------------------------------------------------------------------

Words = Callable[[dict[str, Any]], str]


def _always(text: str) -> Words:
    return lambda _: text


def _pair(own: str, other: str) -> tuple[Words, Words]:
    return _always(own), _always(other)


_NOT_NEEDED = {
    "replaced": "An earlier deletion request ended: a newer one, which was confirmed, took its place",
    "duplicate": "A second deletion request for the same ended: the first one goes on",
}


def _unless_replaced(words: str) -> Words:
    return lambda details: _NOT_NEEDED.get(str(details.get("kind")), words)


def _counts(details: dict[str, Any]) -> str:
    """Such as "3 memories, 4 entries in their history"; what was not counted is "memories"."""
    counts = {place: details[place] for place in PLACES if details.get(place)}
    return present.counts_in_words(counts) or "memories"


def _number(details: dict[str, Any]) -> str:
    count = details.get("count", details.get("hits", len(details.get("ids", ()))))
    return present.counted(count, "memory", "memories") if isinstance(count, int) else "memories"


def _wanted(details: dict[str, Any]) -> str:
    number = details.get("expected", len(details.get("ids", ())) or details.get("count", 1))
    return present.counted(number, "memory", "memories") if isinstance(number, int) else "memories"


def _factor(details: dict[str, Any]) -> str:
    return _FACTORS.get(str(details.get("kind")), "a second factor")


def _session_ended(details: dict[str, Any]) -> str:
    return f"You {_ENDED.get(str(details.get('kind')), 'signed out')}"


def _sessions_ended(details: dict[str, Any]) -> str:
    return "All your sessions were ended" if details.get("kind") == "all" else "You were signed out"


_EVERYTHING = "everything"
_SCOPES = {"assistant": "what one assistant remembered", "account": "everything, with the account"}


def _erased(details: dict[str, Any]) -> str:
    counts = {place: details[place] for place in PLACES if details.get(place)}
    rest = f": {present.counts_in_words(counts)}" if counts else ": nothing was held"
    left = details.get("left")
    return f"{_to_be_erased(details).capitalize()} was erased{rest}" + (f"; {left} could not be" if left else "")


def _to_be_erased(details: dict[str, Any]) -> str:
    return _SCOPES.get(str(details.get("form")), _EVERYTHING)


def _code_refused(details: dict[str, Any]) -> str:
    password = details.get("method") == "password"
    return "Somebody gave a wrong password" if password else "Somebody knew your password and gave a wrong code"


def _not_learned(details: dict[str, Any]) -> str:
    count = details.get("count")
    wordings = present.counted(count, "wording", "wordings") if isinstance(count, int) else "Wordings"
    return f"{wordings} that you never want learned again came up and {'was' if count == 1 else 'were'} not stored"


def _deleted(details: dict[str, Any]) -> str:
    stopped = details.get("stopped")
    never = f", never to learn {present.counted(stopped, 'wording', 'wordings')} again" if stopped else ""
    return f"{_counts(details)}{never}"


# (what the person reads of their own act, what they read when somebody or something else did it)
_WORDS: dict[Action, tuple[Words, Words]] = {
    Action.SESSION_BEGUN: _pair("You signed in", "Somebody signed in"),
    Action.SESSION_ENDED: (_session_ended, _sessions_ended),
    Action.SESSION_REFUSED: (_always("You were asked who you are, and the answer was wrong"), _code_refused),
    Action.SESSION_CONFIRMED: _pair("You confirmed that it is you", "Somebody confirmed who they are"),
    Action.ACCESS_DENIED: _pair("You asked for a page that your account may not see", "Was refused a page"),
    Action.FACTOR_ADDED: (lambda d: f"You added {_factor(d)}", lambda d: f"{_factor(d).capitalize()} was added"),
    Action.FACTOR_REMOVED: (lambda d: f"You removed {_factor(d)}", lambda d: f"{_factor(d).capitalize()} was removed"),
    Action.FACTOR_RESET: _pair("You got new recovery codes", "New recovery codes were made"),
    Action.PASSWORD_CHANGED: _pair("You changed your password", "Your password was set anew, with a link from a mail"),
    Action.ADDRESS_CHANGED: _pair("You changed your e-mail address", "Your e-mail address was changed"),
    Action.ROLE_ASKED: _pair("You asked for a role", "A role was asked for, for you"),
    Action.ROLE_REFUSED: _pair("A role was not given", "A role was not given to you"),
    Action.ROLE_GRANTED: _pair("You were given a role", "You were given a role"),
    Action.ROLE_REVOKED: _pair("A role of yours was taken away", "A role of yours was taken away"),
    Action.ACCOUNT_CHANGED: _pair("You changed your account", "Your account was changed"),
    Action.LINK_ASKED: _pair(
        "You asked for an assistant’s id to be connected", "An id was asked to be connected to you"
    ),
    Action.LINK_MADE: _pair("You connected an assistant’s id", "An assistant’s id was connected to your account"),
    Action.LINK_REMOVED: _pair("You disconnected an assistant’s id", "An assistant’s id was disconnected from you"),
    Action.LINK_REFUSED: _pair("An id could not be connected to you", "An id could not be connected to you"),
    Action.MEMORY_CORRECT_ASKED: _pair("You asked to correct a memory", "A correction of a memory was asked for"),
    Action.MEMORY_CORRECTED: _pair("You corrected a memory", "A memory was corrected"),
    Action.MEMORY_CORRECT_FAILED: _pair("Your correction was not saved", "A correction was not saved"),
    Action.MEMORY_PURGE_ASKED: _pair(
        "You asked to remove an earlier wording", "Removal of an earlier wording was asked for"
    ),
    Action.MEMORY_PURGED: _pair("You removed an earlier wording", "An earlier wording was removed"),
    Action.MEMORY_PURGE_FAILED: _pair("An earlier wording was not removed", "An earlier wording was not removed"),
    Action.MEMORY_DELETE_ASKED: (
        lambda d: f"You asked to delete {_wanted(d)}",
        lambda d: f"Deletion of {_wanted(d)} was asked for",
    ),
    Action.MEMORY_DELETED: (lambda d: f"You deleted {_deleted(d)}", lambda d: f"Deleted: {_deleted(d)}"),
    Action.MEMORY_DELETE_FAILED: _pair("Nothing was deleted", "Nothing was deleted"),
    Action.MEMORY_MOVE_ASKED: _pair(
        "You asked to bring memories under this id", "It was asked to bring memories of another spelling under this id"
    ),
    Action.MEMORY_MOVED: _pair(
        "You brought memories under this id", "Memories of another spelling were brought under this id"
    ),
    Action.SETTING_ASKED: _pair(
        "You asked to switch what assistants may do", "It was asked to switch what assistants may do"
    ),
    Action.SETTING_FAILED: _pair("Nothing was switched", "Nothing was switched"),
    Action.MEMORY_PAUSED: _pair("You paused remembering", "Remembering was paused"),
    Action.MEMORY_RESUMED: _pair("You let assistants remember again", "Assistants may remember again"),
    Action.USE_RESTRICTED: _pair(
        "You kept assistants from using your memories", "Assistants may no longer use your memories"
    ),
    Action.USE_ALLOWED: _pair("You let assistants use your memories again", "Assistants may use your memories again"),
    Action.WORDING_REFUSED: (_not_learned, _not_learned),
    Action.WORDING_ALLOWED: _pair("You let stopped wordings be learned again", "Stopped wordings may be learned again"),
    Action.EXPORT_ASKED: (
        lambda d: f"You took everything with you ({str(d.get('form', 'file')).upper()})",
        _always("Everything was taken away as a file"),
    ),
    Action.ERASURE_ASKED: (
        lambda d: f"You asked to erase {_to_be_erased(d)}",
        lambda d: f"It was asked to erase {_to_be_erased(d)}",
    ),
    Action.ERASURE_DONE: (_erased, _erased),
    Action.ERASURE_FAILED: _pair(
        "The erasure was delayed and goes on later", "The erasure was delayed and goes on later"
    ),
    Action.ERASURE_BEGUN: _pair("Your erasure began", "An erasure began"),
    Action.ERASURE_WATCHED: _pair(
        "Everything was erased; the portal looks again later", "Everything was erased; the portal looks again later"
    ),
    Action.ERASURE_REPLAYED: _pair(
        "A backup was restored, and what you had erased was erased again",
        "A backup was restored, and what had been erased was erased again",
    ),
    Action.REQUEST_FILED: _pair("A deletion request for you came in", "A deletion request for you came in"),
    Action.REQUEST_CANCELLED: (
        _unless_replaced("You took a deletion request back"),
        _unless_replaced("A deletion request was taken back"),
    ),
    Action.REQUEST_UNCONFIRMED: _pair(
        "A deletion request ended, because nobody confirmed it", "A deletion request ended, because nobody confirmed it"
    ),
    Action.REQUEST_RELEASED: _pair("You let a deletion request begin", "A deletion request goes on"),
    Action.REQUEST_SENT_BACK: _pair(
        "Your deletion request waits for a second person: the ids it is about have changed hands",
        "A deletion request waits for a second person: the ids it is about have changed hands",
    ),
    Action.REQUEST_HELD: _pair("Your deletion request is on hold", "A deletion request is on hold"),
    Action.IDENTITY_ASKED: _pair(
        "You were asked by mail whether you want to be forgotten",
        "You were asked by mail whether you want to be forgotten",
    ),
    Action.IDENTITY_PROVEN: _pair(
        "Your deletion request was confirmed by mail", "Your deletion request was confirmed by mail"
    ),
}
_STAFF: dict[Action, Words] = {
    Action.PERSON_FOUND: _always("found your account by its exact e-mail address, id or reference"),
    Action.GRANT_OPENED: lambda d: f"may look at your memories for {d.get('minutes', 'some')} minutes",
    Action.GRANT_REFUSED: _always("asked to look at your memories and was refused"),
    Action.GRANT_ENDED: lambda d: f"can no longer look; read in all: {_number(d)}",
    Action.MEMORY_LISTED: _always("saw when memories were made, with every text hidden"),
    Action.MEMORY_REVEALED: lambda d: f"read {_number(d)}",
    Action.MEMORY_SEARCH_ASKED: _always("asked to search your memories"),
    Action.MEMORY_SEARCHED: lambda d: f"searched your memories and read {_number(d)}",
    Action.MEMORY_DELETE_ASKED: lambda d: f"asked to delete {_wanted(d)} for you",
    Action.MEMORY_DELETED: lambda d: f"deleted for you: {_counts(d)}",
    Action.MEMORY_DELETE_FAILED: _always("could not delete a memory; nothing was deleted"),
    Action.REQUEST_HANDED_OVER: _always("filed your request to delete everything"),
    Action.REQUEST_FILED: _always("wrote a deletion request down for you"),
    Action.REQUEST_OPENED: _always("looked at your deletion request, not at your memories"),
    Action.REQUEST_REVEALED: _always("saw your address and which ids your deletion request is about"),
    Action.REQUEST_CONFIRMED: _always("confirmed to you that your deletion request came in"),
    Action.REQUEST_ATTACHED: _always("noted which ids of assistants your deletion request is about"),
    Action.REQUEST_APPROVED: _always("approved your deletion request"),
    Action.REQUEST_REFUSED: _always("refused your deletion request"),
    Action.REQUEST_CANCELLED: _always("ended a deletion request that was asked for twice"),
    Action.REQUEST_HELD: _always("put your deletion request on hold"),
    Action.REQUEST_RELEASED: _always("let your deletion request go on"),
    Action.REQUEST_EXTENDED: _always("extended the time for your deletion request"),
    Action.IDENTITY_PROVEN: _always("noted how it was shown that you asked for it"),
    Action.EXCEPTION_ASKED: _always("asked that your deletion request ends without a place that cannot be read"),
    Action.EXCEPTION_AGREED: _always("agreed that your deletion request ends without a place that cannot be read"),
    Action.OUTSIDE_REPORTED: _always("reported that a place outside this portal was emptied"),
    Action.TRAIL_READ: _always("looked at this list, not at your memories"),
    Action.TRAIL_EXPORTED: _always("took a copy of this list, without your memories"),
}
_ENDS = {
    *(Action.MEMORY_CORRECTED, Action.MEMORY_CORRECT_FAILED, Action.MEMORY_PURGED, Action.MEMORY_PURGE_FAILED),
    *(Action.MEMORY_DELETED, Action.MEMORY_DELETE_FAILED, Action.MEMORY_SEARCHED),
    *(Action.MEMORY_PAUSED, Action.MEMORY_RESUMED, Action.USE_RESTRICTED, Action.USE_ALLOWED),
    *(Action.WORDING_ALLOWED, Action.SETTING_FAILED),
}
