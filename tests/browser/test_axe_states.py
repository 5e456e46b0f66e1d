"""No violation of WCAG 2.2 AA either while something is wrong, missing, or not yet there."""

import pytest
from django.core import mail
from playwright.sync_api import Page, expect
from pytest_django import Settings

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import mark_connected
from memoryportal.erasure import services
from memoryportal.erasure.models import Erasure, State
from memoryportal.memory import ScopedMemory, SubjectId
from tests.accounts.helpers import links_in

from .conftest import NOWHERE
from .journey import one
from .looking import Looking

pytestmark = pytest.mark.django_db(transaction=True)


SEARCHES = (
    ("meaning", "food", "result"),
    ("meaning", "tectonic plates", "Nothing close to that."),
    ("word", "Lisbon", "result"),
    ("word", "tectonic", "No memory contains that."),
    ("word", " ", "Write what to search for."),
)


def presses(page: Page, button: str, heading: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("heading", name=heading)).to_be_visible()


# --- signing in ------------------------------------------------------------------------------------------------------


def test_signing_in_that_does_not_work(looking: Looking, page: Page, settings: Settings) -> None:
    for path, button in (
        ("/accounts/login/", "Sign in"),
        ("/accounts/signup/", "Create account"),
        ("/accounts/password/reset/", "Send me the link"),
    ):
        page.goto(path)
        presses(page, button, "There is a problem")
        looking.at(f"{path} with errors")
    settings.SIGNUP_OPEN = False
    looking.opens("/accounts/signup/", 200, "sign-up is closed")
    looking.opens("/accounts/login/", 200, "sign-in while sign-up is closed")
    settings.ACCOUNT_RATE_LIMITS = {"reset_password": "1/m/ip"}
    for _ in range(2):
        page.goto("/accounts/password/reset/")
        page.get_by_label("E-mail address").fill("alice@example.com")
        page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Too many attempts")
    looking.at("too many attempts")
    assert looking.problems == []


def test_links_out_of_mails(looking: Looking, page: Page, alice: User) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("E-mail address").fill("new@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    presses(page, "Create account", "Look into your e-mail")
    looking.at("look into your e-mail")
    page.goto("/accounts/password/reset/")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("textbox")).to_have_count(0)
    confirm, reset = (links_in(letter.body)[0] for letter in mail.outbox)
    page.goto(confirm)
    looking.at("confirm an address")
    page.goto(reset)
    looking.at("choose a new password")
    assert looking.problems == []


# --- memories --------------------------------------------------------------------------------------------------------


def test_pages_without_memories(looking: Looking, alices_page: Page, alice: User) -> None:
    for state in ("never connected", "empty"):
        for path in ("/memories/", "/held/", "/export/", "/erasure/"):
            alices_page.goto(path)
            looking.at(f"{path} {state}")
        mark_connected(alice)
    assert looking.problems == []


def test_pages_of_somebody_with_two_ids(looking: Looking, alices_page: Page, alice: User) -> None:
    link(alice, SubjectId("alice-in-another-login"), reason="She showed us both.", issuer="Example Assistant")
    for path in ("/settings/", "/export/", "/erasure/"):
        alices_page.goto(path)
        looking.at(f"{path} two ids")
    assert looking.problems == []


def test_lists_that_were_filtered_and_searched(
    looking: Looking, alices_page: Page, remembered: ScopedMemory, settings: Settings
) -> None:
    looking.opens("/memories/?agent=support_bot", 200, "filtered")
    looking.opens("/memories/?agent=nobody", 200, "filtered to nothing")
    looking.opens("/memories/?since=soon", 200, "a filter that cannot be read")
    looking.opens("/memories/?after=stale", 200, "an old link")
    for by, words, says in SEARCHES:
        alices_page.goto("/memories/")
        alices_page.get_by_role("searchbox").fill(words)
        alices_page.locator(f"[name=by][value={by}]").check(force=True)
        alices_page.evaluate("document.getElementById('search').submit()")  # as without a script: a whole page
        alices_page.wait_for_url("**/memories/search/")
        expect(alices_page.locator("#memories")).to_contain_text(says)
        looking.at(f"search by {by} for {words.strip() or 'nothing'}")
    alices_page.goto("/memories/")
    alices_page.get_by_role("searchbox").fill("a holiday")
    expect(alices_page.locator("#memories h2", has_text="result")).to_be_visible()
    looking.at("results in the list")
    assert looking.problems == []


def test_changes_that_are_asked_about(looking: Looking, alices_page: Page, remembered: ScopedMemory) -> None:
    item = one(remembered, "Has a grey cat")
    alices_page.goto(f"/memories/{item.id}/edit/")
    alices_page.get_by_label("New wording").fill(" ")
    presses(alices_page, "Save", "There is a problem")
    looking.at("a correction to nothing")
    alices_page.goto(f"/memories/{item.id}/edit/")
    remembered.update(item.id, "Has a grey cat named Voxel.")
    alices_page.get_by_label("New wording").fill("Has a dog.")
    presses(alices_page, "Save", "How it reads now")
    looking.at("a correction after another")
    alices_page.goto("/memories/")
    alices_page.get_by_label("Select all on this page").check()
    presses(alices_page, "Delete selected…", "Delete 25 memories?")
    looking.at("delete several")
    alices_page.goto("/memories/?run=form-testing")
    presses(alices_page, "Delete all 16 that fit…", "Delete all 16 memories")
    looking.at("delete all that match")
    alices_page.get_by_role("button", name="Delete all 16 now").click()
    looking.at("deleted")
    assert looking.problems == []


def test_erasures_in_every_state(looking: Looking, alices_page: Page, alice: User) -> None:
    for state in State:
        erasure = services.ask(alice, SubjectId(f"was-{state.value}"))
        erasure.steps.filter(order=0).update(found=3, removed=3, left=0, verified_at=erasure.asked_at)
        erasure.steps.filter(order=1).update(found=2, removed=1, left=1, verified_at=erasure.asked_at)
        erasure.steps.filter(order=2).update(found=2, problem="the store did not answer")
        Erasure.objects.filter(pk=erasure.pk).update(state=state, began_at=erasure.asked_at)
        alices_page.goto(f"/erasure/{erasure.pk}/")
        looking.at(f"erasure {state.value}")
    alices_page.goto("/erasure/")
    looking.at("erasures so far")
    assert looking.problems == []


# --- trouble ---------------------------------------------------------------------------------------------------------


def test_pages_about_trouble(looking: Looking, alices_page: Page, settings: Settings) -> None:
    looking.opens("/nothing-here/", 404, "nothing here")
    alices_page.goto("/settings/")
    alices_page.context.clear_cookies(name="csrf")
    presses(alices_page, "Save the time zone", "This form has expired")
    looking.at("an expired form")
    settings.MEMORY_DATABASE_URL = NOWHERE
    looking.opens("/memories/", 503, "the store is down")
    settings.ROOT_URLCONF = "tests.base.urls"
    looking.opens("/broken", 500, "a fault of ours")
    assert looking.problems == []
