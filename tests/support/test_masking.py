"""What is hidden stays on the server: no letter, no length beyond four words, in no attribute and no comment."""

import base64
import re
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.masking import LENGTHS, mask
from memoryportal.support.models import AccessGrant
from tests.mydata.remembered import START, remember

from .staffing import fragment, open_access, page_of

TEXT = st.text(min_size=1, max_size=2000)


def item(text: str) -> Item:
    return Item("id", text, "bot", "chat", START, START, None, False, "user", "Alice", "version", {"note": text})


def class_of(text: str) -> int:
    return next((number for number, (limit, _) in enumerate(LENGTHS) if len(text) <= limit), len(LENGTHS))


@given(TEXT, TEXT)
def test_texts_of_one_class_cannot_be_told_apart(one: str, other: str) -> None:
    assert (mask(item(one)) == mask(item(other))) == (class_of(one) == class_of(other))


@pytest.mark.parametrize(
    ("size", "word"), [(1, "short"), (60, "short"), (61, "medium"), (300, "medium"), (301, "long"), (1501, "very long")]
)
def test_the_classes(size: int, word: str) -> None:
    assert mask(item("x" * size)).length == word


SECRETS = ("Zanzibar<&>quokka", "Qu\"ixotic's", "Ümlaut-Jalapeño", "xylophone" * 20, "wyvern " * 100)


@pytest.fixture
def hidden(support_client: Client, alice_memory: ScopedMemory) -> AccessGrant:
    remember(alice_memory, *SECRETS, agent="shop_bot", run="chat-secret-7", role="assistant")
    return open_access(support_client)


def forms(text: str) -> list[str]:
    """How a text could hide in a page: as it is, escaped, in an address, encoded, in capitals."""
    return [text, escape(text), quote(text), base64.b64encode(text.encode()).decode().rstrip("="), text.encode().hex()]


@pytest.mark.django_db
def test_nothing_of_a_text_is_in_the_page(hidden: AccessGrant, support_client: Client) -> None:
    for headers in ({}, fragment("memories"), fragment("page")):
        body = support_client.get(page_of(hidden), headers=headers).content.decode().casefold()
        for secret in SECRETS:
            for word in secret.split():
                assert not [form for form in forms(word) if form.casefold() in body], word
        assert "chat-secret-7" not in body
        assert not re.search(r"<!--", body)


@pytest.mark.django_db
def test_two_hidden_memories_of_one_class_are_the_same_bytes(
    support_client: Client, alice_memory: ScopedMemory
) -> None:
    told = remember(alice_memory, "x", "y" * 60, agent="shop_bot")
    body = support_client.get(page_of(open_access(support_client))).content.decode()
    articles = re.findall(r"<article.*?</article>", body, re.S)
    assert len(articles) == len(told) == 2
    assert len({re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", article) for article in articles}) == 1


@pytest.mark.django_db
def test_the_bar_says_that_something_is_hidden(hidden: AccessGrant, support_client: Client) -> None:
    body = support_client.get(page_of(hidden)).content.decode()
    bar = '<span class="mask" aria-hidden="true"></span><span class="visually-hidden">hidden</span>'
    assert body.count(bar) == len(SECRETS)


@pytest.mark.django_db
def test_what_is_beside_a_shown_text_stays_hidden(
    hidden: AccessGrant, support_client: Client, alice_memory: ScopedMemory
) -> None:
    first = next(item for item in alice_memory.walk() if item.text == SECRETS[0])
    body = support_client.post(page_of(hidden, "reveal/"), {"id": first.id}).content.decode()
    assert escape(SECRETS[0]) in body
    assert not [word for secret in SECRETS[1:] for word in secret.split() if escape(word) in body]
