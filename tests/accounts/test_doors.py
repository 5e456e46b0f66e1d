"""Every URL of the portal, generated: what nobody in particular can open, and by which method."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from memoryportal.accounts.models import User

SAMPLES = {
    "uuid": str(uuid.UUID(int=7)),
    "int": "1",
    "str": "json",
    "slug": "x",
    "path": "x",
    "request": "MP-0000-0000",
}
REGEX_SAMPLES = {
    "account_confirm_email": "bad",
    "account_reset_password_from_key": "1-bad",
    "app_list": "accounts",
    "nothing": "x",
}

# What somebody who is not signed in may see. Everything else must lead to the sign-in, or not exist for them.
PUBLIC = {
    "start",
    "healthz",
    "readyz",
    "account_login",
    "account_signup",
    "account_inactive",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_login_webauthn",
    "socialaccount_login_cancelled",
    "socialaccount_login_error",
    "cancel_address",
    "public_keys",
    *("ask_without_account", "request_sent", "verify"),
    "request_link",  # exchanges whatever it is given for a cookie, and says nothing about it
}
LEADS_ELSEWHERE = {
    "account_logout",
    "account_confirm_login_code",
    "mfa_authenticate",
    "mfa_trust",
    "socialaccount_signup",
}


def paths(patterns: Any = None, prefix: str = "/") -> Iterator[tuple[str, str]]:
    """(name, a path) of every pattern."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, prefix + part_of(pattern))
        elif isinstance(pattern, URLPattern):
            yield pattern.name or "", prefix + part_of(pattern)


def part_of(entry: Any) -> str:
    route = str(entry.pattern)
    for name, converter in entry.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        route = route.replace(f"<{kind}:{name}>", SAMPLES[kind]).replace(f"<{name}>", SAMPLES["str"])
    if route.startswith("^"):
        before, _, after = route.strip("^$").partition("(")
        route = before + (REGEX_SAMPLES[entry.name] + "/" if after else "")
    return route


def all_paths() -> list[tuple[str, str]]:
    found = list(paths())
    assert len(found) > 40
    assert not [path for _, path in found if "<" in path or "(" in path]
    return found


def is_gateway(path: str) -> bool:
    """The assistants' gateway looks at no cookie: tests/agent/test_doors.py walks it."""
    return path.startswith("/api/v1/")


def leads_to_sign_in(answer: Any) -> bool:
    return answer.status_code == 302 and answer.headers["Location"].partition("?")[0] == "/accounts/login/"


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch", "head"])
def test_nobody_in_particular_opens_only_the_public_pages(method: str) -> None:
    opened = []
    for name, path in all_paths():
        if name in PUBLIC | LEADS_ELSEWHERE or is_gateway(path):
            continue
        answer = getattr(Client(), method)(path)
        if not leads_to_sign_in(answer) and answer.status_code not in (301, 404, 405):
            opened.append((name, path, answer.status_code))
    assert opened == []


@pytest.mark.django_db
def test_no_public_page_tells_anything_about_anybody(alice: User) -> None:
    for name, path in all_paths():
        body = Client().get(path).content.decode(errors="replace")
        assert alice.subject not in body, name
        assert alice.email not in body.replace("In this demo you are", ""), name


@pytest.mark.django_db
def test_every_form_needs_its_token(alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    forms = [(name, path) for name, path in all_paths() if not is_gateway(path)]
    passed = [(name, path) for name, path in forms if strict.post(path).status_code not in (403, 405)]
    assert passed == []
