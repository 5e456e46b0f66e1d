"""End a request without a place that can never be read again: what the two officers read and write before that."""

from django import forms

from memoryportal.erasure import excepting
from memoryportal.erasure.models import Erasure, Unread
from memoryportal.memory.places import PLACES

from .forms import ReasonField
from .request_acts import Act, NoWordsForm, tells


class ExceptForm(forms.Form):
    category = forms.ChoiceField(
        label="Why it can never be read again",
        help_text="The receipt says so, in these words.",
        choices=Unread.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose why."},
    )
    reason = ReasonField("What happened to it", "The person reads it, in these words. Leave out whose data it was.")


def _unread(erasure: Erasure) -> list[str]:
    """What the last reading could not read, place by place."""
    return [
        f"Not read: {PLACES[step.place].label if step.place in PLACES else step.place}."
        + (f" {step.problem[:1].upper()}{step.problem[1:]}." if step.problem else "")
        for step in erasure.steps.filter(left=None)
    ]


def _again(erasure: Erasure) -> list[str]:
    return [
        "Everything is gone over once more. What can be read is emptied and read again, twice.",
        "It ends only if that is empty. If a place can be read again by then, it is emptied like the others.",
        "The receipt names each place that was not read, and why. What may still lie there stays.",
        tells(erasure, "The person is told by mail that it ended with exceptions."),
    ]


def _asking(erasure: Erasure) -> list[str]:
    return [*_unread(erasure), "Nothing ends yet: a second person of privacy has to agree. Then:", *_again(erasure)]


def _agreeing(erasure: Erasure) -> list[str]:
    if erasure.except_at is None:
        return _again(erasure)
    why = Unread(erasure.except_category).label
    return [*_unread(erasure), f"Why: {why}. In their words: {erasure.except_reason}", *_again(erasure)]


EXCEPT_ACTS = (
    Act(
        "except_places", "except", "End it without a place…", "Can a place never be read again?", "Ask a second person",
        _asking, "A second person has to agree.",
        lambda pk, by, given: excepting.ask(pk, by, given["category"], given["reason"]), ExceptForm,
    ),
    Act(
        "agree_exception", "agree", "Agree to end it without a place…", "Let it end without a place?", "Agree",
        _agreeing, "Everything is gone over once more now; then it ends.",
        lambda pk, by, given: excepting.agree(pk, by), NoWordsForm, danger=True,
    ),
)  # fmt: skip
