"""A deletion request as people read it: its state in words, its dates, and what was found and removed in each place."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.utils import timezone

from memoryportal.erasure.clocks import lateness
from memoryportal.erasure.letters import address_of
from memoryportal.erasure.models import Erasure, ErasureStep, OutsidePlace, Scope, Unread, office_day
from memoryportal.erasure.receipts import NOT_REPEATED
from memoryportal.erasure.states import State
from memoryportal.memory.places import PLACES

from . import present

WORDS: dict[str, tuple[str, str]] = {
    State.RECEIVED: ("Asked for", "Your request is written down. Nothing has been removed yet."),
    State.IDENTITY: ("Waiting for proof of who asks", "Nothing is removed before it is known that you asked for this."),
    State.APPROVAL: (
        "Waiting for a second person",
        "Nothing has been removed yet. Our privacy team makes sure whose data this is about: two people have to agree.",
    ),
    State.WAITING: ("Begins soon", "Nothing has been removed yet."),
    State.ERASING: ("Erasing", "Everything is being removed now."),
    State.VERIFYING: ("Reading everything again", "Everything was removed. Now each place is read again to be sure."),
    State.WATCHING: (
        "Erased; being watched",
        "Everything was removed and read again. Other programs may write there, so we look again before it is done.",
    ),
    State.COMPLETED: ("Erased", "Everything was removed. Then each place was read again, and each was empty."),
    State.COMPLETED_WITH_EXCEPTIONS: ("Erased, except: {}", "Everything else was removed, read again, and is empty."),
    State.ON_HOLD: ("On hold by law", "We may not remove this yet. Nothing has been removed."),
    State.RETRYING: ("Delayed", "A part could not be reached. What is done stays done."),
    State.NEEDS_ATTENTION: (
        "Delayed; what is done stays done",
        "It did not work in several attempts, so a person has to look into it.",
    ),
    State.REFUSED: ("Refused", "We do not carry this request out. Nothing was removed."),
    State.CANCELLED: ("Taken back", "This request has ended. Nothing was removed."),
    State.UNCONFIRMED: (
        "Ended: nobody confirmed it",
        "Nobody confirmed within a week that they asked for this, so we cannot know who did. Nothing was removed.",
    ),
}
# States that change within seconds. A page that asks again for hours would also keep a forgotten session alive.
_MOVING = {State.RECEIVED, State.ERASING, State.VERIFYING}


class ShownStep(NamedTuple):
    """One place. `look` is the class of the list item; the words say the same."""

    label: str
    words: str
    look: str


class Row(NamedTuple):
    """A label and what stands beside it; `look` is the class of a tag, empty for plain words."""

    label: str
    words: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class ShownErasure:
    """`moving`: worth asking again in seconds. `done`: every place was read again and found empty.

    `shut`: the gate is known to be shut, because the engine counts only behind a shut gate. `filed`: somebody on the
    staff wrote it down, and nothing has begun. `ground` is that of a refusal, a hold or an end, in its own words.
    """

    id: str
    reference: str
    state: str
    headline: str
    sentence: str
    more: list[str]
    ground: str
    shut: bool
    steps: list[ShownStep]
    rows: list[Row]
    outside: list[Row]
    search: str
    terminal: bool
    erased: bool
    moving: bool
    done: bool
    filed: bool
    begun: bool
    has_receipt: bool
    one_assistant: bool


class ListedErasure(NamedTuple):
    """One line of the list of earlier erasures."""

    id: str
    reference: str
    headline: str
    about: str
    asked: str
    terminal: bool
    filed: bool


def listed(erasure: Erasure) -> ListedErasure:
    return ListedErasure(
        id=str(erasure.id),
        reference=erasure.reference,
        headline=erasure.get_state_display(),
        about=about(erasure),
        asked=present.moment(erasure.asked_at),
        terminal=erasure.is_terminal,
        filed=erasure.is_filed and not erasure.is_terminal,
    )


def about(erasure: Erasure) -> str:
    """What it is to erase, such as "what the assistant “support_bot” remembers"."""
    if erasure.scope == Scope.ASSISTANT:
        return f"what the assistant “{erasure.agent}” remembers"
    return str(Scope(erasure.scope).label)


def shown(erasure: Erasure) -> ShownErasure:
    steps = list(erasure.steps.all())
    return ShownErasure(
        id=str(erasure.id),
        reference=erasure.reference,
        state=erasure.state,
        headline=_headline(erasure, steps),
        sentence=WORDS[erasure.state][1],
        more=[line for line in _more(erasure, steps) if line],
        ground=_ground(erasure),
        shut=erasure.is_begun and any(step.found is not None for step in steps),
        steps=[_step(erasure, step) for step in steps],
        rows=_rows(erasure),
        outside=[_outside(place, erasure) for place in erasure.outside.all()] if _has_begun(erasure) else [],
        search=_search(erasure) if erasure.is_erased else "",
        terminal=erasure.is_terminal,
        erased=erasure.is_erased,
        moving=_is_moving(erasure) and not erasure.is_filed,
        done=erasure.state == State.COMPLETED,
        filed=erasure.is_filed and not erasure.is_terminal,
        begun=erasure.is_begun,
        has_receipt=erasure.receipt is not None,
        one_assistant=erasure.scope == Scope.ASSISTANT,
    )


def _ground(erasure: Erasure) -> str:
    if erasure.state == State.COMPLETED_WITH_EXCEPTIONS:
        return str(erasure.except_reason)
    return str(erasure.ground) if erasure.state in (State.ON_HOLD, State.REFUSED, State.CANCELLED) else ""


def _has_begun(erasure: Erasure) -> bool:
    return erasure.is_begun or erasure.is_erased


def _not_empty(steps: list[ErasureStep]) -> list[ErasureStep]:
    return [step for step in steps if not step.is_empty]


def _headline(erasure: Erasure, steps: list[ErasureStep]) -> str:
    if _has_grace(erasure):
        return f"Begins on {present.moment(erasure.grace_until)}"
    if erasure.state == State.APPROVAL and not erasure.subjects:
        return "We look for what is yours"
    if erasure.state == State.CANCELLED and erasure.ground:
        return "Ended: another request took its place"
    return WORDS[erasure.state][0].format(", ".join(_label(step).lower() for step in _not_empty(steps)))


def _has_grace(erasure: Erasure) -> bool:
    until = erasure.grace_until
    return erasure.state == State.WAITING and until is not None and until > timezone.now()


def _is_moving(erasure: Erasure) -> bool:
    return erasure.state in _MOVING or (erasure.state == State.WAITING and not _has_grace(erasure))


# --- sentences that only some requests need --------------------------------------------------------------------------


def _more(erasure: Erasure, steps: list[ErasureStep]) -> list[str]:
    return [
        _proof(erasure),
        _way_back(erasure),
        _again(erasure),
        _held(erasure),
        _without(erasure, steps),
        _nothing_found(erasure, steps),
    ]


def _proof(erasure: Erasure) -> str:
    if erasure.state != State.IDENTITY:
        return ""
    if address_of(erasure):
        return "We write to the address that was given. The link in that mail opens a page on which you say yes or no."
    return "Our privacy team asks you for it."


def _way_back(erasure: Erasure) -> str:
    return "Until it begins you can take it back." if _has_grace(erasure) else ""


def _again(erasure: Erasure) -> str:
    """When it goes on by itself."""
    if erasure.state == State.RETRYING:
        return f"It is tried again by itself{_at(erasure)}. You need not do anything."
    if erasure.state == State.WATCHING and erasure.next_at:
        return f"We look after ten minutes and after a day; the next time is {present.moment(erasure.next_at)}."
    return ""


def _at(erasure: Erasure) -> str:
    return f", the next time at {present.moment(erasure.next_at)}" if erasure.next_at else ""


def _held(erasure: Erasure) -> str:
    if erasure.state != State.ON_HOLD or erasure.held_until is None:
        return ""
    return f"On {present.day(erasure.held_until)} at the latest we look at it again."


def _without(erasure: Erasure, steps: list[ErasureStep]) -> str:
    """What two people let it end without."""
    unread = [_label(step) for step in steps if step.left is None and step.place in erasure.excepted]
    if erasure.state != State.COMPLETED_WITH_EXCEPTIONS or not unread:
        return ""
    why = Unread(erasure.except_category).label
    return f"{', '.join(unread)}: this was not read, because {why}. Two of our people agreed to end without it."


def _nothing_found(erasure: Erasure, steps: list[ErasureStep]) -> str:
    if not erasure.is_erased or any(step.found for step in steps):
        return ""
    if erasure.scope == Scope.ASSISTANT:
        return (
            f"There was nothing of an assistant named “{erasure.agent}”. If its name is spelled otherwise, ask again."
        )
    return "There was nothing to remove."


def _capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]


# --- dates -----------------------------------------------------------------------------------------------------------


def _rows(erasure: Erasure) -> list[Row]:
    known = [
        ("To be erased", _capitalised(about(erasure))),
        ("Asked for", present.moment(erasure.asked_at)),
        ("Begun", present.moment(erasure.began_at) if erasure.began_at else ""),
        ("Ended", present.moment(erasure.ended_at) if erasure.ended_at else ""),
    ]
    rows = [Row(label, words) for label, words in known if words]
    return rows if erasure.is_terminal else rows + _clock(erasure, office_day())


def _clock(erasure: Erasure, today: date) -> list[Row]:
    """By when the law wants it done, and why that day has moved."""
    clock = erasure.clock(today)
    late = clock.due < today
    rows = [Row("Has to be done by", f"{present.day(clock.due)}, {lateness(clock.due, today)}", "late" if late else "")]
    if erasure.rests_since and erasure.law != "ccpa":
        since = present.day(erasure.rests_since)
        rows.append(Row("The time rests", f"since {since}, while we wait for proof of who asks"))
    if erasure.extended_at:
        words = f"on {present.moment(erasure.extended_at)}. Why: {erasure.extension_reason}"
        rows.append(Row("The time was extended", words))
    return rows


# --- places ----------------------------------------------------------------------------------------------------------


def _step(erasure: Erasure, step: ErasureStep) -> ShownStep:
    if step.verified_at is not None:
        look = "step-done" if step.is_empty else "step-failed"
    else:
        look = "step-running" if erasure.state in _MOVING and step.found is not None else ""
    return ShownStep(_label(step), f"{_removed(step)} {_read_again(step)}".strip(), look)


def _label(step: ErasureStep) -> str:
    return PLACES[step.place].label if step.place in PLACES else step.place


def _removed(step: ErasureStep) -> str:
    if step.found is None:
        return "Not begun." if step.verified_at is None else "Not counted."
    return f"{present.counted(step.found, 'entry', 'entries')} found, {step.removed} removed."


def _read_again(step: ErasureStep) -> str:
    if step.verified_at is None:
        return "" if step.found is None else "Not read again yet."
    when = present.moment(step.verified_at)
    if step.left is None:
        return f"Could not be read again on {when}: {step.problem or 'no reason is known'}."
    left = f"{present.counted(step.left, 'entry', 'entries')} left" if step.left else "empty"
    said = f"Read again on {when}: {left}."
    return f"{said} {_capitalised(step.problem)}." if step.problem else said


def _outside(place: OutsidePlace, erasure: Erasure) -> Row:
    if not place.reported_at:
        return Row(place.name, "Not reported yet.")
    later = ", after the receipt was signed" if erasure.ended_at and place.reported_at > erasure.ended_at else ""
    return Row(place.name, f"Reported on {present.moment(place.reported_at)} as emptied{later}. Not verified by us.")


def _search(erasure: Erasure) -> str:
    if erasure.questions is None or erasure.answered is None:
        return f"The search was not repeated: {NOT_REPEATED}."
    asked = present.counted(erasure.questions, "question", "questions")
    answered = "none of them" if not erasure.answered else f"{erasure.answered} of them"
    return f"We searched again with {asked} taken from what was remembered. Memories answered {answered}."
