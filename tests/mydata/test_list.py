"""The list: whose memories, in what order, on how many pages, under which filter, and what it costs."""

from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from memoryportal.memory import ScopedMemory, SubjectId, Summary
from memoryportal.mydata.forms import MOST_OFFERED, FilterForm

from . import reading
from .remembered import START, expire, remember

pytestmark = pytest.mark.django_db
LIST = "/memories/"


def walk(client, url: str = LIST) -> list[list[str]]:
    """The ids of every page from `url` on, by following the links."""
    pages = []
    while url:
        response = client.get(url)
        assert response.status_code == 200
        pages.append(reading.ids(response))
        url = reading.older(response)
    return pages


# --- whose ----------------------------------------------------------------------------------------------------------


def test_the_list_shows_ones_own_memories_and_nobody_elses(alice_client, bob_client, alice_memory, bob_memory):
    mine = remember(alice_memory, "I am vegetarian.", "I prefer dark mode.")
    theirs = remember(bob_memory, "I always want a window seat.")
    assert set(reading.texts(alice_client.get(LIST))) == {item.text for item in mine}
    assert reading.texts(bob_client.get(LIST)) == [theirs[0].text]
    assert reading.total(alice_client.get(LIST)) == 2


def test_the_list_asks_the_anonymous_to_sign_in(client, alice_memory):
    remember(alice_memory, "I am vegetarian.")
    response = client.get(LIST)
    assert response.status_code == 302
    assert response.headers["Location"] == "/accounts/login/?next=/memories/"


def test_the_list_cannot_be_posted_to(alice_client):
    assert alice_client.post(LIST).status_code == 405


# --- order and pages ------------------------------------------------------------------------------------------------


def test_pages_hold_everything_once_newest_first(alice_client, alice_memory, bob_memory):
    mine = remember(alice_memory, *[f"Thing {n}" for n in range(60)])
    remember(bob_memory, *[f"Bob's thing {n}" for n in range(30)])
    pages = walk(alice_client)
    assert [len(page) for page in pages] == [25, 25, 10]
    assert [one for page in pages for one in page] == [item.id for item in reversed(mine)]


def test_pages_can_begin_with_the_oldest(alice_client, alice_memory):
    mine = remember(alice_memory, *[f"Thing {n}" for n in range(30)])
    pages = walk(alice_client, f"{LIST}?order=oldest")
    assert [one for page in pages for one in page] == [item.id for item in mine]


def test_every_page_says_the_true_total(alice_client, alice_memory):
    remember(alice_memory, *[f"Thing {n}" for n in range(30)])
    first = alice_client.get(LIST)
    assert reading.total(first) == 30
    assert reading.total(alice_client.get(reading.older(first))) == 30


def test_the_second_page_leads_back_to_the_first(alice_client, alice_memory):
    remember(alice_memory, *[f"Thing {n}" for n in range(30)], agent="support_bot")
    first = alice_client.get(f"{LIST}?agent=support_bot")
    assert 'rel="prev"' not in reading.body(first)
    second = reading.body(alice_client.get(reading.older(first)))
    assert 'href="/memories/?agent=support_bot#memories" rel="prev"' in second


@pytest.mark.parametrize(
    "after",
    ["x", "%00", "WzEsMiwzLDRd", "W1tbW1tbW1tbW1tbW1tbW1tbW1tb" * 200, "WyJcdWQ4MDAiLCJ4IiwieSIsIm5ld2VzdCJd", "é"],
)
def test_a_forged_page_link_says_so_and_shows_the_first_page(alice_client, alice_memory, after):
    mine = remember(alice_memory, *[f"Thing {n}" for n in range(30)])
    response = alice_client.get(LIST, {"after": after})
    assert response.status_code == 200
    assert "This page link no longer fits. Here is the first page." in reading.words(response)
    assert reading.ids(response) == [item.id for item in reversed(mine)][:25]


def test_a_page_link_of_another_filter_says_so(alice_client, alice_memory):
    remember(alice_memory, *[f"Thing {n}" for n in range(30)], agent="support_bot")
    after = parse_qs(urlsplit(reading.older(alice_client.get(LIST))).query)["after"][0]
    response = alice_client.get(LIST, {"after": after, "agent": "support_bot"})
    assert "This page link no longer fits" in reading.words(response)
    assert len(reading.ids(response)) == 25


