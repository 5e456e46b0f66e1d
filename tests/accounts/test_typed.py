"""What was typed into a form is given back when the session has ended meanwhile; nothing is done with it."""

import dataclasses
import html
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from memoryportal.memory import Item, ScopedMemory

pytestmark = pytest.mark.django_db
TYPED = 'I am <b>vegetarian</b>,\n"truly" & since May.'
HTMX = {"HX-Request": "true", "HX-Target": "talk", "HX-Current-URL": "http://testserver/assistant/"}


@pytest.fixture
def item(alice_memory: ScopedMemory) -> Item:
    return alice_memory.add("Has a grey cat.", infer=False)[0]


@pytest.fixture
def ended(alice_client: Client) -> Client:
    """Alice's browser, whose session has ended meanwhile."""
    Session.objects.all().delete()
    return alice_client


def posts(client: Client, kind: str, item: Item, typed: str, **more: Any) -> Any:
    path, field = {"message": ("/assistant/", "message"), "correction": (f"/memories/{item.id}/edit/", "text")}[kind]
    return client.post(path, {field: typed}, **more)


def left(memory: ScopedMemory) -> Any:
    return [(item.text, item.version) for item in memory.walk()], memory.held()


@pytest.mark.parametrize("kind", ["message", "correction"])
def test_the_page_gives_it_back(kind: str, item: Item, ended: Client, alice_memory: ScopedMemory) -> None:
    before = left(alice_memory)
    answer = posts(ended, kind, item, TYPED)
    assert answer.status_code == 403
    assert f">\n{html.escape(TYPED)}</textarea>" in answer.content.decode()
    assert 'href="/accounts/login/?next=%2F' in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert left(alice_memory) == before


def test_for_htmx_a_sentence_and_no_text(item: Item, ended: Client, alice_memory: ScopedMemory) -> None:
    before = left(alice_memory)
    answer = posts(ended, "message", item, TYPED, headers=HTMX)
    assert answer.status_code == 403
    assert "HX-Redirect" not in answer.headers
    assert "vegetarian" not in answer.content.decode()
    assert 'data-error-link href="/accounts/login/?next=%2Fassistant%2F"' in answer.content.decode()
    assert left(alice_memory) == before


@pytest.mark.parametrize("kind", ["message", "correction"])
@pytest.mark.parametrize("typed", ["", " \n "])
def test_where_nothing_was_typed_it_is_the_sign_in(kind: str, typed: str, item: Item, ended: Client) -> None:
    answer = posts(ended, kind, item, typed)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


def test_a_memory_that_is_there_answers_like_one_that_never_was(item: Item, ended: Client) -> None:
    never = dataclasses.replace(item, id="5b0c2f1e-0000-4000-8000-000000000001")
    theirs, nothing = (posts(ended, "correction", one, TYPED) for one in (item, never))
    assert theirs.status_code == nothing.status_code == 403
    assert "grey cat" not in theirs.content.decode()


def test_without_the_form_token_nothing_is_given_back(item: Item) -> None:
    answer = posts(Client(enforce_csrf_checks=True), "message", item, TYPED)
    assert answer.status_code == 403
    assert "vegetarian" not in answer.content.decode()


def test_whoever_is_signed_in_notices_nothing(item: Item, alice_client: Client, alice_memory: ScopedMemory) -> None:
    assert posts(alice_client, "correction", item, "Has two grey cats.").status_code == 302
    assert alice_memory.get(item.id).text == "Has two grey cats."
