"""What privacy can do with a deletion request: the words of each page, its form, and the act behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from memoryportal.accounts.models import User
from memoryportal.erasure import decisions
from memoryportal.erasure.clocks import Clock
from memoryportal.erasure.letters import address_of
from memoryportal.erasure.models import Erasure, Scope, office_day
from memoryportal.erasure.moves import grace_of
from memoryportal.erasure.states import State
from memoryportal.memory.places import PLACES

from .forms import ReasonField
from .request_words import date_words

Words = Callable[[Erasure], list[str]]
FAR = timedelta(days=3650)


class NoWordsForm(forms.Form):
    """A page whose button says it all."""


class CheckForm(forms.Form):
    reason = ReasonField(
        "How you checked who asks", "Such as a call back. Keep no copy of a document: say that you saw it.", "Say how"
    )


class GroundForm(forms.Form):
    reason = ReasonField("The ground", "The person reads it, in these words.")


class ExtendForm(forms.Form):
    reason = ReasonField("Why it takes longer", "The person reads it, in these words.")


class HoldForm(GroundForm):
    until = forms.DateField(
        label="Until",
        help_text="On this day it goes on by itself, unless somebody has held it for longer.",
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": "input-short"}),
        error_messages={"required": "Say until when."},
    )

    def clean_until(self) -> date:
        until: date = self.cleaned_data["until"]
        if not office_day() < until <= office_day() + FAR:
            raise ValidationError("The hold has to end on a day that is still to come, within ten years.")
        return until


class ReportForm(forms.Form):
    on = forms.DateField(
        label="Emptied on",
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": "input-short"}),
        error_messages={"required": "Say when it was emptied."},
    )
    note = forms.CharField(
        label="Note",
        help_text="How it was done, and who can be asked about it. Leave out whose data it was.",
        max_length=250,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean_on(self) -> date:
        on: date = self.cleaned_data["on"]
        if on > office_day():
            raise ValidationError("This day is still to come.")
        return on


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `name` is that of decisions.actions_for; `do` raises NotNow or Unfit where it cannot be done."""

    name: str
    slug: str
    link: str
    title: str
    button: str
    happens: Words
    done: str
    do: Callable[[UUID, User, dict[str, Any]], object]
    form: type[forms.Form] = NoWordsForm
    danger: bool = False


def tells(erasure: Erasure, by_mail: str) -> str:
    """How the person learns of it."""
    if address_of(erasure):
        return by_mail
    return "No e-mail address is known: tell the person yourself, by letter or telephone."


def _approval(erasure: Erasure) -> list[str]:
    count = len(erasure.subjects)
    ids = f"{count} id{'' if count == 1 else 's'}"
    if erasure.scope == Scope.ASSISTANT:
        what = f"What the assistant “{erasure.agent}” remembers under {ids} is erased. What others remember stays."
    else:
        places = ", ".join(place.label.lower() for place in PLACES.values() if place.keeper is None)
        what = f"Everything that is held under {ids} is erased, in every place: {places}, and what else is kept here."
    account = ["The account goes, too: the person can no longer sign in."] if erasure.scope == Scope.ACCOUNT else []
    told = [tells(erasure, "The person is told by mail when it begins, and where they can take it back.")]
    return [
        what,
        *account,
        "Then every place is read again, and a signed receipt says what was found.",
        _begins(erasure),
        *(told if grace_of(erasure) else []),
        "Once it has begun it cannot be undone by anybody.",
    ]


def _begins(erasure: Erasure) -> str:
    hours = round(grace_of(erasure).total_seconds() / 3600)
    return f"It begins in {hours} hours. Until then it can be taken back." if hours else "It begins at once."


def _extension(erasure: Erasure) -> list[str]:
    clock = erasure.clock()
    later = Clock(clock.received, clock.law, clock.rested, extended=True).due
    return [
        f"It has to be done by {date_words(later)} instead of {date_words(clock.due)}.",
        tells(erasure, "The person is told by mail, with the reason."),
        "The law allows this once.",
    ]


def _identity(erasure: Erasure) -> list[str]:
    return [
        "The request goes on as if the person had confirmed it: their clock no longer rests.",
        "Links that were sent to them stop working.",
        "You can no longer be the one who approves it.",
    ]


