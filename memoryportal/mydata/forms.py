"""What people type into the pages of their memories, checked. A form names its fields; nothing else is read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, cast
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from memoryportal.accounts.subjects import chosen
from memoryportal.memory import BadQuery, Filters, InvalidSubject, Summary
from memoryportal.memory.checks import MAX_QUERY, check_query, check_text
from memoryportal.memory.scope import Order, check_id

MOST_OFFERED = 200  # names in a list to choose from; somebody may have had thousands of conversations
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)  # outside of these a time zone overflows the calendar
By = Literal["meaning", "word"]
ANOTHER_ID = "You chose another id after you opened that page. Nothing was changed: look again."


class NameField(forms.CharField):
    """The name of an assistant or a conversation, as stored. Never trimmed: a trimmed name is another one's name."""

    widget = forms.Select

    def __init__(self, what: str, **options: Any) -> None:
        super().__init__(required=False, strip=False, **options)
        self.what = what

    def clean(self, value: Any) -> str | None:
        name = super().clean(value)
        if not name:
            return None
        try:
            return check_id(name, self.what)
        except InvalidSubject:
            raise ValidationError(f"This cannot be the name of {self.what}.") from None


class DayField(forms.DateField):
    """A whole day in the person's time zone."""

    def __init__(self, label: str) -> None:
        super().__init__(
            label=label,
            required=False,
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
            error_messages={"invalid": "Enter a day as year-month-day, such as 2026-03-31."},
        )


class FilterForm(forms.Form):
    """Which memories to show."""

    agent = NameField("an assistant", label="Assistant")
    run = NameField("a conversation", label="Conversation")
    since = DayField("From")
    until = DayField("Until")
    order = forms.ChoiceField(
        required=False, choices=[("newest", "Newest first"), ("oldest", "Oldest first")], widget=forms.HiddenInput
    )

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        since, until = given.get("since"), given.get("until")
        if since and until and since > until:
            self.add_error("since", "This day is after the day in “Until”.")
            self.add_error("until", "This day is before the day in “From”.")
        return given

    def offer(self, summary: Summary) -> None:
        """Fill the two lists with what there is, and how much of it."""
        for name, anything, found in (
            ("agent", "Any assistant", summary.agents),
            ("run", "Any conversation", summary.runs),
        ):
            self.fields[name].widget.choices = [("", anything), *self._choices(name, found)]

    def _choices(self, name: str, found: Iterable[tuple[str | None, int]]) -> list[tuple[str, str]]:
        counts = {value: count for value, count in found if value}
        offered = dict(list(counts.items())[:MOST_OFFERED])
        chosen = self.cleaned_data.get(name)
        if chosen and chosen not in offered:
            offered[chosen] = counts.get(chosen, 0)
        return [(value, f"{value} ({count})") for value, count in offered.items()]


@dataclass(frozen=True, slots=True)
class Selection:
    """A read filter: what to ask the store, how to say it in a URL, and what could not be used."""

    form: FilterForm
    filters: Filters
    order: Order
    ignored: list[str] = field(default_factory=list)

    @property
    def query(self) -> dict[str, str]:
        """The filter as fields of a form or of a URL, without the order."""
        given = self.form.cleaned_data
        return {name: str(given[name]) for name in ("agent", "run", "since", "until") if given.get(name)}

    @property
    def active(self) -> int:
        return len(self.query)

    def url(self, *, after: str | None = None, order: Order | None = None) -> str:
        """The list with this filter."""
        order = order or self.order
        parts = {**self.query, **({"order": order} if order != "newest" else {}), **({"after": after} if after else {})}
        return reverse("mydata:list") + (f"?{urlencode(parts)}" if parts else "")

    @property
    def other_order_url(self) -> str:
        return self.url(order="oldest" if self.order == "newest" else "newest")


def read_selection(data: Any) -> Selection:
    """The filter in GET or POST data. What is wrong is left out and named in `ignored`."""
    form = FilterForm(data)
    form.is_valid()
    given = form.cleaned_data
    filters = Filters(
        agent=given.get("agent"),
        run=given.get("run"),
        since=_start_of(given.get("since")),
        until=_start_of(given.get("until"), days=1),
    )
    wrong = {name: " ".join(map(str, errors)) for name, errors in form.errors.items() if name != "order"}
    ignored = [f"{form.fields[name].label}: {errors}" for name, errors in wrong.items()]
    return Selection(form, filters, cast(Order, given.get("order") or "newest"), ignored)


def _start_of(day: date | None, days: int = 0) -> datetime | None:
    """Midnight in the person's zone, `days` later."""
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=days), time.min, tzinfo=timezone.get_current_timezone())


class SearchForm(forms.Form):
    """Words to search for. They travel in a POST body only."""

    q = forms.CharField(label="Search your memories", required=False, strip=False)
    by = forms.CharField(required=False)
    max_words = MAX_QUERY

    def clean_q(self) -> str:
        try:
            return check_query(self.cleaned_data["q"])
        except BadQuery as error:
            raise ValidationError(str(error)) from None

    def clean_by(self) -> By:
        return self.chosen

    @property
    def chosen(self) -> By:
        """How to search, also while the words are wrong; by meaning unless asked otherwise."""
        return "word" if self.data.get("by") == "word" else "meaning"


class EditForm(forms.Form):
    """A corrected text. `version` is the wording that the person was shown."""

    text = forms.CharField(
        label="New wording",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "dir": "auto"}),
        help_text="Your assistants are given this wording from now on.",
    )
    version = forms.CharField(required=False, widget=forms.HiddenInput, max_length=64)

    def clean_text(self) -> str:
        try:
            return check_text(unix_lines(self.cleaned_data["text"]))
        except BadQuery as error:
            raise ValidationError(str(error)) from None


def says_never_again(request: HttpRequest) -> bool:
    """Whether the box “and never learn this again” was ticked on the page of a deletion."""
    return request.POST.get("never_again") == "yes"


def shows_another_id(request: HttpRequest) -> bool:
    """Whether the page of this form was about another one of the person's own ids than the one they look at now.

    In a second tab they may have chosen another id meanwhile. What the form says chooses nothing.
    """
    return request.POST.get("shown", "") not in ("", chosen(request).key)


def unix_lines(text: str) -> str:
    """Browsers send every line end of a text field as CR LF, so an untouched text would look corrected."""
    return text.replace("\r\n", "\n")
