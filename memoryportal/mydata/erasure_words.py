"""An erasure as people read it: its state in words, and place by place what was found, removed and read again."""

from typing import NamedTuple

from memoryportal.erasure.models import Erasure, ErasureStep
from memoryportal.erasure.states import State
from memoryportal.memory.places import PLACES

from . import present

WORDS: dict[str, tuple[str, str]] = {
    State.RECEIVED: ("Asked for", "Your request is written down. Nothing has been removed yet."),
    State.ERASING: ("Erasing", "Everything is being removed now."),
    State.VERIFYING: ("Reading everything again", "Everything was removed. Now each place is read again to be sure."),
    State.COMPLETED: ("Erased", "Everything was removed. Then each place was read again, and each was empty."),
    State.COMPLETED_WITH_EXCEPTIONS: ("Erased, except: {}", "Everything else was removed, read again, and is empty."),
    State.RETRYING: ("Delayed", "A part could not be reached. What is done stays done."),
    State.NEEDS_ATTENTION: (
        "Delayed; what is done stays done",
        "It did not work in several attempts, so a person has to look into it.",
    ),
}
# States that change within seconds. A page that asks again for hours would also keep a forgotten session alive.
_MOVING = {State.RECEIVED, State.ERASING, State.VERIFYING}


class ShownStep(NamedTuple):
    """One place. `look` is the class of the list item; the words say the same."""

    label: str
    words: str
    look: str


class ShownErasure(NamedTuple):
    """`moving`: worth asking again in seconds. `done`: every place was read again and found empty.

    `shut`: the gate is known to be shut, because the engine counts only behind a shut gate. `filed`: somebody on the
    staff wrote it down, and nothing has begun.
    """

    id: str
    reference: str
    state: str
    headline: str
    sentence: str
    shut: bool
    steps: list[ShownStep]
    asked: str
    began: str
    ended: str
    terminal: bool
    moving: bool
    done: bool
    filed: bool


class ListedErasure(NamedTuple):
    """One line of the list of earlier erasures."""

    id: str
    reference: str
    headline: str
    asked: str
    terminal: bool
    filed: bool


def listed(erasure: Erasure) -> ListedErasure:
    headline = erasure.get_state_display()
    asked = present.moment(erasure.asked_at)
    return ListedErasure(str(erasure.id), erasure.reference, headline, asked, erasure.is_terminal, erasure.is_filed)


def shown(erasure: Erasure) -> ShownErasure:
    headline, sentence = WORDS[erasure.state]
    steps = list(erasure.steps.all())
    return ShownErasure(
        id=str(erasure.id),
        reference=erasure.reference,
        state=erasure.state,
        headline=headline.format(", ".join(_label(step).lower() for step in steps if not step.is_empty)),
        sentence=sentence,
        shut=not erasure.is_terminal and any(step.found is not None for step in steps),
        steps=[_step(erasure, step) for step in steps],
        asked=present.moment(erasure.asked_at),
        began=present.moment(erasure.began_at) if erasure.began_at else "",
        ended=present.moment(erasure.ended_at) if erasure.ended_at else "",
        terminal=erasure.is_terminal,
        moving=erasure.state in _MOVING and not erasure.is_filed,
        done=erasure.state == State.COMPLETED,
        filed=erasure.is_filed,
    )


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
        return "Not begun."
    return f"{present.counted(step.found, 'entry', 'entries')} found, {step.removed} removed."


def _read_again(step: ErasureStep) -> str:
    if step.verified_at is None:
        return "" if step.found is None else "Not read again yet."
    when = present.moment(step.verified_at)
    if step.left is None:
        return f"Could not be read again on {when}: {step.problem or 'no reason is known'}."
    left = f"{present.counted(step.left, 'entry', 'entries')} left" if step.left else "empty"
    said = f"Read again on {when}: {left}."
    return f"{said} {step.problem[:1].upper()}{step.problem[1:]}." if step.problem else said
