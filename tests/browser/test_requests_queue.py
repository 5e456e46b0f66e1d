"""The staff's pages of deletion requests: how they look, and the way from a letter to the second person."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from memoryportal.accounts.models import User
from memoryportal.erasure.models import Channel, Erasure, ErasureStep, Identified, Scope
from tests.support.requests import a_request, outside, story
from tests.support.staffing import staff_member

from .conftest import enter
from .looking import Looking
from .test_staff import other_window

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "/support/requests/"
ACTS = ("confirm", "identity", "attach", "hold", "refuse", "extend")


@pytest.fixture
def privacy(db: None) -> User:
    return staff_member("privacy", "privacy")


@pytest.fixture
def officers_page(page: Page, privacy: User, base_url: str) -> Page:
    enter(page.context, privacy, base_url)
    return page


@pytest.fixture
def waiting(alice: User, privacy: User) -> list[Erasure]:
    """One of each kind: late, due soon, resting, held, running, tried in vain."""
    now = timezone.now()
    long_ago, lately = now - timedelta(days=40), now - timedelta(days=26)
    letter = {"channel": Channel.PRIVACY, "filed_by": privacy, "ticket": "L-12", "identified_how": Identified.OFFICER}
    return [
        a_request(alice.subject, "u-alice-of-the-shop", state="approval", asked_at=long_ago, account=alice, **letter),
        a_request("customer-9", state="approval", asked_at=lately, address="carol@example.com"),
        a_request("customer-5", state="approval", scope=Scope.ASSISTANT, agent="shop_bot", **letter),
        a_request(address="dora@example.com", told="I am customer 4711 of the shop", law="both"),
        a_request(channel=Channel.PRIVACY, filed_by=privacy, told="Forget me", ticket="L-13"),
        a_request("customer-3", state="on-hold", held_until=now.date() + timedelta(days=60)),
        a_request("customer-2", state="waiting", grace_until=now + timedelta(days=2)),
        a_request("customer-4", state="needs-attention", attempts=10, began_at=now),
    ]


def fill(erasure: Erasure) -> None:
    """As after ten attempts, with one place that would not be emptied."""
    now = timezone.now()
    done = {"verified_at": now, "left": 0}
    rows = {
        "memories": {"found": 1280, "removed": 1280, **done},
        "entities": {"found": 14, "removed": 14, **done},
        "history": {"found": 1300, "removed": 1299, **done, "left": 1, "problem": "one came back"},
        "messages": {},
    }
    ErasureStep.objects.bulk_create(
        ErasureStep(erasure=erasure, order=number, place=place, **row)  # type: ignore[arg-type]
        for number, (place, row) in enumerate(rows.items())
    )
    outside(erasure, "Crash reports", "The newsletter’s list")


@pytest.mark.parametrize("width", [390, 1280])
def test_they_look_right(width: int, officers_page: Page, looking: Looking, waiting: list[Erasure]) -> None:
    officers_page.set_viewport_size({"width": width, "height": 900})
    late, held, tried = waiting[0], waiting[5], waiting[7]
    fill(tried)
    album = f"requests-{width}"
    looking.opens("/support/", 200, f"{album} home")
    looking.opens(QUEUE, 200, f"{album} queue")
    looking.opens(f"{QUEUE}?show=held&law=ccpa", 200, f"{album} nothing there")
    looking.opens(f"{QUEUE}?reference=MP-0000-0000", 200, f"{album} no such reference")
    looking.opens(f"{QUEUE}new/", 200, f"{album} new")
    officers_page.get_by_role("button", name="Write it down").click()
    expect(officers_page.get_by_role("heading", name="There is a problem")).to_be_visible()
    looking.at(f"{album} new with errors")
    for each, what in ((late, "story"), (held, "held"), (tried, "tried in vain"), (waiting[3], "unknown")):
        looking.opens(story(each), 200, f"{album} {what}")
    for name in ACTS:
        looking.opens(story(waiting[3], f"{name}/"), 200, f"{album} {name}")
    looking.opens(story(waiting[1], "approve/"), 200, f"{album} approve")
    officers_page.get_by_role("button", name="Show what is hidden").click()
    expect(officers_page.get_by_text("customer-9")).to_be_visible()
    looking.at(f"{album} approve shown")
    looking.opens(story(late, "approve/"), 409, f"{album} approve one’s own work")
    looking.opens(story(tried, "again/"), 200, f"{album} again")
    looking.opens(story(tried, "except/"), 200, f"{album} except")
    officers_page.get_by_role("button", name="Ask a second person").click()
    expect(officers_page.get_by_role("heading", name="There is a problem")).to_be_visible()
    looking.at(f"{album} except with errors")
    another = {"excepted": ["messages"], "except_category": "damaged", "except_reason": "The disk is broken"}
    Erasure.objects.filter(pk=tried.pk).update(except_at=timezone.now(), **another)
    looking.opens(story(tried, "agree/"), 200, f"{album} agree")
    looking.opens(story(tried), 200, f"{album} waits for a second person")
    looking.opens(story(held, "release/"), 200, f"{album} release")
    place = tried.outside.first()
    assert place
    looking.opens(story(tried, f"outside/{place.pk}/"), 200, f"{album} outside")
    assert looking.problems == []


@pytest.fixture
def second_window(browser: Browser, db: None, base_url: str) -> Iterator[Page]:
    """A second person of privacy, without a script."""
    yield from other_window(browser, staff_member("privacy2", "privacy"), base_url, java_script_enabled=False)


def test_from_a_letter_to_the_second_person(
    browser: Browser, privacy: User, alice: User, second_window: Page, base_url: str
) -> None:
    """Without a script, by two people."""
    for page in other_window(browser, privacy, base_url, java_script_enabled=False):
        page.goto("/support/")
        page.get_by_role("link", name="Open the queue").click()
        page.get_by_role("link", name="Write one down").click()
        page.get_by_label("What they wrote").fill("I am customer 4711")
        page.get_by_label("Case number").fill("L-12")
        page.get_by_role("button", name="Write it down").click()
        expect(page.get_by_text("Waiting for proof of who asks")).to_be_visible()
        page.get_by_role("link", name="Say whose data it is").click()
        page.get_by_label("E-mail address of an account, or an id").fill("alice@example.com")
        page.get_by_role("button", name="Look for it").click()
        expect(page.get_by_label("the id that this portal gave them")).to_be_checked()
        page.get_by_role("button", name="These are the person’s ids").click()
        page.get_by_role("link", name="Say who asks").click()
        page.get_by_label("How you checked who asks").fill("She called back from the number that we have")
        page.get_by_role("button", name="Yes, I checked it").click()
        expect(page.get_by_text("it has to be somebody else")).to_be_visible()
        expect(page.get_by_role("link", name="Approve it")).to_have_count(0)
    erasure = Erasure.objects.get()
    second_window.goto(QUEUE)
    second_window.get_by_label("Open one by its reference").fill(erasure.reference.lower())
    second_window.get_by_role("button", name="Open it").click()
    second_window.get_by_role("link", name="Approve it").click()
    second_window.get_by_role("button", name="Show what is hidden").click()
    expect(second_window.get_by_text(alice.subject)).to_be_visible()
    second_window.get_by_role("button", name="Approve it").click()
    expect(second_window.get_by_text("Begins soon")).to_be_visible()
    erasure.refresh_from_db()
    assert (erasure.state, erasure.subjects) == ("waiting", [alice.subject])


def test_a_queue_is_read_with_the_keyboard(officers_page: Page, waiting: list[Erasure]) -> None:
    """The first request is reached by the way that the page offers, and Enter opens it."""
    officers_page.goto(QUEUE)
    link = officers_page.get_by_role("link", name=waiting[0].reference)
    link.focus()
    expect(link).to_be_focused()
    officers_page.keyboard.press("Enter")
    expect(officers_page.get_by_role("heading", level=1)).to_contain_text(waiting[0].reference)
