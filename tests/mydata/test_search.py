"""Searching: by meaning and by word, inside one's own memories, with the words in POST bodies only."""

import logging
from datetime import timedelta

import pytest

from . import reading
from .reading import REGION
from .remembered import START, remember

pytestmark = pytest.mark.django_db
SEARCH = "/memories/search/"


@pytest.fixture
def told(alice_memory, bob_memory):
    remember(bob_memory, "I am vegetarian too, and a friend of long train rides.", agent="support_bot")
    return [
        *remember(alice_memory, "I am vegetarian. Please remember that.", agent="support_bot"),
        *remember(alice_memory, "I prefer dark mode and Python.", agent="coding_helper"),
        *remember(
            alice_memory, "Has 100% of her_files in C:\\work", agent="coding_helper", at=START + timedelta(days=1)
        ),
    ]


def test_a_search_by_word_finds_ones_own_only(alice_client, told):
    response = alice_client.post(SEARCH, {"q": "VEGETARIAN", "by": "word"})
    assert reading.texts(response) == ["I am vegetarian. Please remember that."]
    assert "1 result" in reading.words(response)


def test_a_search_by_meaning_finds_other_wordings(alice_client, told):
    response = alice_client.post(SEARCH, {"q": "food preferences", "by": "meaning"})
    assert reading.ids(response)[0] == told[0].id
    assert not [text for text in reading.texts(response) if "train rides" in text]


@pytest.mark.parametrize(
    ("words", "found"), [("100%", 1), ("her_files", 1), ("herXfiles", 0), ("C:\\work", 1), ("%", 1)]
)
def test_a_word_is_taken_literally(alice_client, told, words, found):
    assert len(reading.ids(alice_client.post(SEARCH, {"q": words, "by": "word"}))) == found


def test_the_page_keeps_the_words_and_how_to_search(alice_client, told):
    html = reading.body(alice_client.post(SEARCH, {"q": 'dark "mode"', "by": "word"}))
    assert 'name="q" value="dark &quot;mode&quot;"' in html
    assert '<input type="radio" name="by" value="word" checked>' in html


def test_a_search_keeps_the_filter(alice_client, told):
    response = alice_client.post(SEARCH, {"q": "I", "by": "word", "agent": "coding_helper"})
    assert [told[1].text] == [text for text in reading.texts(response) if "I " in text]
    assert told[0].id not in reading.ids(response)
    html = reading.body(response)
    assert '<input type="hidden" name="agent" value="coding_helper">' in html
    assert "Only memories that fit the filter were searched." in html


def test_the_first_results_say_that_there_are_more(alice_client, alice_memory):
    remember(alice_memory, *[f"Cheese number {n}" for n in range(26)])
    response = alice_client.post(SEARCH, {"q": "cheese", "by": "word"})
    assert len(reading.ids(response)) == 25
    assert "The first 25 results; there are more" in reading.words(response)


# --- htmx -----------------------------------------------------------------------------------------------------------


def test_htmx_gets_the_region_with_one_announcement(alice_client, told):
    response = alice_client.post(SEARCH, {"q": "dark mode", "by": "word"}, headers=REGION)
    html = reading.body(response)
    assert response.status_code == 200
    assert html.lstrip().startswith('<div id="memories"')
    assert html.count("data-announce") == 1
    assert "data-announce>1 result<" in html


def test_the_words_are_never_in_an_address(alice_client, told):
    for headers in ({}, REGION):
        response = alice_client.post(SEARCH, {"q": "vegetarian", "by": "word"}, headers=headers)
        assert reading.ids(response) == [told[0].id]
        assert not {"HX-Push-Url", "HX-Replace-Url", "HX-Location", "Location"} & set(response.headers)
        assert not [part for part in reading.body(response).split('"') if part.startswith("/") and "vegetarian" in part]


def test_the_words_are_never_in_a_log(alice_client, told, caplog):
    caplog.set_level(logging.DEBUG)
    for by in ("meaning", "word"):
        alice_client.post(SEARCH, {"q": "canary-5f2e", "by": by})
    assert "canary-5f2e" not in caplog.text


