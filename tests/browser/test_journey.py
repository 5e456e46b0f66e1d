"""The whole journey: signing up, reading, correcting, taking along, deleting, erasing. Without a script too."""

from typing import Any

import pytest
from pytest_playwright.pytest_playwright import CreateContextCallback

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.mydata.demo import load_person

from . import journey
from .person import Person

pytestmark = pytest.mark.django_db(transaction=True)
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
BROWSERS = {
    "phone": {**PHONE, "color_scheme": "light", "timezone_id": "Asia/Tokyo"},
    "phone-no-script": {**PHONE, "color_scheme": "dark", "java_script_enabled": False, "timezone_id": "Asia/Tokyo"},
    "desktop": {**DESKTOP, "color_scheme": "dark"},
    "desktop-no-script": {**DESKTOP, "color_scheme": "light", "java_script_enabled": False},
}


@pytest.mark.parametrize("kind", BROWSERS)
def test_the_whole_journey(kind: str, new_context: CreateContextCallback, base_url: str, canary: ScopedMemory) -> None:
    script = "no-script" not in kind
    alice = Person(new_context(**BROWSERS[kind]).new_page(), f"journey/{kind}")
    account = journey.signs_up(alice)
    assert account.time_zone == ("Asia/Tokyo" if kind == "phone" else "UTC"), "a browser without a script cannot say it"
    journey.signs_in(alice)
    journey.sees_an_account_that_no_assistant_uses(alice)

    load_person("alice", subject := SubjectId(account.subject))  # assistants begin to use her id
    memory = ScopedMemory.for_person(subject)
    try:
        look_around(alice, memory, script)
        change(alice, memory, script)
        journey.reads_everything_held(alice, memory)
        journey.exports(alice, memory)
        journey.lets_time_pass(account, seconds=301)
        journey.erases_everything(alice, memory)
        journey.sees_that_nothing_is_left(alice)
        journey.leaves(alice)
    finally:
        memory.erase()
    assert canary.count() == 1


def look_around(alice: Person, memory: ScopedMemory, script: bool) -> None:
    journey.reads_the_list(alice, memory)
    journey.searches(alice, "food without meat", "By meaning", "I am vegetarian.", script)
    journey.searches(alice, "tester", "By exact word", "Works as a software tester", script)
    journey.filters(alice, memory, "travel_planner")
    journey.turns_the_page(alice, memory)


def change(alice: Person, memory: ScopedMemory, script: bool) -> None:
    lisbon = journey.one(memory, "Wants to stay four nights in Lisbon")
    journey.corrects(alice, lisbon, "Grows tomatoes on the balcony.")
    journey.searches(alice, "vegetables in pots", "By meaning", "Grows tomatoes on the balcony.", script)
    journey.purges(alice, lisbon, "Wants to stay all seven nights in Lisbon.")
    journey.deletes(alice, journey.one(memory, "Has a grey cat"), memory)
    journey.deletes_several(alice, memory)
    journey.deletes_all_that_match(alice, memory, "form-testing")
