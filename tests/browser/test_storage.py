"""What stays in a browser: nothing. Whom it asks: nobody else. What the first visit weighs: little."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.test.testcases import LiveServerThread
from playwright.sync_api import Page, Response
from pytest_django import Settings

from memoryportal.accounts.models import User
from memoryportal.memory import ScopedMemory

from . import journey
from .conftest import enter
from .person import Person
from .watching import NOTHING, Watch, kept

pytestmark = pytest.mark.django_db(transaction=True)
FIRST_VISIT = 60_000  # bytes over the wire


@pytest.fixture
def watch(page: Page, base_url: str) -> Watch:
    return Watch(page.context, base_url)


def test_nothing_is_kept_and_nobody_else_is_asked(
    page: Page, watch: Watch, alice: User, remembered: ScopedMemory
) -> None:
    person = Person(page, "storage")
    journey.signs_in(person)
    journey.reads_the_list(person, remembered)
    journey.searches(person, "food without meat", "By meaning", "I am vegetarian.", script=True)
    journey.searches(person, "tester", "By exact word", "Works as a software tester", script=True)
    journey.filters(person, remembered, "travel_planner")
    journey.turns_the_page(person, remembered)
    assert kept(page) == NOTHING
    lisbon = journey.one(remembered, "Wants to stay four nights in Lisbon")
    journey.corrects(person, lisbon, "Grows tomatoes on the balcony.")
    journey.deletes(person, lisbon, remembered)
    journey.reads_everything_held(person, remembered)
    journey.exports(person, remembered)
    journey.lets_time_pass(alice, seconds=301)
    journey.erases_everything(person, remembered)
    assert kept(page) == NOTHING
    session = cookies(page)["session"]
    journey.leaves(person)
    assert kept(page) == NOTHING
    assert cookies(page)["session"] != session
    assert watch.complaints == []
    assert watch.strangers == []
    assert watch.count("POST", "/memories/search/") >= 2, "the watch sees what is asked"


def cookies(page: Page) -> dict[str, str]:
    """Name and value of each cookie; none of them may be read by scripts."""
    found = page.context.cookies()
    assert all(cookie["httpOnly"] for cookie in found)
    return {cookie["name"]: cookie["value"] for cookie in found}


def test_the_watch_sees_what_it_is_there_for(page: Page, watch: Watch) -> None:
    """Otherwise the test above would pass on any page."""
    page.goto("/")
    page.evaluate("localStorage.a = 1; sessionStorage.b = 2; document.cookie = 'c=3'")
    page.evaluate("Promise.all([caches.open('d'), new Promise(go => indexedDB.open('e').onsuccess = go)])")
    found = kept(page)
    assert (found["local"], found["session"], found["cookies"]) == ({"a": "1"}, {"b": "2"}, "c=3")
    assert (found["caches"], [database["name"] for database in found["databases"]]) == (["d"], ["e"])
    for name, attributes in (("img", "{src: 'http://127.0.0.1:9/pixel.png'}"), ("script", "{textContent: '1'}")):
        with page.expect_console_message(lambda message: message.text.startswith("POLICY")):
            page.evaluate(f"document.body.append(Object.assign(document.createElement('{name}'), {attributes}))")
    broken = [complaint.split()[1] for complaint in watch.complaints if complaint.startswith("POLICY")]
    assert broken == ["img-src", "script-src-elem"]


# --- the first visit -------------------------------------------------------------------------------------------------


@pytest.fixture
def production_like(transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[str]:
    """The address of a server that hands out static files as production does: hashed, compressed, by WhiteNoise."""
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_USE_FINDERS = False
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    thread = LiveServerThread("localhost", static_handler=lambda application: application)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    assert thread.error is None
    yield f"http://localhost:{thread.port}"
    thread.terminate()


def weights(page: Page, path: str) -> dict[str, int]:
    """Bytes over the wire of each answer, without headers. A page is counted as a proxy compresses it.

    The portal itself leaves pages as they are: next to what somebody else can put into a page, compression tells
    what else is in it (BREACH).
    """
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(path, wait_until="networkidle")
    return {urlsplit(answer.url).path: _weight(answer) for answer in answers}


def _weight(answer: Response) -> int:
    if answer.request.resource_type == "document":
        return len(gzip.compress(answer.body()))
    return answer.request.sizes()["responseBodySize"]


@pytest.mark.parametrize("path", ["/", "/memories/"])
def test_the_first_visit_is_small(
    path: str, production_like: str, page: Page, alice: User, remembered: ScopedMemory
) -> None:
    if path != "/":
        enter(page.context, alice, production_like)
    found = weights(page, production_like + path)
    assert {Path(name).suffix for name in found} == {"", ".css", ".js", ".svg"}, "all of a page was weighed"
    assert sum(found.values()) < FIRST_VISIT, found
