"""Passkeys need a browser: Chromium with a virtual authenticator, under the real Content-Security-Policy."""

from typing import Any

import pytest
from playwright.sync_api import Page

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def enter_password(page: Page, live_server: Any, path: str) -> None:
    page.goto(f"{live_server.url}{path}")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_passkey_is_added_and_signs_in(page: Page, live_server: Any, alice: User, problems: list[str]) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    enter_password(page, live_server, "/accounts/login/?next=/accounts/2fa/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("my phone")
    page.get_by_label("It may replace my password").check()
    page.get_by_role("button", name="Add the passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{live_server.url}/accounts/login/?next=/settings/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text(alice.subject).wait_for()
    assert problems == []


def test_a_passkey_that_fails_says_so(page: Page, live_server: Any, alice: User) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, "isUserVerified": False}})
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("alert").get_by_text("The passkey was not used").wait_for()
    assert page.url == f"{live_server.url}/accounts/login/"
