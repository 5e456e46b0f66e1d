"""Time-boxed access of one member of the staff to one person's memories, and the counters that limit browsing."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from memoryportal.accounts.staff import Category
from memoryportal.erasure.models import new_reference

MINUTES = (15, 30, 60)
MAX_SEARCHES = 20
MIN_REASON = 10


class Kind(models.TextChoices):
    """Which rules gave the access: a support case, or a deletion request that privacy works on."""

    SUPPORT = "support", "Support case"
    REQUEST = "request", "Deletion request"


class How(models.TextChoices):
    """How a grant ended."""

    BY_ITSELF = "time", "The time was over"
    BY_HAND = "hand", "Ended by the member of the staff"
    ROLE = "role", "The role was taken away"
    REQUEST = "request", "The deletion request ended"
    OWNER = "owner", "The id became somebody else's, or the person joined the staff"


class AccessGrant(models.Model):
    """One member of the staff, one person, one reason, a few minutes. `grants.py` opens, uses and ends it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=12, unique=True, default=new_reference, editable=False)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="grants")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="grants_about"
    )
    subject = models.CharField(max_length=128)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.SUPPORT)
    category = models.CharField(max_length=20, choices=Category.choices)
    ticket = models.CharField(max_length=40)
    reason = models.CharField(max_length=500)
    minutes = models.PositiveSmallIntegerField(choices=[(minutes, f"{minutes} minutes") for minutes in MINUTES])
    opened_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_how = models.CharField(max_length=10, choices=How.choices, blank=True)
    searches = models.PositiveSmallIntegerField(default=0)
    revealed = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["staff"], condition=models.Q(ended_at__isnull=True), name="one_open_grant_per_member_of_staff"
            ),
            models.CheckConstraint(condition=models.Q(minutes__in=MINUTES), name="grant_minutes_are_known"),
            models.CheckConstraint(condition=models.Q(searches__lte=MAX_SEARCHES), name="grant_searches_are_capped"),
            models.CheckConstraint(
                condition=models.Q(person__isnull=True) | ~models.Q(person=models.F("staff")),
                name="nobody_is_granted_access_to_themselves",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_open(self) -> bool:
        """Whether it can still be used. A clock that is set back does not open it again before it was opened."""
        now = timezone.now()
        return self.ended_at is None and self.opened_at - timedelta(minutes=5) <= now < self.ends_at

    def seconds_left(self, now: datetime | None = None) -> int:
        """Whole seconds until it ends by itself; 0 when it has."""
        return max(0, int((self.ends_at - (now or timezone.now())).total_seconds())) if self.ended_at is None else 0


class Quota(models.Model):
    """How often one member of the staff looked for people in one hour. A row with an atomic increment, not a cache."""

    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    hour = models.DateTimeField()
    finds = models.PositiveIntegerField(default=0)
    misses = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["staff", "hour"], name="one_quota_row_per_hour")]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.hour:%Y-%m-%d %H}"
