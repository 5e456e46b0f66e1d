"""What the staff type, checked. No form names a person or a memory: these come from the session and the URL."""

import unicodedata
from collections.abc import Collection
from typing import Any, Literal, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from memoryportal.accounts.roles import PRIVACY, SUPPORT
from memoryportal.accounts.staff import Category
from memoryportal.accounts.subjects import OwnSubject
from memoryportal.erasure.models import Erasure
from memoryportal.memory import BadQuery
from memoryportal.memory.checks import MAX_QUERY, check_query

from .models import MIN_REASON, MINUTES, Kind
from .people import Person
from .present import id_label
from .target import ids_of

By = Literal["meaning", "word"]
KINDS = {SUPPORT: Kind.SUPPORT, PRIVACY: Kind.REQUEST}  # in this order: the first is the one that is marked
_ROLE_WORDS = {SUPPORT: "Support: for a case", PRIVACY: "Privacy: for a deletion request"}
EXACT = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
PLAIN = RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9#._/-]*\Z", "Use letters, digits and # . _ / - only.")


class ReasonField(forms.CharField):
    """Why (or how), in the words of the member of the staff. The trail keeps it, and it goes to nobody else."""

    def __init__(self, label: str, help_text: str, asks: str = "Say why") -> None:
        self.too_short = f"{asks}, in at least {MIN_REASON} characters."
        super().__init__(
            label=label,
            help_text=help_text,
            max_length=500,
            widget=forms.Textarea(attrs={"rows": 3}),
            error_messages={"required": self.too_short},
        )

    def clean(self, value: Any) -> str:
        reason = "".join(letter for letter in super().clean(value) if not _invisible(letter)).strip()
        if len(reason) < MIN_REASON:
            raise ValidationError(self.too_short)
        return reason


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cf", "Cc", "Co", "Cn") and letter not in "\r\n\t"


class FindForm(forms.Form):
    words = forms.CharField(
        label="E-mail address, id or reference",
        help_text="Exactly as the person gave it to you. There is no search for something similar.",
        max_length=254,
        widget=forms.TextInput(attrs=EXACT),
        error_messages={"required": "Write what to look for."},
    )


class OpenForm(forms.Form):
    """Why, for how long, in which role, and under which of the person's ids. Whom it is about, the session says
    (target.py). The role is a choice only for whoever holds both; the one of support is marked.
    """

    role = forms.ChoiceField(
        label="In which role",
        help_text="The person and the auditors read it.",
        required=False,
        initial=SUPPORT,
        widget=forms.RadioSelect,
    )
    under = forms.ChoiceField(label="Which of their ids", required=False, widget=forms.RadioSelect)
    category = forms.ChoiceField(
        label="What it is about",
        help_text="The person reads these words.",
        choices=Category.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what it is about."},
    )
    ticket = forms.CharField(
        label="Case number",
        help_text="Of the ticket in which the person asked. The person reads it.",
        max_length=40,
        validators=[PLAIN],
        widget=forms.TextInput(attrs={**EXACT, "class": "input-short"}),
        error_messages={"required": "Write the case number."},
    )
    reason = ReasonField("Why you need to look", "For the auditors. Leave out what the person told you in confidence.")
    minutes = forms.TypedChoiceField(
        label="For how long",
        coerce=int,
        choices=[(minutes, f"{minutes} minutes") for minutes in MINUTES],
        initial=MINUTES[0],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose for how long."},
    )

    def __init__(self, data: Any = None, *, person: Person, roles: Collection[str], reference: str = "") -> None:
        super().__init__(data)
        self.person = person
        if PRIVACY in roles:  # the case of support is in another system
            self.fields["ticket"].initial = reference
        self.roles = [role for role in KINDS if role in roles]
        self._offer(ids_of(person))
        self._offer_roles()

    def _offer_roles(self) -> None:
        ticket = self.fields["ticket"]
        if len(self.roles) > 1:
            cast(forms.ChoiceField, self.fields["role"]).choices = [(role, _ROLE_WORDS[role]) for role in self.roles]
            ticket.label = "Case number, or reference of the deletion request"
            ticket.help_text = "The person reads it. A reference looks like MP-7K3Q-92XA."
            return
        del self.fields["role"]
        if self.roles == [PRIVACY]:
            ticket.label, ticket.help_text = "Reference of the deletion request", "Such as MP-7K3Q-92XA."

    @property
    def kind(self) -> Kind:
        """Which rules the access follows: those of the role that was chosen."""
        return KINDS[self.cleaned_data.get("role") or self.roles[0]]

    def _offer(self, ids: list[OwnSubject]) -> None:
        """A choice only where there is one. The id that was found is the one that is marked."""
        if len(ids) < 2:
            del self.fields["under"]
            return
        under = cast(forms.ChoiceField, self.fields["under"])
        under.choices = [(own.key, id_label(own)) for own in ids]
        under.initial = next((own.key for own in ids if own.subject == self.person.subject), ids[0].key)

    def clean_ticket(self) -> str:
        """Privacy works on deletion requests, so theirs has to exist, and be about this person."""
        ticket: str = self.cleaned_data["ticket"]
        if self.kind != Kind.REQUEST:
            return ticket
        subjects = {str(self.person.subject), *(str(own.subject) for own in ids_of(self.person))}
        if not Erasure.objects.filter(reference=ticket.upper(), subjects__overlap=sorted(subjects)).exists():
            raise ValidationError("This person has no deletion request with this reference.")
        return ticket.upper()

    @property
    def why(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("category", "ticket", "reason")}


class SearchForm(forms.Form):
    """Words to search for. They travel in a POST body only, and are kept nowhere."""

    q = forms.CharField(label="Search their memories", required=False, strip=False)
    by = forms.CharField(required=False)
    max_words = MAX_QUERY

    def clean_q(self) -> str:
        try:
            return check_query(self.cleaned_data["q"])
        except BadQuery as error:
            raise ValidationError(str(error)) from None

    @property
    def chosen(self) -> By:
        return "word" if self.data.get("by") == "word" else "meaning"


class DeleteForm(forms.Form):
    reason = ReasonField("Why it is to be deleted", "For the auditors.")


class HandOverForm(forms.Form):
    reason = ReasonField(
        "How the person asked for it", "For the colleagues who decide, and for the auditors.", "Say how"
    )
