"""Whole pages that a browser keeps for its Back button: nobody meets memories in them who is not signed in any more."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import BrowserType, Page, Route, expect

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory

from .conftest import enter

pytestmark = pytest.mark.django_db(transaction=True)
TELL = "addEventListener('pageshow', event => console.log(event.persisted ? 'kept' : 'loaded', location.pathname))"


@pytest.fixture
def shown(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], base_url: str, alice: User
) -> Iterator[Page]:
    """A page of a browser that keeps pages, which Playwright's own does not. Alice is signed in."""
    browser = browser_type.launch(**browser_type_launch_args, ignore_default_args=["--disable-back-forward-cache"])
    context = browser.new_context(base_url=base_url)
    context.add_init_script(TELL)
    enter(context, alice, base_url)
    yield context.new_page()
    browser.close()


@pytest.fixture
def pageshows(shown: Page) -> list[str]:
    """Every showing of a page: "kept /path" when it came out of the browser's cache, else "loaded /path"."""
    seen: list[str] = []
    shown.on("console", lambda message: seen.append(message.text) if message.type == "log" else None)
    return seen


def back(page: Page) -> None:
    """Playwright's own go_back waits for a load, which a kept page does not have."""
    page.evaluate("history.back()")


def without_the_headers_against_keeping(route: Route) -> None:
    """As for a browser that keeps pages in spite of them. Some do."""
    answer = route.fetch(max_redirects=0)
    headers = {name: value for name, value in answer.headers.items() if name not in ("cache-control", "set-cookie")}
    route.fulfill(response=answer, headers=headers)


def test_back_after_signing_out_shows_no_memories(
    shown: Page, pageshows: list[str], remembered: ScopedMemory, base_url: str
) -> None:
    shown.goto("/memories/")
    expect(shown.locator("[data-memory-id]")).to_have_count(25)
    shown.get_by_role("link", name="Everything held").click()
    shown.get_by_role("button", name="Sign out").click()
    expect(shown.get_by_role("heading", level=1)).to_have_text("What do assistants remember about you?")
    for path in ("held", "memories"):
        back(shown)
        shown.wait_for_url(f"{base_url}/accounts/login/?next=/{path}/")
        expect(shown.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert shown.locator("[data-memory-id]").count() == 0
    assert not [one for one in pageshows if one.startswith("kept")]


def test_a_page_that_was_kept_all_the_same_is_loaded_again(
    shown: Page, pageshows: list[str], remembered: ScopedMemory, base_url: str
) -> None:
    """The session has ended elsewhere: what the browser kept is replaced before anybody can read on in it."""
    shown.route("**/memories/", without_the_headers_against_keeping)
    shown.goto("/memories/")
    expect(shown.locator("[data-memory-id]")).to_have_count(25)
    shown.goto("/healthz")
    Session.objects.all().delete()
    back(shown)
    expect(shown.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert shown.locator("[data-memory-id]").count() == 0
    assert "kept /memories/" in pageshows, "it did come out of the browser's cache"


def test_a_browser_that_keeps_pages_does_show_them_without_us(
    shown: Page, pageshows: list[str], remembered: ScopedMemory
) -> None:
    """Otherwise the tests above would pass in a browser that never keeps anything."""
    shown.route("**/memories/", without_the_headers_against_keeping)
    shown.route("**/app.js", lambda route: route.abort())
    shown.goto("/memories/")
    shown.goto("/healthz")
    Session.objects.all().delete()
    with shown.expect_console_message(lambda message: message.text == "kept /memories/"):
        back(shown)
    expect(shown.locator("[data-memory-id]")).to_have_count(25)
