"""Plain-text mails of the portal's own: a subject line and a body from templates/mails/, and who is responsible."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from .context import site


def send(kind: str, to: str, **context: Any) -> None:
    """Send templates/mails/<kind>.txt, whose first line is the subject. Raises OSError or SMTPException.

    Nothing that is remembered belongs in a mail: pass references, dates and names of roles.
    """
    text = render_to_string(f"mails/{kind}.txt", {**context, **site(None)})
    subject, _, body = text.strip().partition("\n")
    EmailMessage(" ".join(subject.split()), body.strip() + "\n", settings.DEFAULT_FROM_EMAIL, [to]).send()
