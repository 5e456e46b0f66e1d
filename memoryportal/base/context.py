"""What every page knows about the house: who is responsible, and whether this is a demo."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest | None) -> dict[str, Any]:
    """Template context processor; needs neither the database nor a session, so error pages use it too."""
    return {
        "site": {
            "controller_name": settings.CONTROLLER_NAME,
            "privacy_contact": settings.PRIVACY_CONTACT,
            "complaint_url": settings.COMPLAINT_URL,
            "signup_open": settings.SIGNUP_OPEN,
            "demo": settings.DEMO,
        }
    }
