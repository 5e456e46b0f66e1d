"""The whole story of one access, as the staff, the person and the auditor see it, with and without a script."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_playwright.pytest_playwright import CreateContextCallback

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory
from memoryportal.support import tasks
from memoryportal.support.models import AccessGrant
from tests.accounts.helpers import add_totp, code_now
from tests.mydata.remembered import remember
from tests.support.staffing import WHY, page_of, staff_member

from .conftest import enter
from .looking import Looking

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "Grows quillwort behind the greenhouse."
REASON = "The person asked what is stored"


@pytest.fixture
def told(alice_memory: ScopedMemory) -> ScopedMemory:
    remember(alice_memory, TEXT, "Speaks Portuguese with the neighbours.", *[f"Thing {n}" for n in range(26)])
    return alice_memory


@pytest.fixture
def supports_page(page: Page, told: ScopedMemory, base_url: str) -> Page:
    enter(page.context, staff_member("support", "support"), base_url)
    return page


def opens_access(page: Page, words: str = "alice@example.com") -> AccessGrant:
    """From the first page of the staff to the list of a person."""
    page.goto("/support/")
    page.get_by_role("link", name="Find a person").last.click()
    page.get_by_label("E-mail address, id or reference").fill(words)
    page.get_by_role("button", name="Find").click()
    page.get_by_label("You asked us a question").check()
    page.get_by_label("Case number").fill(WHY["ticket"])
    page.get_by_label("Why you need to look").fill(REASON)
    page.get_by_role("button", name="Open access").click()
    expect(page.get_by_role("heading", name="What assistants remember about this person")).to_be_visible()
    return AccessGrant.objects.latest("opened_at")


def other_window(browser: Browser, user: User, base_url: str, **options: Any) -> Iterator[Page]:
    context = browser.new_context(base_url=base_url, **options)
    enter(context, user, base_url)
    yield context.new_page()
    context.close()


@pytest.fixture
def alices_window(browser: Browser, alice: User, base_url: str) -> Iterator[Page]:
    yield from other_window(browser, alice, base_url)


@pytest.fixture
def auditors_window(browser: Browser, db: None, base_url: str) -> Iterator[Page]:
    yield from other_window(browser, staff_member("auditor", "auditor"), base_url)


def test_a_session_from_before_the_second_factor_shows_it_and_goes_on(
    page: Page, looking: Looking, db: None, base_url: str
) -> None:
    user = staff_member("support", "support", factor=False)
    enter(page.context, user, base_url)
    secret = add_totp(user)
    looking.opens("/support/people/", 403, "first show your second factor")
    page.get_by_role("main").get_by_role("link", name="authenticator").click()
    page.get_by_label("Code", exact=True).fill(code_now(secret))
    page.get_by_label("Code", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Find a person")).to_be_visible()
    assert page.url == f"{base_url}/support/people/"
    assert looking.problems == []


def test_the_whole_story(
    supports_page: Page, looking: Looking, alices_window: Page, auditors_window: Page, told: ScopedMemory
) -> None:
    page = supports_page
    page.clock.install()
    grant = opens_access(page)
    looking.at("staff-masked")
    expect(page.locator(".mask")).to_have_count(25)
    assert "quillwort" not in page.content()

    page.get_by_role("link", name="Older").click()
    expect(page.locator(".mask")).to_have_count(3)
    first = page.locator("article").last
    first.get_by_role("button", name="Show the memory of 10 March 2026").click()
    expect(first.get_by_text(TEXT)).to_be_visible()
    expect(first.locator(".memory-text")).to_be_focused()
    expect(page.locator(".mask")).to_have_count(2)
    hidden = page.get_by_text("Texts are hidden until you show them.")
    expect(hidden).to_be_visible()
    for left in (1, 0):
        page.get_by_role("button", name="Show the memory of").first.click()
        expect(page.locator(".mask")).to_have_count(left)
    expect(hidden).to_be_hidden()
    page.evaluate("scrollTo(0, 0)")  # the bar that stays on top covers whatever it is scrolled over
    looking.at("staff-revealed")

    page.get_by_role("searchbox").fill("portuguese")
    page.get_by_label("By exact word").check(force=True)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="1 result")).to_be_focused()
    expect(page.locator("#live")).to_have_text("1 result")
    expect(page.get_by_text("19 searches left.")).to_be_visible()
    assert "portuguese" not in page.url

    AccessGrant.objects.filter(pk=grant.pk).update(ends_at=timezone.now() - timedelta(seconds=1))
    page.clock.run_for(16 * 60 * 1000)
    expect(page.get_by_role("heading", name="This access has ended")).to_be_visible()
    assert "Portuguese" not in page.content()
    looking.at("staff-ended")

    tasks.end_grants(0)
    tasks.tell(str(grant.pk))
    assert [note.to for note in mail.outbox] == [["alice@example.com"]]
    alices_window.goto("/activity/")
    expect(alices_window.get_by_text(WHY["ticket"]).first).to_be_visible()
    auditors_window.goto(f"/support/audit/grants/{grant.pk}/")
    expect(auditors_window.get_by_text(REASON).first).to_be_visible()
    expect(auditors_window.get_by_text("Read memories").first).to_be_visible()
    for window in (alices_window, auditors_window):
        assert "support@example.com" not in alices_window.content()
        assert "quillwort" not in window.content()
    assert looking.problems == []


def test_the_time_left_is_spoken_twice(supports_page: Page) -> None:
    page = supports_page
    page.clock.install()
    opens_access(page)
    bar, live = page.locator("[data-time-left]"), page.locator("#live")
    expect(bar).to_have_text("15 minutes left")
    page.clock.run_for(9 * 60 * 1000)
    expect(bar).to_have_text("6 minutes left")
    expect(live).to_be_empty()
    page.clock.run_for(70 * 1000)
    expect(live).to_have_text("5 minutes left of this access.")
    page.evaluate("document.getElementById('live').textContent = ''")
    page.clock.run_for(3 * 60 * 1000)
    expect(bar).to_have_text("2 minutes left")
    expect(live).to_be_empty()
    page.clock.run_for(70 * 1000)
    expect(live).to_have_text("1 minute left of this access.")
    expect(bar).to_have_text("Less than a minute left")


def test_a_stale_tab_loses_its_texts(supports_page: Page) -> None:
    page = supports_page
    grant = opens_access(page)
    page.get_by_role("button", name="Show this page").click()
    expect(page.locator(".mask")).to_have_count(0)
    expect(page.get_by_text("Thing 25")).to_be_visible()
    other = page.context.new_page()
    other.goto(page_of(grant))
    other.get_by_role("button", name="End access").click()
    expect(other.get_by_text("has ended. The person gets a note about it.")).to_be_visible()
    page.get_by_role("searchbox").fill("thing")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="This access has ended")).to_be_focused()
    assert "Thing 25" not in page.content()


def test_everything_works_without_a_script(browser: Browser, told: ScopedMemory, base_url: str, db: None) -> None:
    for page in other_window(browser, staff_member("support", "support"), base_url, java_script_enabled=False):
        opens_access(page)
        expect(page.get_by_text("15 minutes left")).to_be_visible()
        page.get_by_role("link", name="Older").click()
        page.get_by_role("button", name="Show the memory of").last.click()
        expect(page.get_by_text(TEXT)).to_be_visible()
        page.get_by_role("link", name="Back to the list").click()
        page.get_by_role("button", name="Show this page").click()
        expect(page.get_by_role("heading", name="25 memories shown")).to_be_visible()
        page.get_by_role("link", name="Back to the list").click()
        page.get_by_role("searchbox").fill("quillwort")
        page.get_by_label("By exact word").check(force=True)
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_text(TEXT)).to_be_visible()
        page.get_by_role("link", name="Delete").click()
        page.get_by_label("Why it is to be deleted").fill("The person says that it is wrong")
        page.get_by_role("button", name="Delete it now").click()
        expect(page.get_by_text("Deleted.")).to_be_visible()
        page.get_by_role("link", name="Write down that they want everything erased").click()
        page.get_by_label("How the person asked for it").fill("The person asked in the ticket")
        page.get_by_role("button", name="Write the request down").click()
        expect(page.get_by_role("heading", name="Written down")).to_be_visible()
        page.get_by_role("button", name="End access").click()
        expect(page.get_by_text("has ended. The person gets a note about it.")).to_be_visible()
    assert TEXT not in [item.text for item in told.walk()]


def test_pages_of_the_staff_look_right(supports_page: Page, looking: Looking, told: ScopedMemory) -> None:
    looking.opens("/support/", 200, "staff-home")
    looking.opens("/support/people/", 200, "staff-find")
    looking.opens("/support/grants/", 200, "staff-accesses")
    looking.opens("/support/acts/", 200, "staff-acts")
    grant = opens_access(supports_page)
    item = next(told.walk())
    looking.opens(page_of(grant, f"memories/{item.id}/delete/"), 200, "staff-delete")
    looking.opens(page_of(grant, "request/"), 200, "staff-request")
    assert looking.problems == []


# --- on a phone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("roles", [("support",), ("privacy",), ("support", "privacy", "auditor")])
def test_the_head_takes_two_rows_and_the_menu_opens(
    roles: tuple[str, ...], script: bool, new_context: CreateContextCallback, db: None, base_url: str
) -> None:
    context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=script)
    enter(context, staff_member("staff", *roles), base_url)
    page = context.new_page()
    for path in ("/support/", "/support/requests/"):
        page.goto(path)
        menu, link = page.locator(".nav summary"), page.get_by_role("navigation").get_by_role("link", name="Requests")
        expect(link).to_be_hidden()
        assert page.locator(".top").bounding_box()["height"] < 120  # type: ignore[index]
        menu.focus()
        page.keyboard.press("Enter")
        expect(link).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Deletion requests")


def test_where_there_is_room_the_menu_is_a_row(supports_page: Page) -> None:
    supports_page.set_viewport_size({"width": 1280, "height": 700})
    supports_page.goto("/support/")
    expect(supports_page.locator(".nav summary")).to_be_hidden()
    supports_page.get_by_role("navigation").get_by_role("link", name="Your acts").click()
    expect(supports_page.get_by_role("heading", level=1)).to_have_text("What you have done")


def test_on_a_phone_the_staff_s_own_pages_have_the_head_of_everybody(supports_page: Page) -> None:
    """One row for the house and the account, two for the places; without a link more than a row can hold."""
    supports_page.set_viewport_size({"width": 360, "height": 740})
    supports_page.goto("/memories/")
    tops = [supports_page.locator(each).bounding_box() for each in (".brand", ".top-links")]
    assert all(box and box["y"] < 60 for box in tops)
    expect(supports_page.get_by_role("link", name="MemoryPortal")).to_be_visible()
