"""What was asked, how far it got, and what was found and left in each place. No memory text, ever."""

import secrets
import uuid
from datetime import date, datetime
from typing import cast

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from memoryportal.memory import SubjectId
from memoryportal.memory.scope import MAX_ID_LENGTH

from .clocks import Clock, Law
from .ledger_mark import LedgerMark  # noqa: F401 - Django looks here
from .quotas import RequestQuota  # noqa: F401 - and here
from .states import BEGUN, ERASED, OPEN_BEFORE, TERMINAL, State

# Crockford's alphabet without letters that are read as digits: a reference is read out over the telephone.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference() -> str:
    """A reference such as MP-7K3Q-92XA: 40 random bits, for people; ids are UUIDs."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"MP-{letters[:4]}-{letters[4:]}"


def data_law() -> str:
    return str(settings.DATA_LAW)


def office_day(moment: datetime | None = None) -> date:
    """The day of a moment (or today) in TIME_ZONE: not in the zone of whoever looks, or the law's dates would move."""
    return timezone.localdate(moment, timezone.get_default_timezone())


class Channel(models.TextChoices):
    """How the request came in."""

    SELF = "self", "by the person, signed in"
    FORM = "form", "by the public form"
    SUPPORT = "support", "by support, on a ticket"
    PRIVACY = "privacy", "by the privacy team, from a letter or a mail"
    HOST = "host", "by the application that uses the memories"


class Scope(models.TextChoices):
    """What is to be erased."""

    EVERYTHING = "everything", "everything that is remembered"
    ASSISTANT = "assistant", "what one assistant remembers"
    ACCOUNT = "account", "everything that is remembered, and the account"


class Identified(models.TextChoices):
    """How it was shown that the person asks for themselves."""

    SESSION = "session", "signed in and confirmed"
    MAIL = "mail", "by a link sent to their address"
    OFFICER = "officer", "checked by the privacy team"
    HOST = "host", "vouched for by the application"


class Unread(models.TextChoices):
    """Why a place can never be read again."""

    DECOMMISSIONED = "decommissioned", "it was taken out of service"
    DAMAGED = "damaged", "it is damaged beyond repair"
    HANDED_OVER = "handed-over", "it is no longer in our hands"
    OTHER = "other", "it cannot be used any more"


def _someone(related: str) -> models.ForeignKey:
    return models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name=related)


