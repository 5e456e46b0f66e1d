"""Everything held: each place with its count and its content, and nothing of anybody else."""

import re
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from memoryportal.accounts.subjects import mark_connected
from memoryportal.memory import ScopedMemory
from memoryportal.memory.backdate import Name, add_messages, add_names
from memoryportal.memory.configuration import configuration
from memoryportal.mydata.held import MOST, MOST_LINKS
from tests.memory.planted import plant_entity, plant_history, plant_message

from . import reading
from .remembered import everything, remember

pytestmark = pytest.mark.django_db
HELD = "/held/"
SAID_AT = datetime(2026, 6, 1, 8, 30, tzinfo=UTC)
GONE = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def superuser(alice_memory):
    with psycopg.connect(make_conninfo(configuration().owner_dsn, user="postgres"), autocommit=True) as connection:
        yield connection


def counts(response) -> dict[str, int]:
    found = re.findall(r'data-held="(\w+)">([\d,]+)<', reading.body(response))
    return {place: int(number.replace(",", "")) for place, number in found}


def section(response, name: str) -> str:
    """The words of one section, from its heading to the next one."""
    found = re.search(rf'<h2 id="{name}">.*?(?=<h2|</main>)', reading.body(response), re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found.group(0)).split()) if found else ""


def test_every_place_is_counted(alice_client, alice_memory):
    item = remember(alice_memory, "Lives in Bremen.", "I am vegetarian.")[0]
    alice_memory.update(item.id, "Lives in Hamburg.")
    add_names(alice_memory, [Name("Hamburg", "PLACE", [item.id])])
    add_messages(ScopedMemory(alice_memory.subject, agent="bot"), [("user", "Hello")] * 4, SAID_AT)
    response = alice_client.get(HELD)
    assert response.status_code == 200
    assert counts(response) == {"memories": 2, "entities": 1, "history": 3, "messages": 4, "uses": 0, "never": 0}
    assert "10 entries are held about you, in 6 places." in reading.words(response)


def test_names_stand_with_their_memories(alice_client, alice_memory):
    items = remember(alice_memory, "Lives in Hamburg.", "Her sister lives in Hamburg too.", "I am vegetarian.")
    add_names(alice_memory, [Name("Hamburg", "PLACE", [items[0].id, items[1].id])])
    response = alice_client.get(HELD)
    names = section(response, "names")
    assert "Hamburg place Lives in Hamburg. Her sister lives in Hamburg too." in names
    assert "vegetarian" not in names
    assert f'href="/memories/{items[1].id}/"' in reading.body(response)


def test_a_name_with_many_memories_names_a_few(alice_client, alice_memory):
    items = remember(alice_memory, *[f"Trip {number} to Lisbon." for number in range(MOST_LINKS + 3)])
    add_names(alice_memory, [Name("Lisbon", "PLACE", [item.id for item in items])])
    names = section(alice_client.get(HELD), "names")
    assert f"Trip {MOST_LINKS - 1} to Lisbon. and 3 more" in names


def test_a_name_without_its_memory_says_so(alice_client, alice_memory, superuser):
    plant_entity(superuser, str(alice_memory.subject), "Bremen", [GONE])
    plant_entity(superuser, str(alice_memory.subject), "Kyoto", [])
    names = section(alice_client.get(HELD), "names")
    assert "1 memory that is not there any more" in names
    assert "It comes from no memory that is still there." in names


def test_a_name_that_links_to_a_strangers_memory_does_not_show_it(alice_client, alice_memory, bob_memory, superuser):
    foreign = remember(bob_memory, "I always want a window seat.")[0]
    plant_entity(superuser, str(alice_memory.subject), "Oslo", [foreign.id])
    response = alice_client.get(HELD)
    assert "1 memory that is not there any more" in section(response, "names")
    assert "window seat" not in reading.body(response)
    assert foreign.id not in reading.body(response)


def test_messages_say_who_when_and_where(alice, alice_client, alice_memory):
    alice.time_zone = "Asia/Tokyo"
    alice.save()
    told = ScopedMemory(alice_memory.subject, agent="kitchen_helper", run="sunday-dinners")
    add_messages(told, [("user", "There are seven of us."), ("assistant", "Then cook two pots.")], SAID_AT)
    said = section(alice_client.get(HELD), "messages")
    when = "1 June 2026, 17:30 kitchen_helper sunday-dinners"
    assert f"There are seven of us. You said {when} Then cook two pots. The assistant said {when}" in said