def test_a_page_whose_memories_were_deleted_says_so(alice_client, alice_memory):
    mine = remember(alice_memory, *[f"Thing {n}" for n in range(26)])
    link = reading.older(alice_client.get(LIST))
    alice_memory.delete(mine[0].id)
    response = alice_client.get(link)
    assert "This page link no longer fits" in reading.words(response)
    assert len(reading.ids(response)) == 25


def test_a_page_link_of_somebody_else_shows_nothing_of_theirs(alice_client, bob_client, alice_memory, bob_memory):
    remember(alice_memory, "I am vegetarian.", at=START - timedelta(days=9))
    theirs = remember(bob_memory, *[f"Bob's thing {n}" for n in range(30)])
    response = alice_client.get(reading.older(bob_client.get(LIST)))
    assert not {item.id for item in theirs} & set(reading.ids(response))
    assert reading.texts(response) == ["I am vegetarian."]


# --- what stands on top ---------------------------------------------------------------------------------------------


def test_the_sentence_counts_assistants_and_names_the_first_month(alice_client, alice_memory):
    remember(alice_memory, "One", agent="support_bot")
    remember(alice_memory, "Two", agent="travel_planner", at=START - timedelta(days=40))
    remember(alice_memory, "Three")
    words = reading.words(alice_client.get(LIST))
    assert "Your assistants remember 3 things about you, from 2 assistants, since January 2026." in words


def test_the_sentence_speaks_of_one_thing(alice_client, alice_memory):
    remember(alice_memory, "One", agent="support_bot")
    words = reading.words(alice_client.get(LIST))
    assert "Your assistants remember 1 thing about you, from 1 assistant, since March 2026." in words


def test_times_are_in_the_persons_zone(alice, alice_client, alice_memory):
    alice.time_zone = "Pacific/Auckland"
    alice.save()
    remember(alice_memory, "One", at=datetime(2026, 3, 31, 23, 30, tzinfo=UTC))
    words = reading.words(alice_client.get(LIST))
    assert "1 April 2026, 12:30" in words
    assert "since April 2026" in words


# --- each memory ----------------------------------------------------------------------------------------------------


def test_a_memory_says_when_where_from_and_that_it_expired(alice_client, alice_memory):
    (item,) = remember(alice_memory, "Flies on Friday", agent="travel_planner", run="lisbon-trip")
    expire(alice_memory, item, date(2026, 3, 12))
    words = reading.words(alice_client.get(LIST))
    assert "10 March 2026, 12:00 from the assistant travel_planner in the conversation lisbon-trip" in words
    assert "expired on 12 March 2026: assistants no longer receive it" in words


def test_a_memory_without_expiry_says_nothing_of_it(alice_client, alice_memory):
    (item,) = remember(alice_memory, "Flies on Friday")
    assert "expire" not in reading.words(alice_client.get(LIST))
    expire(alice_memory, item, timezone.now().date() + timedelta(days=2))
    assert "expire" not in reading.words(alice_client.get(LIST))


def test_a_long_text_is_cut_and_leads_to_the_whole(alice_client, alice_memory):
    whole = "word " * 300 + "END-OF-IT"
    (item,) = remember(alice_memory, whole)
    response = alice_client.get(LIST)
    (text,) = reading.texts(response)
    assert len(text) <= 601
    assert text.endswith("word…")
    assert f'<a href="/memories/{item.id}/">Read all of it' in reading.body(response)
    assert "END-OF-IT" not in reading.body(response)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '<div hx-get="/accounts/logout/" hx-trigger="load">',
    "{{ request.user.password }} {% debug %}",
    "</bdi></p></article><h1>You were hacked",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_text(alice_client, alice_memory, text):
    remember(alice_memory, text, agent='"><b>bot', run="<i>run</i>")
    response = alice_client.get(LIST)
    assert reading.texts(response) == [text]
    html = reading.body(response)
    for raw in ("<script>alert", "<img src=x", "<div hx-get", "<h1>You", "<b>bot", "<i>run"):
        assert raw not in html


# --- filters --------------------------------------------------------------------------------------------------------


