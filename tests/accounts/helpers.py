"""Small things that several of these tests do."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.conf import settings
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


def show_factor(client: Client, secret: str, **data: str) -> Any:
    """Re-authenticate with the authenticator app."""
    return client.post("/accounts/2fa/reauthenticate/", {"code": code_now(secret), **data})


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


def signed_in(user: User) -> Client:
    """Signed in without the form, which has tests of its own; with the second factor where the account has one."""
    client = Client()
    client.force_login(user)
    held = list(user.authenticator_set.values("pk", "type"))
    if held:
        session = client.session
        session["account_authentication_methods_user"] = str(user.pk)
        session["account_authentication_methods"] = [
            {"method": "mfa", "at": time.time(), "id": one["pk"], "type": one["type"]} for one in held
        ]
        session.save()
    return client


def code_now(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def links_in(text: str) -> list[str]:
    """Paths of the links in a mail."""
    return re.findall(r"https?://[^/\s]+(/\S+)", text)


@contextmanager
def trail_shut() -> Iterator[None]:
    """The portal's login may not append events meanwhile."""
    append = "FUNCTION audit_append(text, text, text, text, text, text, text, text, jsonb)"
    with psycopg.connect(settings.MEMORY_OWNER_URL, autocommit=True) as owner:
        owner.execute(f"REVOKE EXECUTE ON {append} FROM memoryportal_app")
        try:
            yield
        finally:
            owner.execute(f"GRANT EXECUTE ON {append} TO memoryportal_app")
