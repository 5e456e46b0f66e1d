"""Deleting several memories: the ticked ones, and all that a filter shows."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.accounts.helpers import prove

from . import reading
from .remembered import START, everything, remember

pytestmark = pytest.mark.django_db
DELETE = "/memories/delete/"


@pytest.fixture
def mine(alice_memory, bob_memory):
    """Six memories of Alice's, three of them from support_bot; Bob has some from there too."""
    remember(bob_memory, "Bob's first", "Bob's second", agent="support_bot")
    return [
        *remember(alice_memory, "One", "Two", "Three", agent="support_bot"),
        *remember(alice_memory, "Four", "Five", "Six", agent="travel_planner", at=START + timedelta(days=1)),
    ]


def left(memory) -> set[str]:
    return {text for _, text in everything(memory)}


ALL = {"One", "Two", "Three", "Four", "Five", "Six"}


# --- ticked ---------------------------------------------------------------------------------------------------------


def test_the_first_post_asks_and_deletes_nothing(alice_client, alice_memory, mine):
    response = alice_client.post(DELETE, {"id": [mine[0].id, mine[4].id]})
    assert response.status_code == 200
    assert reading.ids(response) == [mine[0].id, mine[4].id]
    assert reading.texts(response) == ["One", "Five"]
    assert "Delete 2 memories?" in reading.words(response)
    assert '<input type="hidden" name="confirm" value="yes">' in reading.body(response)
    assert left(alice_memory) == ALL


def test_the_second_post_deletes_exactly_these(alice_client, alice_memory, bob_memory, mine):
    response = alice_client.post(DELETE, {"id": [mine[0].id, mine[4].id], "confirm": "yes"}, follow=True)
    assert response.redirect_chain == [("/memories/", 302)]
    assert "Deleted: 2 memories, 2 entries in their history." in reading.words(response)
    assert left(alice_memory) == ALL - {"One", "Five"}
    assert left(bob_memory) == {"Bob's first", "Bob's second"}


def test_an_id_that_is_there_twice_counts_once(alice_client, alice_memory, mine):
    twice = {"id": [mine[0].id, mine[0].id]}
    assert "Delete 1 memory?" in reading.words(alice_client.post(DELETE, twice))
    alice_client.post(DELETE, {**twice, "confirm": "yes"})
    assert left(alice_memory) == ALL - {"One"}


@pytest.mark.parametrize("confirm", [{}, {"confirm": "yes"}, {"confirm": "no"}])
@pytest.mark.parametrize("kind", ["foreign", "missing", "malformed", "empty", "deleted"])
def test_one_wrong_id_among_the_right_ones_deletes_nothing(alice_client, alice_memory, bob_memory, mine, kind, confirm):
    (gone,) = remember(alice_memory, "Gone")
    alice_memory.delete(gone.id)
    wrong = {
        "foreign": next(bob_memory.walk()).id,
        "missing": str(uuid4()),
        "malformed": "1 OR 1=1",
        "empty": "",
        "deleted": gone.id,
    }[kind]
    response = alice_client.post(DELETE, {"id": [mine[0].id, wrong], **confirm})
    assert response.status_code == 404
    assert "Bob" not in reading.body(response)
    assert left(alice_memory) == ALL
    assert left(bob_memory) == {"Bob's first", "Bob's second"}


def test_a_foreign_id_is_answered_like_a_missing_one(alice_client, bob_memory, mine):
    foreign = alice_client.post(DELETE, {"id": [next(bob_memory.walk()).id]})
    missing = alice_client.post(DELETE, {"id": [str(uuid4())]})
    assert reading.without_tokens(foreign) == reading.without_tokens(missing)


def test_nothing_ticked_says_what_to_do(alice_client, alice_memory, mine):
    response = alice_client.post(DELETE, {"confirm": "yes"}, follow=True)
    assert response.redirect_chain == [("/memories/", 302)]
    assert "Nothing was deleted: tick the memories that you want to delete first." in reading.words(response)
    assert left(alice_memory) == ALL


def test_more_than_a_hundred_at_once_are_refused(alice_client, alice_memory, mine):
    ids = [mine[0].id, *(str(uuid4()) for _ in range(100))]
    response = alice_client.post(DELETE, {"id": ids, "confirm": "yes"})
    assert response.status_code == 422
    assert "At most 100 memories can be deleted in one go, and 101 were chosen. Nothing was deleted." in reading.words(
        response
    )
    assert left(alice_memory) == ALL


def test_the_list_offers_a_box_for_each_in_one_form(alice_client, mine):
    html = reading.body(alice_client.get("/memories/"))
    form = html[html.index('<form class="memories"') :]
    form = form[: form.index("</form>")]
    assert f'action="{DELETE}"' in form
    assert form.count('type="checkbox" name="id"') == 6
    assert form.count("csrfmiddlewaretoken") == 1


def test_get_goes_to_the_list(alice_client, alice_memory, mine):
    response = alice_client.get(DELETE, {"id": mine[0].id, "confirm": "yes"})
    assert (response.status_code, response.headers["Location"]) == (302, "/memories/")
    assert left(alice_memory) == ALL


def test_the_anonymous_are_asked_to_sign_in(client, alice_memory, mine):
    response = client.post(DELETE, {"id": mine[0].id, "confirm": "yes"})
    assert response.headers["Location"].startswith("/accounts/login/")
    assert left(alice_memory) == ALL


# --- all that match -------------------------------------------------------------------------------------------------