@pytest.fixture
def told(alice_memory, bob_memory):
    """Nine memories of Alice: two assistants, three conversations, three days; and Bob's under the same names."""
    days = [START, START + timedelta(days=1), START + timedelta(days=2)]
    items = {}
    for agent, run in (("support_bot", "orders"), ("support_bot", "refunds"), ("travel_planner", "lisbon")):
        for number, at in enumerate(days):
            items[agent, run, number] = remember(alice_memory, f"{agent} {run} {number}", agent=agent, run=run, at=at)[
                0
            ]
    remember(bob_memory, "Bob's own", agent="support_bot", run="orders")
    return items


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"agent": "support_bot"}, lambda agent, run, day: agent == "support_bot"),
        ({"run": "lisbon"}, lambda agent, run, day: run == "lisbon"),
        ({"since": "2026-03-11"}, lambda agent, run, day: day >= 1),
        ({"until": "2026-03-10"}, lambda agent, run, day: day == 0),
        ({"since": "2026-03-11", "until": "2026-03-11"}, lambda agent, run, day: day == 1),
        (
            {"agent": "support_bot", "run": "orders", "since": "2026-03-12"},
            lambda a, run, day: run == "orders" and day == 2,
        ),
    ],
)
def test_filters_combine(alice_client, told, query, wanted):
    response = alice_client.get(LIST, query)
    right = {item.id for key, item in told.items() if wanted(*key)}
    assert set(reading.ids(response)) == right
    assert reading.total(response) == len(right)
    assert f"{len(right)} of the 9 things that your assistants remember about you fit" in reading.words(response)


def test_filters_offer_what_there_is_with_counts(alice_client, told):
    words = reading.words(alice_client.get(LIST))
    assert "Any assistant support_bot (6) travel_planner (3)" in words
    assert "Any conversation lisbon (3) orders (3) refunds (3)" in words


def test_counts_of_one_filter_follow_the_others(alice_client, told):
    words = reading.words(alice_client.get(LIST, {"agent": "support_bot", "since": "2026-03-12"}))
    assert "Any assistant support_bot (2) travel_planner (1)" in words
    assert "Any conversation orders (1) refunds (1)" in words


def test_a_chosen_filter_stays_chosen(alice_client, told):
    html = reading.body(alice_client.get(LIST, {"agent": "travel_planner", "since": "2026-03-11", "order": "oldest"}))
    assert '<option value="travel_planner" selected>' in html
    assert 'value="2026-03-11"' in html
    assert '<input type="hidden" name="order" value="oldest">' in html


def test_days_are_days_of_the_persons_zone(alice, alice_client, alice_memory):
    alice.time_zone = "Pacific/Auckland"
    alice.save()
    inside = remember(alice_memory, "Auckland's 11 March", at=datetime(2026, 3, 10, 11, 30, tzinfo=UTC))
    remember(alice_memory, "Auckland's 12 March", at=datetime(2026, 3, 11, 11, 30, tzinfo=UTC))
    response = alice_client.get(LIST, {"since": "2026-03-11", "until": "2026-03-11"})
    assert reading.ids(response) == [inside[0].id]


def test_a_filter_that_fits_nothing_says_so_and_offers_to_clear(alice_client, told):
    response = alice_client.get(LIST, {"agent": "nobody"})
    words = reading.words(response)
    assert "No memory fits this filter." in words
    assert "Clear the filter" in words
    assert "Nothing is remembered" not in words
    assert (reading.ids(response), reading.total(response)) == ([], 0)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "yesterday"}, "From: Enter a day as year-month-day"),
        ({"until": "2026-02-31"}, "Until: Enter a day as year-month-day"),
        ({"until": "9999-12-31"}, "Until: Ensure this value is less than or equal to"),
        ({"since": "0001-01-01"}, "From: Ensure this value is greater than or equal to"),
        ({"since": "2026-03-12", "until": "2026-03-11"}, "From: This day is after the day in “Until”."),
        ({"agent": "*"}, "Assistant: This cannot be the name of an assistant."),
        ({"agent": "a,b"}, "Assistant: This cannot be the name of an assistant."),
        ({"agent": " support_bot"}, "Assistant: This cannot be the name of an assistant."),
        ({"run": "x" * 129}, "Conversation: This cannot be the name of a conversation."),
        ({"run": "a\u200bb"}, "Conversation: This cannot be the name of a conversation."),
        ({"run": "a\0b"}, "Conversation: Null characters are not allowed."),
    ],
)
def test_a_wrong_filter_is_named_and_not_pretended(alice_client, told, query, said):
    response = alice_client.get(LIST, query)
    words = reading.words(response)
    assert "Part of the filter was not used:" in words
    assert said in words
    assert "Your assistants remember 9 things about you" in words
    assert reading.total(response) == len(reading.ids(response)) == 9


def test_the_right_part_of_a_filter_is_used(alice_client, told):
    response = alice_client.get(LIST, {"agent": "travel_planner", "since": "soon"})
    assert "Part of the filter was not used: From" in reading.words(response)
    assert reading.total(response) == 3


