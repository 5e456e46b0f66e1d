"""The trail as Django reads it. Nothing here can write: events are appended by `record` (record.py) alone."""

from typing import Any, ClassVar

from django.db import models

from .actions import Action


class ReadOnly(Exception):
    """Somebody tried to write the trail through the ORM; nothing was written."""


class EventSet(models.QuerySet["Event"]):
    """Reads only. The database refuses the rest as well; this says so before it is asked."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise ReadOnly("the audit trail is appended to, and never changed")

    create = bulk_create = update = bulk_update = delete = get_or_create = update_or_create = _refuse


class Event(models.Model):
    """One event. `subject` is an HMAC under that subject's own key; `details` holds counts and ids only."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.TextField()
    role = models.TextField()
    action = models.TextField(choices=Action.choices)
    subject = models.TextField(null=True)  # noqa: DJ001 - no subject is not the empty subject
    object = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    grant = models.TextField(blank=True, db_column="grant_id")
    request_id = models.TextField(blank=True)
    details = models.JSONField(default=dict)
    prev_hash = models.TextField()
    hash = models.TextField()

    objects: ClassVar[models.Manager["Event"]] = EventSet.as_manager()

    class Meta:
        db_table = "audit_event"
        ordering = ["-seq"]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise ReadOnly("the audit trail is appended to, and never changed")

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise ReadOnly("the audit trail is appended to, and never changed")


class Head(models.Model):
    """The newest event's number and hash: the one row that every append locks."""

    id = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.TextField()

    class Meta:
        db_table = "audit_head"

    def __str__(self) -> str:
        return f"head {self.seq}"


class SubjectKey(models.Model):
    """The key that turns a subject into its name in the trail. Destroying it leaves the trail whole, and nameless."""

    subject = models.TextField(primary_key=True)
    key = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    last_staff_access = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_subjectkey"

    def __str__(self) -> str:
        return "a subject's key"
