"""What was asked, how far it got, and what was found and left in each place. No memory text, ever."""

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

# Crockford's alphabet without letters that are read as digits: a reference is read out over the telephone.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference() -> str:
    """A reference such as MP-7K3Q-92XA: 40 random bits, for people; ids are UUIDs."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"MP-{letters[:4]}-{letters[4:]}"


class State(models.TextChoices):
    """The states of a deletion request that this room can be in so far."""

    RECEIVED = "received", "Received"
    ERASING = "erasing", "Erasing"
    VERIFYING = "verifying", "Reading everything again"
    RETRYING = "retrying", "Delayed: trying again"
    NEEDS_ATTENTION = "needs-attention", "Delayed: we are looking into it"
    COMPLETED = "completed", "Erased"
    COMPLETED_WITH_EXCEPTIONS = "completed-with-exceptions", "Erased, with exceptions"


TERMINAL = frozenset({State.COMPLETED, State.COMPLETED_WITH_EXCEPTIONS})
TRANSITIONS: dict[str, frozenset[str]] = {
    State.RECEIVED: frozenset({State.ERASING}),
    State.ERASING: frozenset({State.ERASING, State.VERIFYING, State.RETRYING, State.NEEDS_ATTENTION}),
    State.VERIFYING: frozenset(
        {State.ERASING, State.RETRYING, State.NEEDS_ATTENTION, State.COMPLETED, State.COMPLETED_WITH_EXCEPTIONS}
    ),
    State.RETRYING: frozenset({State.ERASING}),
    State.NEEDS_ATTENTION: frozenset({State.ERASING}),
}


class Erasure(models.Model):
    """One request to erase everything that is remembered under one subject."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=12, unique=True, default=new_reference, editable=False)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="erasures")
    filed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="filed_erasures"
    )
    subject = models.CharField(max_length=128)
    state = models.CharField(max_length=32, choices=State.choices, default=State.RECEIVED)
    asked_at = models.DateTimeField(default=timezone.now)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"],
                condition=~models.Q(state__in=["completed", "completed-with-exceptions"]),
                name="one_open_erasure_per_subject",
            ),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="erasure_state_is_known"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def is_filed(self) -> bool:
        """Written down by somebody on the staff, and neither confirmed by the person nor begun."""
        return self.filed_by_id is not None and self.state == State.RECEIVED


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
