"""Django admin in Chromium: nothing that the Content-Security-Policy stops, nothing left in the browser's storage."""

from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from memoryportal.accounts.models import User
from memoryportal.accounts.roles import roles_of

from .helpers import add_totp, person, signed_in

pytestmark = pytest.mark.django_db(transaction=True)
STORED = "() => [localStorage.length, sessionStorage.length]"
AXE = "() => axe.run({runOnly: ['wcag2a', 'wcag2aa']}).then(found => found.violations.map(one => one.id))"
WATCH = """
    window.stopped = [];
    document.addEventListener('securitypolicyviolation', event => window.stopped.push(event.violatedDirective));
"""


def enter(page: Page, user: User, url: str) -> None:
    client = signed_in(user)
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": url}])


def administrator(name: str) -> User:
    user = person(f"{name}@example.com", is_superuser=True)
    add_totp(user)
    return user


def test_two_administrators_grant_a_role(page: Page, live_server: Any, alice: User, problems: list[str]) -> None:
    one, two = administrator("one"), administrator("two")
    page.add_init_script(WATCH)
    enter(page, one, live_server.url)
    page.goto(f"{live_server.url}/admin/")
    looks_right(page, problems)
    page.get_by_role("link", name="Users", exact=True).click()
    looks_right(page, problems)
    page.get_by_role("link", name="alice@example.com").click()
    looks_right(page, problems)
    page.get_by_role("link", name="Roles").click()
    page.get_by_label("Role").select_option("support")
    page.get_by_label("Reason").fill("She starts in support on Monday")
    page.get_by_role("button", name="Ask for it").click()
    looks_right(page, problems)
    assert roles_of(alice) == set()

    enter(page, two, live_server.url)
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("link", name="support for alice@example.com").click()
    page.get_by_role("button", name="Approve support").click()
    expect(page.get_by_text("Granted. All administrators are told.")).to_be_visible()
    assert roles_of(alice) == {"support"}
    assert problems == []


def looks_right(page: Page, problems: list[str]) -> None:
    expect(page.get_by_text("is responsible for this data")).to_be_visible()
    assert page.evaluate("window.stopped") == []
    assert page.evaluate(STORED) == [0, 0]
    assert problems == []
    page.evaluate(AXE_SCRIPT)
    assert page.evaluate(AXE) == []
    problems.clear()  # axe tries inline styles of its own
