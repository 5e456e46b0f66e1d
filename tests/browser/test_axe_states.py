"""No violation of WCAG 2.2 AA either while something is wrong, missing, or not yet there."""

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings

from memoryportal.accounts.demo import PASSWORD
from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import mark_connected
from memoryportal.erasure import engine, identity, services
from memoryportal.erasure.models import ErasureStep, OutsidePlace, State
from memoryportal.memory import ScopedMemory, SubjectId
from tests.accounts.helpers import links_in
from tests.erasure.making import an_erasure
from tests.mydata.asking import link_for

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


STEPS = (
    {"place": "memories", "order": 0, "found": 3, "removed": 3, "left": 0},
    {"place": "entities", "order": 1, "found": 2, "removed": 1, "left": 1},
    {"place": "history", "order": 2, "found": 2, "problem": "the store did not answer"},
)


def test_erasures_in_every_state(looking: Looking, alices_page: Page, alice: User, settings: Settings) -> None:
    soon = timezone.now() + timedelta(hours=5)
    for state in State:
        erasure = an_erasure(
            f"was-{state}", state=state, account=alice, ground="A court asked for it.", grace_until=soon
        )
        ErasureStep.objects.bulk_create(ErasureStep(erasure=erasure, verified_at=soon, **step) for step in STEPS)
        OutsidePlace.objects.create(erasure=erasure, name="Newsletter")
        alices_page.goto(f"/erasure/{erasure.pk}/")
        looking.at(f"erasure {state.value}")
        alices_page.goto(f"/requests/s/{identity.new_secret(erasure)}/")
        looking.at(f"request {state.value}")
    alices_page.goto("/erasure/")
    looking.at("erasures so far")
    assert looking.problems == []


def test_taking_back_and_receipts(looking: Looking, alices_page: Page, alice: User, settings: Settings) -> None:
    waiting = an_erasure("was-waiting", state="waiting", account=alice)
    looking.opens(f"/erasure/{waiting.pk}/cancel/", 200, "taking back")
    done = engine.run(services.ask(alice, SubjectId(alice.subject)))
    looking.opens(f"/erasure/{done.pk}/receipt/", 200, "a receipt")
    for name, document in (("genuine", json.dumps(done.receipt)), ("garbage", "{"), ("missing", "")):
        alices_page.goto("/requests/verify/")
        alices_page.get_by_label("Or its text").fill(document)
        alices_page.get_by_role("button", name="Check it").click()
        looking.at(f"a receipt that is {name}")
    assert looking.problems == []


def test_asking_without_an_account(looking: Looking, page: Page, settings: Settings) -> None:
    page.goto("/requests/")
    presses(page, "Send the request", "There is a problem")
    looking.at("a request with errors")
    page.get_by_label("Only what one assistant remembers").check(force=True)
    looking.at("a request about one assistant")
    page.goto(link_for(Client(), "somebody@example.com", scope="account", told="I am u_17"))
    looking.at("a request to confirm")
    presses(page, "No: take it back", "Taken back")
    looking.at("a request taken back")
    looking.opens("/requests/confirm/", 404, "a link that is not valid")
    settings.REQUESTS_PER_NETWORK = 0
    page.goto("/requests/")
    page.get_by_label("Your e-mail address").fill("somebody@example.com")
    presses(page, "Send the request", "Too many requests")
    looking.at("too many requests")
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
