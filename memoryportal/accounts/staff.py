"""How people are told about the staff who deal with their data: under a name of its own, and for which purpose."""

import hashlib
import hmac

from django.conf import settings
from django.db import models

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without those that are read as digits: names are read out


class Category(models.TextChoices):
    """Why somebody looks. The person reads these words."""

    QUESTION = "question", "You asked us a question"
    WRONG_MEMORY = "wrong-memory", "You reported a wrong memory"
    COMPLAINT = "complaint", "You made a complaint"
    DELETION = "deletion", "You asked us to delete something"
    SECURITY = "security", "We looked into a security report"


def pseudonym_of_staff(staff_id: int | str) -> str:
    """A stable name for a member of the staff, such as K7Q2: the same on every page and in every mail to people."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"staff:{staff_id}".encode(), hashlib.sha256).digest()
    return "".join(_LETTERS[byte % 32] for byte in digest[:4])
