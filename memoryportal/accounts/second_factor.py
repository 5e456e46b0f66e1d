"""Whether an account has a second factor: an authenticator app or a passkey. Recovery codes alone are none."""

from typing import Any

from allauth.mfa.models import Authenticator

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def has_second_factor(user: Any) -> bool:
    """Read from the database each time."""
    return bool(Authenticator.objects.filter(user=user, type__in=FACTORS).exists())