def test_an_unknown_order_shows_the_newest_first(alice_client, told):
    response = alice_client.get(LIST, {"order": "random"})
    assert reading.ids(response) == reading.ids(alice_client.get(LIST))
    assert "was not used" not in reading.words(response)


def test_pages_keep_the_filter(alice_client, alice_memory):
    kept = remember(alice_memory, *[f"Kept {n}" for n in range(30)], agent="support_bot")
    remember(alice_memory, *[f"Other {n}" for n in range(30)], agent="travel_planner")
    pages = walk(alice_client, f"{LIST}?agent=support_bot")
    assert [one for page in pages for one in page] == [item.id for item in reversed(kept)]


def test_somebody_with_thousands_of_conversations_is_offered_the_largest():
    runs = [(f"run-{number:04}", 5000 - number) for number in range(5000)]
    form = FilterForm({"run": "run-4999"})
    assert form.is_valid()
    form.offer(Summary(total=9, since=None, latest=None, agents=[(None, 9)], runs=runs, expired=0))
    offered = [value for value, _ in form.fields["run"].widget.choices]
    assert offered == ["", *(f"run-{number:04}" for number in range(MOST_OFFERED)), "run-4999"]
    assert [value for value, _ in form.fields["agent"].widget.choices] == [""]


# --- nothing --------------------------------------------------------------------------------------------------------


def test_a_connected_account_with_nothing_reads_nothing_is_remembered(alice, alice_client, bob_memory):
    remember(bob_memory, "I always want a window seat.")
    alice.connected_at = timezone.now()
    alice.save()
    response = alice_client.get(LIST)
    assert "Nothing is remembered about you." in reading.words(response)
    assert reading.total(response) == 0


def test_an_account_that_never_was_connected_does_not_claim_it(alice_client, bob_memory):
    remember(bob_memory, "I always want a window seat.")
    response = alice_client.get(LIST)
    words = reading.words(response)
    assert "nothing is remembered" not in words.lower()
    assert "Nothing is stored under this account." in words
    assert "if you use an assistant with another login, connect it or ask us" in words
    assert '<a href="mailto:privacy@example.com">' in reading.body(response)
    assert '<a href="/settings/#ids">connect it</a>' in reading.body(response)
    assert "/support/" not in reading.body(response)


def test_seen_memories_connect_the_account_for_good(alice, alice_client, alice_memory):
    (item,) = remember(alice_memory, "I am vegetarian.")
    alice_client.get(LIST)
    alice_memory.delete(item.id)
    assert "Nothing is remembered about you." in reading.words(alice_client.get(LIST))
    alice.refresh_from_db()
    assert alice.connected_at is not None


def test_memories_of_a_linked_id_do_not_connect_the_issued_one(alice, alice_client):
    from memoryportal.accounts.links import link

    linked = ScopedMemory.for_person(SubjectId("alice-at-work"))
    try:
        link(alice, linked.subject, reason="the operator knows her")
        remember(linked, "Works on Mondays.")
        assert reading.texts(alice_client.get(LIST)) == ["Works on Mondays."]
    finally:
        linked.erase()
    alice.refresh_from_db()
    assert alice.connected_at is None
    assert "Nothing is remembered about you." in reading.words(alice_client.get(LIST))


def test_a_filter_on_nothing_shows_the_empty_page(alice_client):
    words = reading.words(alice_client.get(LIST, {"agent": "support_bot"}))
    assert "Nothing is stored under this account." in words
    assert "No memory fits" not in words


# --- what it costs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3, 30])
def test_the_page_costs_the_same_whatever_it_shows(alice_client, alice_memory, bob_memory, number):
    remember(alice_memory, *[f"Thing {n}" for n in range(number)], agent="support_bot", run="orders")
    remember(bob_memory, *[f"Bob's thing {n}" for n in range(20)])
    alice_client.get(LIST)  # the first visit notes that the account is connected
    with reading.wire() as statements:
        assert len(reading.ids(alice_client.get(LIST))) == min(number, 25)
    tables = ["django_session", "accounts_user", "WITH page AS", "WITH own AS"]  # with what is shut
    assert len(statements) == len(tables), statements
    assert all(table in statement for table, statement in zip(tables, statements, strict=True))


def test_a_store_that_is_gone_is_never_an_empty_list(alice_client, alice_memory, settings):
    remember(alice_memory, "I am vegetarian.")
    settings.MEMORY_DATABASE_URL = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"
    response = alice_client.get(LIST)
    assert response.status_code == 503
    words = reading.words(response)
    assert "Nothing was changed." in words
    assert "Nothing is" not in words.replace("Nothing was changed.", "")
