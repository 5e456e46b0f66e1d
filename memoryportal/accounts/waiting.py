"""Rows that wait for something: a second person, three days, the worker, a code. What is decided is deleted: the trail
keeps who did what, and addresses do not lie about.
"""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from memoryportal.memory.scope import MAX_ID_LENGTH

ASKS_LAST = timedelta(days=7)  # an ask that nobody decides in this time is over


class Ask(models.Model):
    """Something that one member of the staff asks for and another one approves."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=500)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
        ordering = ["asked_at", "pk"]

    @property
    def is_open(self) -> bool:
        return timezone.now() < self.asked_at + ASKS_LAST


class LinkAsk(Ask):
    """A privacy officer says that this id is this person's."""

    subject = models.CharField(max_length=MAX_ID_LENGTH)
    issuer = models.CharField("whose id it is", max_length=200, blank=True)

    class Meta(Ask.Meta):
        constraints = [
            models.UniqueConstraint(fields=["account", "subject"], name="one_ask_per_account_and_subject"),
            models.CheckConstraint(condition=~models.Q(account=models.F("by")), name="no_link_is_asked_for_oneself"),
        ]

    def __str__(self) -> str:
        return f"ask for a link {self.pk}"


class RoleAsk(Ask):
    """An administrator wants somebody to hold a role."""

    role = models.CharField(max_length=20)

    class Meta(Ask.Meta):
        constraints = [models.UniqueConstraint(fields=["account", "role"], name="one_ask_per_account_and_role")]

    def __str__(self) -> str:
        return f"ask for a role {self.pk}"


class AddressChange(models.Model):
    """A change of address by an administrator: announced to the old address, and made by the worker when it is due."""

    account = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="address_change")
    old = models.EmailField()
    new = models.EmailField("new e-mail address")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    due_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"change of address {self.pk}"


class Letter(models.Model):
    """A mail that has not been sent. `about` holds dates, names of roles and of services: never an id or a memory."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    to = models.EmailField()
    about = models.JSONField(default=dict)
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["written_at"]

    def __str__(self) -> str:
        return f"letter {self.kind}"


class MailedCode(models.Model):
    """A code that one session may type in for one act. `tries` goes up by one statement, so that nobody gets more."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    action = models.CharField(max_length=500)
    digest = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"code {self.pk}"


class UsedToken(models.Model):
    """A signed token of a host application that has been here. Kept until it would have expired anyway."""

    digest = models.CharField(max_length=64, primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return "a used token"