def _receipt(erasure: Erasure) -> list[str]:
    until = f" The law asks for it by {date_words(erasure.confirm_by)}." if erasure.confirm_by else ""
    return [
        f"It is noted that you told the person, by letter or telephone, that their request came in.{until}",
        "Nothing is sent by this portal.",
    ]


def _hold(erasure: Erasure) -> list[str]:
    return [
        "Nothing is erased before the day that you give. The clock of the law goes on.",
        tells(erasure, "The person is told by mail, with the ground and the day."),
        "You are noted as the one who looks at it again.",
    ]


def _release(erasure: Erasure) -> list[str]:
    told = "The person is not written to."
    if erasure.approved_at is not None:
        told = tells(erasure, "Where time is left to take it back, the person is told by mail when it begins.")
    return ["The request goes on with what comes next.", told]


ACTS = (
    Act(
        "confirm_receipt", "confirm", "Confirm that it came in…", "Were they told that it came in?", "Yes, they were",
        _receipt, "Noted: they were told that it came in.",
        lambda pk, by, given: decisions.confirm_receipt(pk, by),
    ),
    Act(
        "check_identity", "identity", "Say who asks…", "Do you know who asks?", "Yes, I checked it",
        _identity, "Noted: it is known who asks.",
        lambda pk, by, given: decisions.check_identity(pk, by, given["reason"]), CheckForm,
    ),
    Act(
        "approve", "approve", "Approve it…", "Approve this request as the second person?", "Approve it",
        _approval, "Approved.",
        lambda pk, by, given: decisions.approve(pk, by), danger=True,
    ),
    Act(
        "hold", "hold", "Hold it…", "Put this request on hold?", "Put it on hold",
        _hold, "It is on hold.",
        lambda pk, by, given: decisions.hold(pk, by, given["reason"], given["until"]), HoldForm,
    ),
    Act(
        "release", "release", "End the hold…", "End the hold?", "End the hold",
        _release, "The hold has ended.",
        lambda pk, by, given: decisions.release(pk, by),
    ),
    Act(
        "refuse", "refuse", "Refuse it…", "Refuse this request?", "Refuse it",
        lambda erasure: [
            "Nothing is erased, and the request ends. It cannot be opened again.",
            tells(erasure, "The person is told by mail, with the ground and where they can complain."),
        ],
        "Refused.",
        lambda pk, by, given: decisions.refuse(pk, by, given["reason"]), GroundForm,
    ),
    Act(
        "extend", "extend", "Extend its time…", "Extend the time of this request?", "Extend its time",
        _extension, "Its time was extended.",
        lambda pk, by, given: decisions.extend(pk, by, given["reason"]), ExtendForm,
    ),
    Act(
        "try_again", "again", "Try again…", "Try again?", "Try again",
        lambda _: ["Up to ten more attempts are made, the first one at once.", "What is done stays done."],
        "It is tried again now.",
        lambda pk, by, given: decisions.try_again(pk, by),
    ),
)  # fmt: skip


def why_not(act: Act, erasure: Erasure, by: User) -> str:
    """Why this act cannot be done now by this officer; "" when nothing speaks against it."""
    if act.name in decisions.actions_for(erasure, by):
        return ""
    if decisions.is_about(erasure, by):
        return "This request is about you: somebody else of the privacy team has to work on it."
    if act.name == "approve" and erasure.state == State.APPROVAL:
        if not erasure.subjects:
            return "Nobody has said yet whose data this is about: add the ids first."
        if decisions.worked_on(erasure, by):
            return "You have worked on this request already: a second person has to approve it."
    if act.name == "agree_exception" and erasure.except_at and erasure.except_by_id == by.pk:
        return "You have asked for this yourself: a second person has to agree."
    if act.name == "extend" and not erasure.is_terminal:
        return "The law allows one extension, and only within the first period."
    return f"It is “{erasure.get_state_display().lower()}”: this does not fit any more."


def report(pk: UUID, name: str, by: User, given: dict[str, Any]) -> None:
    """Note that an outside place was emptied, and when. Raises NotNow, Unfit."""
    decisions.report_outside(pk, name, by, f"Emptied on {date_words(given['on'])}. {given['note']}")
