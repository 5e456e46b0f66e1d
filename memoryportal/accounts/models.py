"""People and the subjects under which stores keep their memories."""

import uuid
from collections.abc import Collection, Iterable
from typing import Any, Self, cast

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import OPERATOR, record
from memoryportal.memory.scope import MAX_ID_LENGTH, SubjectId

from .waiting import AddressChange, Letter, LinkAsk, MailedCode, RoleAsk, UsedToken  # noqa: F401 - Django looks here
from .zones import validate_time_zone


class SubjectIsFixed(ValueError):
    """Somebody tried to change the subject that an account was issued; nothing was saved."""


class SubjectTaken(ValueError):
    """The subject belongs to an account already; nothing was saved."""


class SubjectBusy(SubjectTaken):
    """An erasure stands in the way of connecting the subject now; nothing was saved. The message is for people."""


def new_subject() -> str:
    """A fresh subject: random, so that it says nothing about the person and nobody else can own it."""
    return str(uuid.uuid4())


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A saved account. Without a password it cannot sign in with one."""
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """`manage.py createsuperuser`: the first administrators come from somebody with a shell, with an event."""
        with transaction.atomic():
            user = self.create_user(email, password, is_superuser=True, **fields)
            details = {"role": "administrator", "target": user.pk}
            record(Action.ROLE_GRANTED, actor=OPERATOR, subject=SubjectId(user.subject), details=details)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person with a login. `subject` is issued once and never changes: memories are found by it."""

    email = models.EmailField("e-mail address", unique=True, error_messages={"unique": "This address is in use."})
    subject = models.CharField(max_length=MAX_ID_LENGTH, unique=True, default=new_subject, editable=False)
    connected_at = models.DateTimeField("connected to an assistant since", null=True, blank=True)
    time_zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_time_zone])
    is_active = models.BooleanField("may sign in", default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    objects = UserManager()

    class Meta:
        constraints = [
            # With the unique index this makes addresses unique whatever their case, with one index and plain look-ups.
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_staff(self) -> bool:
        """Who may open Django's admin. The staff pages of the portal ask for a group instead (roles.py)."""
        return self.is_superuser

    _issued: str | None = None

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **more: Any) -> Self:
        user = super().from_db(db, field_names, values, **more)
        user._issued = user.__dict__.get("subject")
        return user

    def clean(self) -> None:
        super().clean()
        self.email = normal_address(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save. Raises SubjectIsFixed, InvalidSubject or ValidationError (time zone) before anything is written."""
        if "email" in self.__dict__:
            self.email = normal_address(self.email)
        subject = self.__dict__.get("subject")
        if self._issued is not None and subject != self._issued:
            raise SubjectIsFixed("the subject of an account never changes")
        if self._state.adding:
            SubjectId(cast(str, subject))
        if "time_zone" in (kwargs.get("update_fields") or self.__dict__):
            validate_time_zone(self.time_zone)
        super().save(*args, **kwargs)
        self._issued = subject

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        fields = None if fields is None else list(fields)
        super().refresh_from_db(using, fields, from_queryset)
        if fields is None or "subject" in fields:
            self._issued = self.__dict__.get("subject")


def normal_address(address: str) -> str:
    """The one spelling of an e-mail address that is stored and looked up."""
    return (address or "").strip().lower()


def validate_subject(value: str) -> None:
    """The model-form face of SubjectId."""
    try:
        SubjectId(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class Proof(models.TextChoices):
    """How it was shown that an id is this person's."""

    OPERATOR = "operator", "by the people who run this portal"
    OIDC = "oidc", "by signing in there"
    REDIRECT = "redirect", "by coming from there and confirming it here"
    PRIVACY = "privacy", "by two people of our privacy team"


class SubjectLink(models.Model):
    """An id that an assistant already uses for this person, with who linked it and on what proof."""

    account = models.ForeignKey(User, on_delete=models.CASCADE, related_name="subject_links")
    subject = models.CharField(max_length=MAX_ID_LENGTH, unique=True, validators=[validate_subject])
    issuer = models.CharField("whose id it is", max_length=200, blank=True)
    claim = models.CharField("the claim that held it", max_length=100, blank=True)
    proof = models.CharField("how it was proven", max_length=20, choices=Proof.choices)
    reason = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    approved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(proof__in=Proof.values), name="proof_of_a_link_is_known"),
            # Null passes: a row keeps its proof when somebody's account is deleted.
            models.CheckConstraint(
                condition=~models.Q(proof=Proof.PRIVACY)
                | (
                    ~models.Q(by=models.F("account"))
                    & ~models.Q(approved_by=models.F("account"))
                    & ~models.Q(approved_by=models.F("by"))
                ),
                name="a_link_by_privacy_is_made_by_two_others",
            ),
        ]

    def __str__(self) -> str:
        return f"link {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save. Raises InvalidSubject, or SubjectTaken for an id that some account was issued."""
        if User.objects.filter(subject=SubjectId(self.subject)).exists():
            raise SubjectTaken("this subject was issued to an account; it cannot be linked")
        super().save(*args, **kwargs)
