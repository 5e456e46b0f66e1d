"""Pause, restrict and forbid in a real browser, with and without scripts; the pages in both themes, through axe."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory, UseRestricted, WritesPaused, controls

from .conftest import enter
from .looking import Looking

PAGE = "/settings/assistants/"
WORDS = "Gave up coffee for good."


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def somewhere(request: pytest.FixtureRequest, browser: Browser, alice: User, base_url: str) -> Page:
    context = browser.new_context(base_url=base_url, java_script_enabled=request.param)
    enter(context, alice, base_url)
    return context.new_page()


def _presses(page: Page, button: str, says: str) -> None:
    words, _, whom = button.partition(": ")
    page.get_by_role("button", name=re.compile(f"^{words} ?: {whom}$")).click()
    expect(page.locator("main, .page").first).to_contain_text(says)


def test_pause_and_nothing_is_remembered_resume_and_it_is(somewhere: Page, remembered: ScopedMemory) -> None:
    bot, total = ScopedMemory(remembered.subject, agent="support_bot"), remembered.count()
    somewhere.goto("/settings/")
    somewhere.get_by_role("link", name="Your assistants").click()
    _presses(somewhere, "Pause remembering: all assistants", "Remembering is paused since")
    with pytest.raises(WritesPaused):
        bot.add(WORDS)
    somewhere.goto("/memories/")
    expect(somewhere.get_by_text("Remembering is paused for all assistants since")).to_be_visible()
    expect(somewhere.locator("[data-memory-total]")).to_have_attribute("data-memory-total", str(total))
    somewhere.get_by_role("link", name="Switch it back").click()
    _presses(
        somewhere, "Let them remember again: all assistants", "All assistants may remember things about you again."
    )
    assert bot.add(WORDS)[0].text == WORDS
    somewhere.goto("/memories/")
    expect(somewhere.get_by_text(WORDS)).to_be_visible()
    expect(somewhere.get_by_text("Remembering is paused")).to_have_count(0)


def test_keep_it_and_do_not_use_it(somewhere: Page, remembered: ScopedMemory) -> None:
    bot = ScopedMemory(remembered.subject, agent="support_bot")
    somewhere.goto(PAGE)
    _presses(somewhere, "Keep my memories, do not use them: support_bot", "Using your memories is off since")
    with pytest.raises(UseRestricted):
        bot.search("coffee")
    assert ScopedMemory(remembered.subject, agent="travel_planner").page().total
    _presses(somewhere, "Let it use my memories again: support_bot", "may use your memories again")
    assert bot.page().total


def test_delete_and_never_learn_it_again(somewhere: Page, remembered: ScopedMemory) -> None:
    bot = ScopedMemory(remembered.subject, agent="support_bot")
    (item,) = bot.add(WORDS)
    somewhere.goto(f"/memories/{item.id}/delete/")
    somewhere.get_by_label("And never learn this again").check()
    somewhere.get_by_role("button", name="Delete it now").click()
    expect(somewhere.get_by_text("stopped from now on and not learned again")).to_be_visible()
    assert bot.add(WORDS.upper()).stopped == 1
    somewhere.goto("/held/")
    expect(somewhere.locator("[data-held=never]")).to_have_text("1")
    somewhere.get_by_role("button", name="Let it be learned again").click()
    expect(somewhere.locator("[data-held=never]")).to_have_text("0")
    assert bot.add(WORDS).stopped == 0


def test_the_pages_in_every_state(looking: Looking, alices_page: Page, remembered: ScopedMemory) -> None:
    looking.opens(PAGE, 200, "assistants")
    item = ScopedMemory(remembered.subject, agent="support_bot").page(limit=1).items[0]
    looking.opens(f"/memories/{item.id}/", 200, "a memory that was handed out")
    looking.opens(f"/memories/{item.id}/delete/", 200, "delete, and never again")
    other = remembered.page(limit=1, order="oldest").items[0]
    remembered.delete(other.id, never_again=True)
    controls.pause(remembered.subject)
    controls.restrict(remembered.subject, "support_bot")
    looking.opens(PAGE, 200, "assistants, switched")
    looking.opens("/memories/", 200, "the list while switched")
    looking.opens("/held/", 200, "held, with uses and stopped wordings")
    looking.opens("/activity/", 200, "activity")
    assert looking.problems == []
