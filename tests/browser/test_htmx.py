"""What a person notices when only a part of the page is swapped: where they are, what they hear, and when it fails."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect
from psycopg import sql
from pytest_django import Settings
from pytest_playwright.pytest_playwright import CreateContextCallback

from memoryportal.accounts.models import User
from memoryportal.erasure.models import State
from memoryportal.erasure.moves import move
from memoryportal.memory import ScopedMemory
from memoryportal.memory.configuration import configuration
from memoryportal.memory.stores import current_store
from tests.erasure.making import an_erasure

from .conftest import NOWHERE, enter
from .journey import one
from .watching import Watch

pytestmark = pytest.mark.django_db(transaction=True)
SEARCH = "/memories/search/"
# Says in the console when a form that asks for a password turns up inside the list, for however short a time.
GUARD = """new MutationObserver(() => {
    if (document.querySelector("#memories [type=password]")) console.error("a sign-in form inside the list");
}).observe(document, {childList: true, subtree: true})"""


@pytest.fixture
def the_list(alices_page: Page, remembered: ScopedMemory) -> Page:
    """Alice looks at the first page of her list."""
    alices_page.goto("/memories/")
    return alices_page


def focused(page: Page) -> str:
    """The element that the keyboard is at: its id, or its words."""
    found: str = page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
    return found


def search(page: Page, words: str) -> None:
    """By typing alone, and until the answer is there."""
    with page.expect_response(f"**{SEARCH}"):
        page.get_by_role("searchbox").fill(words)


# --- focus and voice -------------------------------------------------------------------------------------------------


def test_typing_leaves_the_cursor_where_it_is_and_says_how_many(the_list: Page) -> None:
    search(the_list, "vegetarian")
    results = the_list.locator("#memories h2").first
    expect(results).to_have_text(re.compile(r"^\d+ results$"))
    expect(the_list.locator("#live")).to_have_text(results.inner_text())
    assert focused(the_list) == "id_q"


def test_the_search_button_leads_to_the_results(the_list: Page) -> None:
    the_list.get_by_role("searchbox").fill("vegetarian")
    the_list.get_by_role("button", name="Search", exact=True).click()
    expect(the_list.locator("#memories [data-focus-after-swap]")).to_be_focused()
    assert re.fullmatch(r"\d+ results", focused(the_list))


def test_the_last_of_several_searches_stays(the_list: Page) -> None:
    """Whoever types on quickly never ends with the answer to less than they typed."""
    the_list.get_by_role("searchbox").press_sequentially("Clara's coriander", delay=60)
    expect(the_list.locator("#memories")).to_contain_text("Her sister Clara does not like coriander.")
    the_list.get_by_label("By exact word").check(force=True)
    expect(the_list.locator("#live")).to_have_text("No memory contains all these words.")


def test_an_emptied_field_shows_the_list_again(the_list: Page, remembered: ScopedMemory) -> None:
    search(the_list, "vegetarian")
    expect(the_list.locator("#memories h2").first).to_contain_text("result")
    search(the_list, "")
    expect(the_list.locator("#live")).to_have_text(f"25 of {remembered.count()} memories shown")
    expect(the_list.locator("[data-memory-id]")).to_have_count(25)


def test_words_that_cannot_be_searched_for_are_refused_in_place(the_list: Page) -> None:
    search(the_list, "   ")
    expect(the_list.locator("#memories")).to_contain_text("Write what to search for.")
    expect(the_list.locator("#live")).to_have_text("Write what to search for.")
    assert the_list.url.endswith("/memories/")


def test_an_erasure_that_is_watched_says_when_it_is_done(alices_page: Page, alice: User) -> None:
    """It asks by itself, and never pulls the keyboard away."""
    erasure = an_erasure(alice.subject, state="verifying", account=alice)
    alices_page.goto(f"/erasure/{erasure.pk}/")
    alices_page.get_by_role("link", name="Take it with you").focus()
    move(erasure, State.COMPLETED)
    expect(alices_page.locator("[data-erasure-state=completed]")).to_be_visible()
    expect(alices_page.locator("#live")).to_contain_text("Erased. Everything was removed.")
    assert focused(alices_page) == "Take it with you"


# --- ticking and sending ---------------------------------------------------------------------------------------------


def test_all_are_selected_at_once_also_after_a_swap(the_list: Page) -> None:
    search(the_list, "vegetarian")
    expect(the_list.locator("#memories h2").first).to_contain_text("result")
    everything, boxes = the_list.get_by_label("Select all on this page"), the_list.locator("input[name=id]")
    everything.check()
    assert boxes.count() > 2
    assert all(box.is_checked() for box in boxes.all())
    boxes.first.uncheck()
    assert everything.evaluate("box => [box.checked, box.indeterminate]") == [False, True]
    everything.check()
    everything.uncheck()
    assert not any(box.is_checked() for box in boxes.all())


@contextmanager
def slow_store() -> Iterator[None]:
    """Every change waits until this ends."""
    table = sql.Identifier(current_store().tables.name())
    with psycopg.connect(configuration().owner_dsn) as owner:
        owner.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))
        yield


def test_a_second_click_changes_nothing(the_list: Page, remembered: ScopedMemory, base_url: str) -> None:
    """Also after a moment of waiting, which is when people click again."""
    item, watch = one(remembered, "Has a grey cat"), Watch(the_list.context, base_url)
    the_list.goto(f"/memories/{item.id}/delete/")
    button = the_list.get_by_role("button", name="Delete it now")
    box = button.bounding_box()
    assert box
    with slow_store():
        with the_list.expect_request(f"**/{item.id}/delete/"):
            button.click(no_wait_after=True)
        the_list.mouse.dblclick(box["x"] + 5, box["y"] + 5)
    expect(the_list.get_by_text("Deleted: 1 memory")).to_be_visible()
    assert watch.count("POST", f"/memories/{item.id}/delete/") == 1


# --- trouble ---------------------------------------------------------------------------------------------------------


def test_a_session_that_ends_meanwhile_leads_to_the_sign_in(the_list: Page, base_url: str) -> None:
    """The whole page goes there and comes back to the list afterwards; no form ever lands inside the list."""
    watch = Watch(the_list.context, base_url)
    the_list.evaluate(GUARD)
    Session.objects.all().delete()
    the_list.get_by_role("searchbox").press_sequentially("vegetarian")
    expect(the_list.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert the_list.url.removeprefix(base_url) == "/accounts/login/?next=%2Fmemories%2F"
    assert watch.complaints == []


def test_a_session_that_ends_while_somebody_writes_keeps_the_words(the_list: Page, base_url: str) -> None:
    """They stay in the form, beside a sentence and a way to sign in that leaves this tab alone."""
    the_list.goto("/assistant/")
    Session.objects.all().delete()
    the_list.get_by_label("Your message").fill("I have a blue bicycle.")
    the_list.get_by_role("button", name="Send").click()
    error = the_list.get_by_role("alert")
    expect(error).to_contain_text("Your session has ended, so this was not sent, and nothing was changed.")
    expect(the_list.get_by_label("Your message")).to_have_value("I have a blue bicycle.")
    link = error.get_by_role("link", name="Sign in")
    with the_list.context.expect_page() as opened:
        link.click()
    assert opened.value.url.removeprefix(base_url) == "/accounts/login/?next=%2Fassistant%2F"
    expect(the_list.get_by_label("Your message")).to_have_value("I have a blue bicycle.")


def test_without_a_script_the_words_come_back_on_a_page(
    new_context: CreateContextCallback, alice: User, base_url: str
) -> None:
    context = new_context(java_script_enabled=False)
    enter(context, alice, base_url)
    page = context.new_page()
    page.goto("/assistant/")
    Session.objects.all().delete()
    page.get_by_label("Your message").fill("I have a blue bicycle.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    expect(page.get_by_label("What you wrote")).to_have_value("I have a blue bicycle.")


def test_the_guard_sees_a_form_inside_the_list(the_list: Page, base_url: str) -> None:
    watch = Watch(the_list.context, base_url)
    the_list.evaluate(GUARD)
    with the_list.expect_console_message():
        the_list.evaluate("document.querySelector('#memories').innerHTML = '<input type=password>'")
    assert watch.complaints == ["a sign-in form inside the list"]


def test_a_store_that_is_down_is_said_while_the_list_stays(the_list: Page, settings: Settings) -> None:
    shown = the_list.locator("[data-memory-id]").count()
    settings.MEMORY_DATABASE_URL, working = NOWHERE, settings.MEMORY_DATABASE_URL
    search(the_list, "vegetarian")
    alert = the_list.locator("#live-errors")
    expect(alert).to_contain_text("The place where memories are stored does not answer. Nothing was changed.")
    expect(the_list.locator("[data-memory-id]")).to_have_count(shown)
    settings.MEMORY_DATABASE_URL = working
    search(the_list, "vegetarian food")
    expect(the_list.locator("#memories h2").first).to_contain_text("result")
    expect(alert).to_be_empty()


def test_a_lost_connection_is_said_while_the_list_stays(the_list: Page) -> None:
    the_list.context.set_offline(True)
    the_list.get_by_role("searchbox").fill("vegetarian")
    expect(the_list.locator("#live-errors")).to_contain_text("The portal could not be reached. Nothing was changed.")
    expect(the_list.locator("[data-memory-id]")).to_have_count(25)
    the_list.context.set_offline(False)
    search(the_list, "vegetarian food")
    expect(the_list.locator("#live-errors")).to_be_empty()


def test_hostile_memories_stay_text(alices_page: Page, remembered: ScopedMemory, base_url: str) -> None:
    """Scripts, pictures that fail, and markup for htmx: all of it is read, none of it does anything."""
    watch = Watch(alices_page.context, base_url)
    alices_page.on("dialog", lambda dialog: watch.complaints.append(dialog.message))
    alices_page.goto("/memories/?run=form-testing")
    for text in ('<script>alert("x")</script>', "<img src=x onerror=alert(1)>", '<div hx-get="/erasure/"', "{{ 7*7 }}"):
        expect(alices_page.locator("#memories")).to_contain_text(text)
    search(alices_page, "alert")
    expect(alices_page.locator("#memories h2").first).to_contain_text("result")
    assert watch.complaints == []
    assert watch.count("GET", "/erasure/") == 0