class Erasure(models.Model):
    """One deletion request. `decisions`, `identity` and `engine` change it; the database refuses every other way.

    `subjects` may be empty until an officer has found out whose ids they are. `due` and `confirm_by` are kept for the
    queue's order and follow from `clock`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=12, unique=True, default=new_reference, editable=False)
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.SELF)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.EVERYTHING)
    agent = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    subjects = ArrayField(models.CharField(max_length=MAX_ID_LENGTH), default=list, blank=True)
    keep_never = models.BooleanField("keep the list of stopped wordings", default=False)
    state = models.CharField(max_length=32, choices=State.choices, default=State.RECEIVED)

    account = _someone("erasures")
    filed_by = _someone("filed_erasures")
    ticket = models.CharField(max_length=40, blank=True)
    address = models.EmailField(blank=True)  # where mails about it go; empty for an account's own
    told = models.CharField(max_length=500, blank=True)  # what the person wrote so that their data can be found
    # Of an account that goes too: noted when it begins, so that whoever takes it up again finds what is left of it.
    account_number = models.BigIntegerField(null=True)
    addresses = ArrayField(models.EmailField(), default=list, blank=True)
    duplicate_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="duplicates")

    law = models.CharField(max_length=4, default=data_law)
    asked_at = models.DateTimeField(default=timezone.now)
    due = models.DateField(null=True)
    confirm_by = models.DateField(null=True)
    confirmed_at = models.DateTimeField(null=True)  # when the receipt of the request was confirmed to the person
    extended_at = models.DateTimeField(null=True)
    extension_reason = models.CharField(max_length=500, blank=True)
    rests_since = models.DateField(null=True)
    rested_days = models.PositiveSmallIntegerField(default=0)

    identified_at = models.DateTimeField(null=True)
    identified_how = models.CharField(max_length=10, choices=Identified.choices, blank=True)
    identified_by = _someone("+")
    identity_note = models.CharField(max_length=500, blank=True)
    attached_by = _someone("+")  # who said which ids are this person's
    attached_at = models.DateTimeField(null=True)
    approved_by = _someone("+")
    approved_at = models.DateTimeField(null=True)
    approved_for = models.CharField(max_length=64, blank=True)  # which accounts held its ids then (whose.fingerprint)
    approval_told_at = models.DateTimeField(null=True)  # when the person was told so, and when it begins
    ground = models.CharField(max_length=500, blank=True)  # of a refusal or a hold
    held_until = models.DateField(null=True)
    held_from = models.CharField(max_length=32, blank=True)
    held_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)  # by an officer: the holds of before do not hold this one any more
    reviewer = _someone("+")

    # Places that can never be read again, and the two people who let it end without them (excepting.py).
    excepted = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    except_category = models.CharField(max_length=20, choices=Unread.choices, blank=True)
    except_reason = models.CharField(max_length=500, blank=True)
    except_by = _someone("+")
    except_at = models.DateTimeField(null=True)
    except_agreed_by = _someone("+")
    except_agreed_at = models.DateTimeField(null=True)

    grace_until = models.DateTimeField(null=True)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    delayed_at = models.DateTimeField(null=True)  # since when it takes longer, and the person was told so
    attempts = models.PositiveIntegerField(default=0)
    sweeps = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)  # before this moment the engine does not take it up
    lease_until = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(default=0)  # goes up with each lease: an older one's holder writes nothing
    questions = models.PositiveSmallIntegerField(null=True)  # null: the search was not repeated
    answered = models.PositiveSmallIntegerField(null=True)
    receipt = models.JSONField(null=True)
    secret = models.CharField(max_length=64, blank=True)  # SHA-256 of the link that shows the state without an account
    secret_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-asked_at"]
        indexes = [
            GinIndex(fields=["subjects"], name="erasure_by_subject"),
            models.Index(fields=["state", "next_at"], name="erasure_by_state"),
            models.Index(fields=["due"], name="erasure_by_due_date"),
            models.Index(
                "ended_at", "reference", condition=models.Q(ended_at__isnull=False), name="erasure_by_its_end"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="erasure_state_is_known"),
            models.CheckConstraint(condition=models.Q(law__in=["gdpr", "ccpa", "both"]), name="erasure_law_is_known"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def subject_ids(self) -> list[SubjectId]:
        return [SubjectId(subject) for subject in self.subjects]

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def is_erased(self) -> bool:
        return self.state in ERASED

    @property
    def is_begun(self) -> bool:
        """Something may be gone already; it can no longer be cancelled."""
        return self.state in BEGUN

    @property
    def is_cancellable(self) -> bool:
        return self.state in OPEN_BEFORE

    @property
    def is_filed(self) -> bool:
        """Written down by somebody else, and not confirmed by the person."""
        return self.channel in (Channel.SUPPORT, Channel.PRIVACY, Channel.HOST) and self.identified_at is None

    def forget_exceptions(self) -> None:
        """What two people agreed on holds for one go of the engine: afterwards it may be about other places."""
        self.excepted, self.except_category, self.except_reason = [], "", ""
        self.except_by = self.except_at = self.except_agreed_by = self.except_agreed_at = None

    def clock(self, today: date | None = None) -> Clock:
        """The dates of the law, as of `today`: a clock that rests has moved its date by the days until now."""
        resting = ((today or office_day()) - self.rests_since).days if self.rests_since else 0
        received = office_day(self.asked_at)
        return Clock(received, cast("Law", self.law), self.rested_days + max(resting, 0), self.extended_at is not None)


class OpenErasure(models.Model):
    """One row for each subject and assistant of a request that has not ended: a second request finds it in its way."""

    erasure = models.ForeignKey(Erasure, on_delete=models.CASCADE, related_name="open_rows")
    subject = models.CharField(max_length=MAX_ID_LENGTH)
    agent = models.CharField(max_length=MAX_ID_LENGTH, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "agent"], name="one_open_erasure_per_subject_and_assistant")
        ]

    def __str__(self) -> str:
        return f"open {self.erasure_id}"


class ErasureStep(models.Model):
    """One place of one erasure. Counts are rows; `left` is None until the place was read again."""

    erasure = models.ForeignKey(Erasure, on_delete=models.CASCADE, related_name="steps")
    order = models.PositiveSmallIntegerField()
    place = models.CharField(max_length=40)
    found = models.PositiveIntegerField(null=True)
    removed = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(null=True)
    problem = models.CharField(max_length=200, blank=True)
    verified_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["order"]
        constraints = [models.UniqueConstraint(fields=["erasure", "place"], name="one_step_per_place")]

    def __str__(self) -> str:
        return f"{self.erasure_id}: {self.place}"

    @property
    def is_empty(self) -> bool:
        """Read again, and nothing was found."""
        return self.left == 0 and not self.problem


class JournalPage(models.Model):
    """Ids of memories that this request removes, written before they are removed: a restart knows them still.

    What is called "erased N" is counted here; places that name a memory but no person (history files of a plain mem0)
    are emptied by these ids. Goes when the request has ended.
    """

    erasure = models.ForeignKey(Erasure, on_delete=models.CASCADE, related_name="journal")
    ids = ArrayField(models.UUIDField())

    def __str__(self) -> str:
        return f"journal of {self.erasure_id}"


class OutsidePlace(models.Model):
    """A place that the portal cannot read; somebody on the staff reports that it was emptied."""

    erasure = models.ForeignKey(Erasure, on_delete=models.CASCADE, related_name="outside")
    name = models.CharField(max_length=80)
    reported_by = _someone("+")
    reported_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["erasure", "name"], name="one_report_per_outside_place")]

    def __str__(self) -> str:
        return self.name


class IdentityLink(models.Model):
    """A link that was sent to the address of a request. The token itself is in the mail only (SHA-256 here)."""

    erasure = models.ForeignKey(Erasure, on_delete=models.CASCADE, related_name="links")
    digest = models.CharField(max_length=64, unique=True)
    sent_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["sent_at"]

    def __str__(self) -> str:
        return f"link of {self.erasure_id}"


class PrunedCount(models.Model):
    """What is left of requests whose retention is over: how many ended in a month, by channel and how."""

    month = models.DateField()
    channel = models.CharField(max_length=10)
    state = models.CharField(max_length=32)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["month", "channel", "state"], name="one_count_per_month_channel_and_end")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.channel} {self.state}: {self.count}"