def test_an_emptied_field_brings_the_list_back(alice_client, told):
    response = alice_client.post(SEARCH, {"q": "", "agent": "coding_helper"}, headers=REGION)
    assert response.status_code == 200
    assert reading.ids(response) == [told[2].id, told[1].id]
    assert reading.body(response).lstrip().startswith('<div id="memories"')


def test_an_expired_session_sends_the_whole_page_to_the_login(client, told):
    response = client.post(
        SEARCH, {"q": "dark"}, headers={**REGION, "HX-Current-URL": "http://testserver/memories/?q=x"}
    )
    assert response.status_code == 204
    assert response.headers["HX-Redirect"] == "/accounts/login/?next=%2Fmemories%2F"


# --- nothing found, nothing asked -----------------------------------------------------------------------------------


def test_nothing_close_offers_to_search_by_word(alice_client, told):
    response = alice_client.post(SEARCH, {"q": "quantum chromodynamics lattice", "by": "meaning"})
    words = reading.words(response)
    assert "Nothing close to that." in words
    assert "Search by word instead" in words
    assert reading.ids(response) == []
    html = reading.body(response)
    assert '<input type="hidden" name="q" value="quantum chromodynamics lattice">' in html
    assert '<input type="hidden" name="by" value="word">' in html


def test_no_word_found_says_so(alice_client, told):
    words = reading.words(alice_client.post(SEARCH, {"q": "zebra", "by": "word"}))
    assert "No memory contains that." in words
    assert "Search by word instead" not in words


@pytest.mark.parametrize("headers", [{}, REGION])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("   ", "Write what to search for."),
        ("x" * 501, "The search is too long: at most 500 characters, and this has 501."),
        ("a\0b", "Null characters are not allowed."),
    ],
)
def test_words_that_cannot_be_searched_are_refused_and_kept(alice_client, told, words, said, headers):
    response = alice_client.post(SEARCH, {"q": words}, headers=headers)
    assert response.status_code == 422
    assert said in reading.words(response)
    assert reading.ids(response) == []
    if not headers and "\0" not in words:
        assert f'name="q" value="{words}"' in reading.body(response)


def test_an_empty_search_without_htmx_says_what_to_do(alice_client, told):
    response = alice_client.post(SEARCH, {"q": ""})
    assert response.status_code == 422
    assert "Write what to search for." in reading.words(response)


def test_an_unknown_way_of_searching_is_by_meaning(alice_client, told):
    response = alice_client.post(SEARCH, {"q": "food preferences", "by": "magic"})
    assert response.status_code == 200
    assert told[0].id in reading.ids(response)


def test_get_goes_to_the_list(alice_client, told):
    response = alice_client.get(SEARCH, {"q": "vegetarian"})
    assert (response.status_code, response.headers["Location"]) == (302, "/memories/")


def test_the_anonymous_are_asked_to_sign_in(client, told):
    assert client.post(SEARCH, {"q": "vegetarian"}).headers["Location"].startswith("/accounts/login/")


def test_a_search_without_the_form_token_is_refused(alice, told):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(SEARCH, {"q": "vegetarian"}, headers=REGION).status_code == 403


# --- without an embedder --------------------------------------------------------------------------------------------


def test_without_an_embedder_search_by_word_is_offered(alice_client, told, broken_embedder):
    page = alice_client.post(SEARCH, {"q": "vegetarian"})
    assert page.status_code == 503
    for response in (page, alice_client.post(SEARCH, {"q": "vegetarian"}, headers=REGION)):
        words = reading.words(response)
        assert "Search by meaning is not available right now" in words
        assert "Search by word instead" in words
    assert response.status_code == 200  # htmx swaps nothing above 499 but a sentence


def test_without_an_embedder_words_are_found_and_the_list_is_there(alice_client, told, broken_embedder):
    assert reading.ids(alice_client.post(SEARCH, {"q": "vegetarian", "by": "word"})) == [told[0].id]
    assert reading.total(alice_client.get("/memories/")) == 3


def test_hostile_results_stay_text(alice_client, alice_memory):
    remember(alice_memory, '<script>alert("x")</script> findable', at=START)
    for headers in ({}, REGION):
        response = alice_client.post(SEARCH, {"q": '<script>alert("x")</script>', "by": "word"}, headers=headers)
        assert reading.texts(response) == ['<script>alert("x")</script> findable']
        assert "<script>alert" not in reading.body(response)