def test_the_button_stands_beside_a_filter_only(alice_client, mine):
    assert "that fit…" not in reading.words(alice_client.get("/memories/"))
    filtered = alice_client.get("/memories/", {"agent": "support_bot"})
    assert "Delete all 3 that fit…" in reading.words(filtered)


def test_the_first_post_counts_and_deletes_nothing(alice_client, alice_memory, mine):
    response = alice_client.post(DELETE, {"matching": "1", "agent": "support_bot"})
    assert response.status_code == 200
    words = reading.words(response)
    assert "Delete all 3 memories that fit this filter?" in words
    assert "Assistant support_bot" in words
    assert set(reading.texts(response)) == {"One", "Two", "Three"}
    html = reading.body(response)
    assert '<input type="hidden" name="expected" value="3">' in html
    assert '<input type="hidden" name="agent" value="support_bot">' in html
    assert left(alice_memory) == ALL


def test_the_second_post_deletes_exactly_what_fits(alice_client, alice_memory, bob_memory, mine):
    data = {"matching": "1", "agent": "support_bot", "expected": "3", "confirm": "yes"}
    response = alice_client.post(DELETE, data, follow=True)
    assert "Deleted: 3 memories, 3 entries in their history." in reading.words(response)
    assert left(alice_memory) == {"Four", "Five", "Six"}
    assert left(bob_memory) == {"Bob's first", "Bob's second"}


def test_days_are_days_of_the_persons_zone(alice, alice_client, alice_memory, mine):
    alice.time_zone = "Pacific/Auckland"  # there the first three were told on 11 March, the others on the 12th
    alice.save()
    data = {"matching": "1", "until": "2026-03-11", "expected": "3", "confirm": "yes"}
    alice_client.post(DELETE, data)
    assert left(alice_memory) == {"Four", "Five", "Six"}


@pytest.mark.parametrize("expected", ["2", "4", "0", "999999999999999999999"])
def test_a_count_that_moved_deletes_nothing_and_asks_again(alice_client, alice_memory, mine, expected):
    data = {"matching": "1", "agent": "support_bot", "expected": expected, "confirm": "yes"}
    response = alice_client.post(DELETE, data)
    assert response.status_code == 409
    words = reading.words(response)
    assert "Nothing was deleted." in words
    assert "it now fits 3." in words
    assert '<input type="hidden" name="expected" value="3">' in reading.body(response)
    assert left(alice_memory) == ALL


@pytest.mark.parametrize(
    "expected", [{}, {"expected": ""}, {"expected": "all"}, {"expected": "-3"}, {"expected": "3.0"}]
)
def test_a_confirmation_without_a_count_only_asks(alice_client, alice_memory, mine, expected):
    response = alice_client.post(DELETE, {"matching": "1", "agent": "support_bot", "confirm": "yes", **expected})
    assert response.status_code == 200
    assert "Delete all 3 memories that fit this filter?" in reading.words(response)
    assert left(alice_memory) == ALL


def test_without_a_filter_it_leads_to_erasing_everything(alice_client, alice_memory, mine):
    response = alice_client.post(DELETE, {"matching": "1", "expected": "6", "confirm": "yes"})
    assert (response.status_code, response.headers["Location"]) == (302, "/erasure/")
    assert left(alice_memory) == ALL


@pytest.mark.parametrize("wrong", [{"agent": "*"}, {"since": "soon"}, {"since": "2026-03-12", "until": "2026-03-11"}])
def test_a_filter_that_cannot_be_read_deletes_nothing(alice_client, alice_memory, mine, wrong):
    data = {"matching": "1", "run": "", "expected": "6", "confirm": "yes", **wrong}
    response = alice_client.post(DELETE, data)
    assert response.status_code == 422
    assert "This filter cannot be used" in reading.words(response)
    assert left(alice_memory) == ALL


def test_a_filter_with_one_wrong_part_deletes_nothing(alice_client, alice_memory, mine):
    data = {"matching": "1", "agent": "support_bot", "since": "soon", "expected": "3", "confirm": "yes"}
    assert alice_client.post(DELETE, data).status_code == 422
    assert left(alice_memory) == ALL


def test_a_filter_that_fits_nothing_any_more_says_so(alice_client, alice_memory, mine):
    data = {"matching": "1", "agent": "nobody", "expected": "3", "confirm": "yes"}
    response = alice_client.post(DELETE, data, follow=True)
    assert "Nothing was deleted: nothing fits this filter any more." in reading.words(response)
    assert response.redirect_chain == [("/memories/?agent=nobody", 302)]
    assert left(alice_memory) == ALL


@pytest.mark.parametrize("confirm", [{}, {"expected": "6", "confirm": "yes"}])
def test_a_filter_that_leaves_nothing_out_asks_who_is_there(alice_client, alice_memory, mine, confirm):
    """As erasing everything does: otherwise an open session is enough to delete it all at once."""
    response = alice_client.post(DELETE, {"matching": "1", "since": "1970-01-01", **confirm})
    assert response.status_code == 302
    assert response.headers["Location"] == "/accounts/reauthenticate/?next=%2Fmemories%2F"
    assert left(alice_memory) == ALL


def test_it_is_deleted_once_that_was_proven(alice_client, alice_memory, bob_memory, mine):
    prove(alice_client)
    asked = alice_client.post(DELETE, {"matching": "1", "since": "1970-01-01"})
    assert "Delete all 6 memories that fit this filter?" in reading.words(asked)
    alice_client.post(DELETE, {"matching": "1", "since": "1970-01-01", "expected": "6", "confirm": "yes"})
    assert left(alice_memory) == set()
    assert left(bob_memory) == {"Bob's first", "Bob's second"}
