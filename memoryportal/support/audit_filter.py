"""What an auditor looks for. It is posted and kept in the session: no URL and no log names a person."""

import secrets
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils import dateformat, timezone

from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import Pseudonym, known_pseudonyms
from memoryportal.audit.reading import Wanted
from memoryportal.memory import InvalidSubject, SubjectId

from .guard import StaffRequest
from .models import AccessGrant

_KEPT = "audit_filters"
MOST_KEPT = 10
NAMES = ("operator", "system", "anonymous")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
_EXACT = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class DayField(forms.DateField):
    def __init__(self, label: str) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        super().__init__(label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget)

    def clean(self, value: Any) -> date | None:
        day: date | None = super().clean(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError("Enter a day of this century.")
        return day


class FilterForm(forms.Form):
    """Every field says exactly what is looked for; nothing here finds something similar."""

    since = DayField("From")
    until = DayField("Until")
    actor = forms.CharField(
        label="Who did it: e-mail or number", required=False, max_length=254, widget=forms.TextInput(attrs=_EXACT)
    )
    action = forms.ChoiceField(label="What was done", required=False, choices=[("", "Anything"), *Action.choices])
    person = forms.CharField(
        label="Whose data: e-mail or id", required=False, max_length=254, widget=forms.TextInput(attrs=_EXACT)
    )
    grant = forms.CharField(
        label="Grant: reference or id", required=False, max_length=36, widget=forms.TextInput(attrs=_EXACT)
    )

    def clean_actor(self) -> str:
        typed: str = self.cleaned_data["actor"]
        if "@" not in typed:
            if typed and not typed.isdecimal() and typed not in NAMES:
                raise ValidationError(f"Enter an e-mail address, the number of an account, or {', '.join(NAMES)}.")
            return typed
        account = User.objects.filter(email=typed.lower()).first()
        if account is None:
            raise ValidationError("No account has this e-mail address.")
        return str(account.pk)

    def clean_person(self) -> list[Pseudonym] | None:
        """The person's names in the trail; none of them where no event names somebody."""
        typed: str = self.cleaned_data["person"]
        if not typed:
            return None
        try:
            name = Pseudonym(typed)
        except ValueError:
            return known_pseudonyms(_subjects(typed))
        return [name] if Event.objects.filter(subject=name).exists() else []

    def clean_grant(self) -> str:
        typed: str = self.cleaned_data["grant"]
        if typed.upper().startswith("MP-"):
            found = AccessGrant.objects.filter(reference=typed.upper()).values_list("pk", flat=True).first()
            if found is None:
                raise ValidationError("No grant has this reference.")
            return str(found)
        try:
            return str(UUID(typed)) if typed else ""
        except ValueError:
            raise ValidationError("Enter a grant's reference or id.") from None

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("since") and given.get("until") and given["since"] > given["until"]:
            self.add_error("until", "This day is before the day in “From”.")
        return given

    def wanted(self) -> Wanted:
        given = self.cleaned_data
        return Wanted(
            since=_midnight(given["since"]),
            until=_midnight(given["until"], days=1),
            actor=given["actor"],
            action=given["action"],
            people=given["person"],
            grant=given["grant"],
        )


def _subjects(typed: str) -> list[SubjectId]:
    """All ids of the account with this address, or the one id that was typed."""
    account = User.objects.filter(email=typed.lower()).first() if "@" in typed else None
    account = account or User.objects.filter(subject=typed).first()
    if account is not None:
        return own_subjects(account)
    try:
        return [SubjectId(typed)]
    except InvalidSubject:
        return []


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=days), time.min, tzinfo=timezone.get_current_timezone())


# --- kept in the session ---------------------------------------------------------------------------------------------


def keep(request: StaffRequest, wanted: Wanted) -> str:
    """A short key under which this session finds the filter again; in a URL it says nothing to anybody else."""
    kept: dict[str, dict[str, Any]] = request.session.get(_KEPT, {})
    key = secrets.token_urlsafe(6)
    kept[key] = {
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": wanted.until.isoformat() if wanted.until else None,
        "actor": wanted.actor,
        "action": wanted.action,
        "people": wanted.people,
        "grant": wanted.grant,
    }
    request.session[_KEPT] = dict(list(kept.items())[-MOST_KEPT:])
    return key


def kept(request: StaffRequest, key: str) -> Wanted | None:
    """The filter of this key; everything without a key, None for a key that this session does not know."""
    if not key:
        return Wanted()
    found = request.session.get(_KEPT, {}).get(key)
    if found is None:
        return None
    return Wanted(
        since=_moment(found["since"]),
        until=_moment(found["until"]),
        actor=found["actor"],
        action=found["action"],
        people=None if found["people"] is None else [Pseudonym(name) for name in found["people"]],
        grant=found["grant"],
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def in_words(wanted: Wanted) -> list[str]:
    """What a list is narrowed to, a few words each."""
    words = []
    if wanted.since:
        words.append(f"from {_day(wanted.since)}")
    if wanted.until:
        words.append(f"until {_day(wanted.until - timedelta(seconds=1))}")
    if wanted.actor:
        words.append(f"done by {wanted.actor if wanted.actor in NAMES else f'account {wanted.actor}'}")
    if wanted.action:
        words.append(f"“{Action(wanted.action).label}”")
    if wanted.people is not None:
        names = ", ".join(name[:8] for name in wanted.people)
        words.append(f"about {names or 'somebody whom no event names'}")
    if wanted.grant:
        words.append("under one grant")
    return words


def _day(moment: datetime) -> str:
    return dateformat.format(moment, "j F Y")
