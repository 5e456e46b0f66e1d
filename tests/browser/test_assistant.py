"""Talking to the assistant: pause, talk, nothing is remembered; resume, it is. With and without a script."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_playwright.pytest_playwright import CreateContextCallback

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory, controls
from memoryportal.memory.stores import current_store
from tests.agent import llm_server
from tests.agent.llm_server import LlmServer

from .conftest import enter
from .looking import Looking
from .person import Person
from .test_journey import BROWSERS
from .watching import NOTHING, Watch, kept

pytestmark = pytest.mark.django_db(transaction=True)
PAGE, HEADING = "/assistant/", "Talk to the assistant"
ANSWER = "You told me that you are vegetarian,\nand that your cat is grey."


@pytest.fixture
def model(settings: Any) -> Iterator[LlmServer]:
    """A language model that is kind and learns one thing."""
    with llm_server.running() as server:
        settings.LLM_TIMEOUT_SECONDS = 3.0
        settings.MEM0_CONFIG = server.config(embedder=False)
        server.says = lambda asked: ANSWER
        server.facts = lambda prompt: [{"text": "Has a blue bicycle.", "attributed_to": "user"}]
        yield server


def says(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.get_by_role("button", name="Send").click()


def latest(page: Page) -> Any:
    return page.locator("#latest")


# --- the story -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BROWSERS)
def test_pause_talk_nothing_resume_it_is(
    kind: str,
    new_context: CreateContextCallback,
    base_url: str,
    alice: User,
    remembered: ScopedMemory,
    canary: ScopedMemory,
) -> None:
    context = new_context(**BROWSERS[kind])
    enter(context, alice, base_url)
    person = Person(context.new_page(), f"assistant/{kind}")
    before = remembered.count()
    finds(person)
    tells(person, "I have a blue bicycle.")
    expect(latest(person.page)).to_contain_text("Remembered:")
    person.looks("told")
    assert remembered.count() == before + 1

    switches(person, re.compile("^Pause remembering.*all assistants"))
    person.opens(PAGE)
    tells(person, "I have a green canoe.")
    expect(latest(person.page)).to_contain_text("Not remembered: you have paused remembering.")
    person.reads("Remembering is paused.")
    person.looks("told while paused")
    assert remembered.count() == before + 1
    assert not any("canoe" in message.text for message in remembered.messages())

    switches(person, re.compile("^Let them remember again.*all assistants"))
    person.opens(PAGE)
    assert "canoe" not in person.page.content()
    tells(person, "I have a green canoe.")
    expect(latest(person.page)).to_contain_text("Remembered:")
    assert remembered.count() == before + 2
    ends(person)
    assert remembered.count() == before + 2


def finds(person: Person) -> None:
    """By the navigation, and with a question."""
    person.opens("/memories/")
    person.page.get_by_role("navigation", name="Your data").get_by_role("link", name="Assistant").click()
    person.arrives(HEADING)
    tells(person, "Do I eat meat, or am I vegetarian?")
    expect(latest(person.page)).to_contain_text("I remember:")
    expect(latest(person.page)).to_contain_text("I am vegetarian.")
    expect(latest(person.page)).to_contain_text("Not remembered: what ends with a question mark is only looked up.")
    person.looks("asked")


def tells(person: Person, text: str) -> None:
    says(person.page, text)
    expect(latest(person.page)).to_contain_text(text)
    assert text.split()[-1].rstrip(".?") not in person.page.url


def switches(person: Person, button: re.Pattern[str]) -> None:
    person.opens("/settings/assistants/")
    person.presses(button)
    person.page.locator(".notice").first.wait_for()


def ends(person: Person) -> None:
    person.presses("End this conversation")
    expect(person.page.locator("#talk ol")).to_have_count(0)
    person.arrives(HEADING)


# --- with a script ---------------------------------------------------------------------------------------------------


def test_the_answer_is_heard_and_the_cursor_is_where_one_goes_on(
    alices_page: Page, remembered: ScopedMemory, model: LlmServer, base_url: str
) -> None:
    watch = Watch(alices_page.context, base_url)
    alices_page.goto(PAGE)
    says(alices_page, "What do you know about me?")
    heard = alices_page.locator("#live")
    expect(heard).to_have_text(
        re.compile("^The assistant: You told me that you .* Remembered: Has a blue bicycle.$", re.S)
    )
    expect(alices_page.get_by_label("Your message")).to_be_focused()
    expect(alices_page.get_by_label("Your message")).to_have_value("")
    expect(latest(alices_page)).to_contain_text("Has a blue bicycle.")
    assert alices_page.url == f"{base_url}{PAGE}"
    assert kept(alices_page) == NOTHING
    assert (watch.complaints, watch.strangers) == ([], [])
    alices_page.reload()
    expect(latest(alices_page)).to_contain_text("You told me that you are vegetarian")
    assert watch.count("POST", PAGE) == 1


def test_one_message_however_often_one_clicks(
    alices_page: Page, remembered: ScopedMemory, model: LlmServer, base_url: str
) -> None:
    watch = Watch(alices_page.context, base_url)
    model.wild, model.wild_for = llm_server.silent(1.5), ("extraction",)
    alices_page.goto(PAGE)
    alices_page.get_by_label("Your message").fill("Hello")
    button = alices_page.get_by_role("button", name="Send")
    button.click(no_wait_after=True)
    expect(alices_page.get_by_text("The assistant is thinking…")).to_be_visible()
    button.dblclick(force=True, no_wait_after=True)
    expect(latest(alices_page)).to_contain_text("Not remembered: the language model gave nothing usable")
    assert watch.count("POST", PAGE) == 1


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_model_that_is_silent_takes_nothing_that_was_typed(
    script: bool,
    new_context: CreateContextCallback,
    base_url: str,
    alice: User,
    remembered: ScopedMemory,
    model: LlmServer,
) -> None:
    context = new_context(java_script_enabled=script, **BROWSERS["phone"])
    enter(context, alice, base_url)
    person, before = Person(context.new_page(), f"assistant/silent-{'' if script else 'no-'}script"), remembered.count()
    person.opens(PAGE)
    tells(person, "Hello")
    model.wild = llm_server.silent(5)
    says(person.page, "I have a green canoe.")
    expect(person.page.locator("#failure")).to_contain_text("The language model did not answer in time.")
    expect(person.page.get_by_label("Your message")).to_have_value("I have a green canoe.")
    expect(latest(person.page)).to_contain_text("You told me that you are vegetarian")
    if script:
        expect(person.page.locator("#live")).to_contain_text("The language model did not answer in time.")
        expect(person.page.get_by_label("Your message")).to_be_focused()
    person.looks("no answer")
    assert remembered.count() == before + 1
    model.wild = None
    person.presses("Send")
    expect(latest(person.page)).to_contain_text("I have a green canoe.")


def test_what_a_model_says_is_read_and_does_nothing(
    alices_page: Page, remembered: ScopedMemory, model: LlmServer, base_url: str
) -> None:
    watch = Watch(alices_page.context, base_url)
    alices_page.on("dialog", lambda dialog: watch.complaints.append(dialog.message))
    hostile = (
        "<script>alert(1)</script><img src=x onerror=alert(2)>"
        '<div hx-get="/erasure/" hx-trigger="load">x</div> [a](https://evil.example) ![b](https://evil.example/b.png)'
    )
    model.says, model.facts = lambda asked: hostile, lambda prompt: [{"text": hostile}]
    alices_page.goto(PAGE)
    says(alices_page, "Hello")
    expect(latest(alices_page).locator(".talk-answered bdi").first).to_have_text(hostile)
    alices_page.reload()
    expect(latest(alices_page).locator(".talk-answered bdi").first).to_have_text(hostile)
    assert latest(alices_page).locator(".talk-answered bdi a, .talk-answered bdi img").count() == 0
    assert (watch.complaints, watch.strangers) == ([], [])
    assert watch.count("GET", "/erasure/") == 0


def test_a_memory_is_deleted_from_here_and_the_way_leads_back(
    alices_page: Page, remembered: ScopedMemory, model: LlmServer
) -> None:
    alices_page.goto(PAGE)
    says(alices_page, "Hello")
    expect(latest(alices_page)).to_contain_text("Remembered:")
    before = remembered.count()
    latest(alices_page).get_by_role("link", name=re.compile("^Delete “Has a blue bicycle")).click()
    alices_page.get_by_role("button", name="Delete it now").click()
    expect(alices_page.get_by_role("heading", level=1)).to_have_text(HEADING)
    expect(alices_page.locator("#main")).to_contain_text("What was said here before went together with a memory")
    assert remembered.count() == before - 1


def test_a_memory_is_corrected_from_here_and_the_way_leads_back(
    alices_page: Page, remembered: ScopedMemory, model: LlmServer
) -> None:
    alices_page.goto(PAGE)
    says(alices_page, "Hello")
    latest(alices_page).get_by_role("link", name=re.compile("^Correct “Has a blue bicycle")).click()
    alices_page.get_by_label("New wording").fill("Has a red bicycle.")
    alices_page.get_by_role("button", name="Save").click()
    expect(alices_page.get_by_role("heading", level=1)).to_have_text(HEADING)
    expect(latest(alices_page)).to_contain_text("Has a red bicycle.")


# --- how it looks ----------------------------------------------------------------------------------------------------


def test_every_state_of_the_page_is_accessible(
    alices_page: Page, alice: User, remembered: ScopedMemory, model: LlmServer, settings: Any
) -> None:
    looking, subject = Looking(alices_page), remembered.subject
    looking.opens(PAGE, 200, "assistant, nothing said")
    says(alices_page, "What about my cat and my food?")
    expect(latest(alices_page)).to_contain_text("Remembered:")
    looking.at("assistant, an answer")
    alices_page.get_by_label("Your message").evaluate("field => field.removeAttribute('maxlength')")
    says(alices_page, "x" * 2001)
    expect(alices_page.locator("#error-summary")).to_contain_text("This is too long")
    looking.at("assistant, too long")
    model.wild = llm_server.sending(b"<html>")
    says(alices_page, "Hello again")
    expect(alices_page.locator("#failure")).to_contain_text("cannot be used")
    looking.at("assistant, no answer")
    model.wild = None
    for state, shut, free in (
        ("paused", controls.pause, controls.resume),
        ("restricted", controls.restrict, controls.unrestrict),
    ):
        shut(subject)
        alices_page.goto(PAGE)
        says(alices_page, "Hello again")
        expect(latest(alices_page)).to_contain_text("Not remembered: ")
        looking.at(f"assistant, {state}")
        free(subject)
    controls.shut(current_store(), subject, "erasing")
    alices_page.goto(PAGE)
    says(alices_page, "Hello again")
    expect(alices_page.locator("#failure")).to_contain_text("are being erased right now")
    looking.at("assistant, erasing")
    settings.MEM0_CONFIG = ""
    controls.reopen(current_store(), subject, "erasing")
    alices_page.goto(PAGE)
    says(alices_page, "Do I have a cat?")
    expect(latest(alices_page)).to_contain_text("I remember")
    looking.at("assistant, without a model")
    assert looking.problems == []