def test_wordings_that_outlived_their_memory_are_shown(alice_client, alice_memory, superuser):
    kept = remember(alice_memory, "I am vegetarian.")[0]
    plant_history(superuser, str(alice_memory.subject), GONE, None, "I like fish.")
    gone = section(alice_client.get(HELD), "past")
    assert "I like fish." in gone
    assert "I am vegetarian." not in gone
    assert alice_memory.get(kept.id).text == "I am vegetarian."


def test_a_long_place_shows_its_beginning_and_says_so(alice_client, alice_memory, superuser):
    for number in range(MOST + 5):
        plant_message(superuser, str(alice_memory.subject), f"message {number}.")
    response = alice_client.get(HELD)
    assert counts(response)["messages"] == MOST + 5
    said = section(response, "messages")
    assert f"These are the first {MOST}." in said
    assert f"message {MOST - 1}." in said
    assert f"message {MOST}." not in said


def test_nothing_of_anybody_else(alice_client, alice_memory, bob_memory):
    item = remember(bob_memory, "I always want a window seat.")[0]
    bob_memory.update(item.id, "I always want an aisle seat.")
    add_names(bob_memory, [Name("Oslo", "PLACE", [item.id])])
    add_messages(bob_memory, [("user", "The night train, please.")], SAID_AT)
    response = alice_client.get(HELD)
    assert counts(response) == {"memories": 0, "entities": 0, "history": 0, "messages": 0, "uses": 0, "never": 0}
    assert re.search("window|aisle|Oslo|night train|bob@", reading.body(response)) is None


def test_hostile_texts_stay_text(alice_client, alice_memory):
    text = '<img src=x onerror=alert(1)> {{ 7*7 }} <a hx-get="/erasure/" hx-trigger="load">'
    item = remember(alice_memory, text)[0]
    add_names(alice_memory, [Name(text, "<i>", [item.id])])
    add_messages(ScopedMemory(alice_memory.subject, agent="<i>"), [("user", text)], SAID_AT)
    response = alice_client.get(HELD)
    assert reading.texts(response).count(text) == 2
    assert re.findall(r"<img[^>]*onerror|<i>|<a hx-get", reading.body(response)) == []
    assert "49" not in reading.texts(response)


def test_an_account_that_was_never_connected_is_not_told_that_nothing_is_held(alice, alice_client):
    words = reading.words(alice_client.get(HELD))
    assert "Nothing is stored under this account" in words
    assert "Nothing is held about you" not in words
    mark_connected(alice)
    words = reading.words(alice_client.get(HELD))
    assert "Nothing is held about you" in words
    assert "Nothing is stored under this account" not in words


def test_what_the_portal_keeps(alice, alice_client):
    kept = section(alice_client.get(HELD), "portal")
    assert "E-mail address alice@example.com." in kept
    assert "A fingerprint of it (a hash), never the password itself." in kept
    assert "Second factor None." in kept
    assert "Sessions 1, each with network address and browser." in kept
    assert "Time zone UTC." in kept
    assert "Ids 1, under which assistants keep your memories." in kept
    assert "Erasures None so far." in kept


def test_a_store_that_is_down_is_never_an_empty_page(alice_client, alice_memory, settings):
    remember(alice_memory, "I am vegetarian.")
    settings.MEMORY_DATABASE_URL = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"
    response = alice_client.get(HELD)
    assert response.status_code == 503
    assert counts(response) == {}


def test_anonymous_people_go_to_the_login(client):
    assert client.get(HELD).headers["Location"] == "/accounts/login/?next=/held/"


def test_it_can_only_be_looked_at(alice_client, alice_memory):
    remember(alice_memory, "I am vegetarian.")
    before = everything(alice_memory)
    assert alice_client.post(HELD).status_code == 405
    assert everything(alice_memory) == before


def test_the_page_costs_the_same_for_one_name_and_for_fifty(alice_client, alice_memory):
    items = remember(alice_memory, *[f"Trip {number}." for number in range(50)])
    add_names(alice_memory, [Name("first", "PLACE", [items[0].id])])
    alice_client.get(HELD)
    with reading.wire() as few:
        alice_client.get(HELD)
    add_names(alice_memory, [Name(f"name {n}", "PLACE", [items[n].id]) for n in range(1, 50)])
    with reading.wire() as many:
        alice_client.get(HELD)
    assert len(many) == len(few)
