"""Every page of allauth in our frame: who is responsible, labels, no script or style that the CSP would stop."""

import re
from html.parser import HTMLParser

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User

from .helpers import add_totp, prove, show_factor, sign_in

pytestmark = pytest.mark.django_db

ENTRANCE = [
    "/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/done/",
    "/accounts/password/reset/key/1-bad/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/bad/",
    "/accounts/inactive/",
]
INSIDE = [
    "/settings/",
    "/accounts/logout/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/accounts/sessions/",
    "/accounts/3rdparty/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
]
WITH_FACTOR = [
    "/accounts/2fa/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/reauthenticate/",
]


class Page(HTMLParser):
    """What the tests ask of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.labelled: set[str] = set()
        self.controls: list[dict[str, str | None]] = []
        self.stopped_by_csp: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.stopped_by_csp += [name for name in found if name == "style" or name.startswith("on")]
        if tag == "style":
            self.stopped_by_csp.append(tag)
        if tag == "label":
            self.labelled.add(found.get("for") or "")
        if tag in ("input", "select", "textarea") and found.get("type") != "hidden":
            self.controls.append(found)
        if tag == "script":
            self.scripts.append(found)
        if tag == "h1":
            self.headings.append(tag)


def check(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    html = answer.content.decode()
    page = Page(html)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self' 'nonce-" in policy
    assert "unsafe" not in policy
    assert page.stopped_by_csp == []
    for script in page.scripts:
        data = script.get("type") == "application/json"
        assert data or script.get("nonce") or (script.get("src") or "").startswith("/static/"), script
    assert len(page.headings) == 1
    for control in page.controls:
        assert control.get("id") in page.labelled or control.get("aria-label"), control
        assert "placeholder" not in control
    assert "<strong>Example Ltd (demo)</strong> is responsible for this data." in html
    assert re.search(r"<title>\s*\S.*– MemoryPortal</title>", html, re.DOTALL)
    assert answer.headers["Cache-Control"] == "no-store"
    return html


@pytest.mark.parametrize("path", ENTRANCE)
def test_a_page_before_signing_in(path: str, client: Client) -> None:
    check(client, path)


@pytest.mark.parametrize("path", INSIDE)
def test_a_page_after_signing_in(path: str, alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    prove(client)
    html = check(client, path)
    assert 'action="/accounts/logout/"' in html


@pytest.mark.parametrize("path", WITH_FACTOR)
def test_a_page_of_somebody_with_a_second_factor(path: str, alice: User) -> None:
    secret = add_totp(alice)
    RecoveryCodes.activate(alice)
    client = Client()
    client.force_login(alice)
    show_factor(client, secret)
    check(client, path)


def test_the_page_between_password_and_code(alice: User, client: Client) -> None:
    add_totp(alice)
    sign_in(client, "alice@example.com")
    html = check(client, "/accounts/2fa/authenticate/")
    assert 'autocomplete="one-time-code"' in html


def test_the_page_of_a_new_password(alice: User, client: Client, mailoutbox: list[object]) -> None:
    client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    link = re.search(r"http://testserver(\S+)", mailoutbox[0].body)  # type: ignore[attr-defined]
    assert link
    check(client, client.get(link[1]).headers["Location"])


def test_the_page_of_an_address_that_waits(alice: User, client: Client) -> None:
    EmailAddress.objects.create(user=alice, email="new@example.com")
    sign_in(client, "alice@example.com")
    html = check(client, "/accounts/email/")
    assert "new@example.com" in html
    assert "Keep the old address" in html


def test_the_page_for_people_without_a_password(client: Client) -> None:
    client.force_login(User.objects.create_user("sso@example.com"))
    check(client, "/accounts/password/set/")


def test_errors_are_summed_up_and_stand_by_their_field(client: Client) -> None:
    html = client.post("/accounts/signup/", {"email": "no address"}).content.decode()
    assert "There is a problem" in html
    assert '<a href="#id_email">' in html
    assert '<a href="#id_password1">' in html
    assert "<title>Error: " in html


def test_too_many_attempts_have_a_page_of_their_own(client: Client) -> None:
    for _ in range(31):
        answer = client.post("/accounts/login/", {})
    assert answer.status_code == 429
    assert "is responsible for this data" in answer.content.decode()


def test_a_hostile_browser_name_stays_text(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    hostile = "<script>alert(1)</script> Firefox"
    UserSession.objects.create(
        user=alice, ip="192.0.2.1", user_agent=hostile, session_key="x", last_seen_at=timezone.now()
    )
    assert "<script>alert(1)" not in check(client, "/accounts/sessions/")
