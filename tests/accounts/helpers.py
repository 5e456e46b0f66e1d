"""Small things that several of these tests do."""

import re
import time
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.test import Client

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.models import User

HTMX = {"HX-Request": "true"}


def person(address: str, password: str | None = PASSWORD, **fields: Any) -> User:
    """An account with a confirmed address."""
    user = User.objects.create_user(address, password, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(client: Client, address: str, password: str = PASSWORD, **data: str) -> Any:
    return client.post("/accounts/login/", {"login": address, "password": password, **data})


def prove(client: Client, password: str = PASSWORD, **data: str) -> Any:
    """Re-authenticate with the password."""
    return client.post("/accounts/reauthenticate/", {"password": password, **data})


def is_signed_in(client: Client) -> bool:
    return bool(client.get("/settings/").status_code == 200)


def copy_of(client: Client) -> Client:
    """Another browser with a stolen copy of the cookies."""
    thief = Client()
    thief.cookies["session"] = client.cookies["session"].value
    return thief


def add_totp(user: User) -> str:
    """Give the account an authenticator app; its secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def code_now(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def links_in(text: str) -> list[str]:
    """Paths of the links in a mail."""
    return re.findall(r"https?://[^/\s]+(/\S+)", text)
