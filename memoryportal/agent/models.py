"""Service keys, and the rows that limit and repeat what is done with them. None of them holds the text of a memory."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

RIGHTS = ("read", "write", "delete")


class ServiceKey(models.Model):
    """What a host's back end shows to get tokens. Of the secret there is a hash only; see keys.py."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=10, unique=True)
    digest = models.CharField(max_length=64)
    former_digest = models.CharField(max_length=64, blank=True)
    former_until = models.DateTimeField(null=True, blank=True)
    agents = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    rights = ArrayField(models.CharField(max_length=6), default=list)
    networks = ArrayField(models.CharField(max_length=49), default=list, blank=True)
    subjects_per_hour = models.PositiveIntegerField(default=1000)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    rotated_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rights__contained_by=list(RIGHTS)), name="rights_of_a_service_key_are_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} ({self.name})"


class Window(models.Model):
    """Requests of one key, or of one key for one person, in one minute. Unlogged: a crash starts the minute anew.

    `holder` is `k:` and the key's id, or `s:` and a keyed digest of key and subject; `minute` counts from 1970.
    """

    pk = models.CompositePrimaryKey("holder", "minute")
    holder = models.CharField(max_length=66)
    minute = models.BigIntegerField()
    requests = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.minute}: {self.requests}"


class SubjectHour(models.Model):
    """How many different people one key asked for in one hour (counted from 1970). `alerted`: privacy was told."""

    key = models.ForeignKey(ServiceKey, on_delete=models.CASCADE)
    hour = models.BigIntegerField()
    subjects = models.IntegerField()
    alerted = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "hour"], name="one_row_per_key_and_hour")]

    def __str__(self) -> str:
        return f"{self.hour}: {self.subjects}"


class SeenSubject(models.Model):
    """One of the people whom `SubjectHour` counts, as a keyed digest."""

    key = models.ForeignKey(ServiceKey, on_delete=models.CASCADE)
    hour = models.BigIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "hour", "digest"], name="each_subject_counts_once")]

    def __str__(self) -> str:
        return f"{self.hour}"


class Call(models.Model):
    """A write that came with an Idempotency-Key, for 24 hours. `call` and `body` are keyed digests, never text.

    `status` is None while it is carried out; `ids` are those of the memories, or the reference of an erasure.
    """

    key = models.ForeignKey(ServiceKey, on_delete=models.CASCADE)
    subject = models.CharField(max_length=128)
    agent = models.CharField(max_length=128, blank=True)
    route = models.CharField(max_length=20)
    call = models.CharField(max_length=64)
    body = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    ids = ArrayField(models.CharField(max_length=36), default=list)
    counts = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["subject"]), models.Index(fields=["created_at"])]
        constraints = [
            models.UniqueConstraint(fields=["key", "subject", "route", "call"], name="one_row_per_idempotency_key"),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.status}"
