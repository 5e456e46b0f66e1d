"""The page of who did what: one's own acts, every act of the staff with its reason, and nobody else's."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.audit.actions import Action
from memoryportal.audit.reading import PAGE
from memoryportal.audit.record import OPERATOR, SYSTEM, Actor, record
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.mydata.activity_words import _STAFF, _WORDS

from .reading import words

pytestmark = pytest.mark.django_db
ACTIVITY = "/activity/"
GRANT = "5b0c2f1e-0000-4000-8000-000000000001"


def own(user: User, action: Action, **about: Any) -> None:
    record(action, actor=Actor(str(user.pk), "person"), subject=SubjectId(user.subject), **about)


def by_staff(staff: User, subject: str, action: Action, role: str = "support", **about: Any) -> None:
    record(action, actor=Actor(str(staff.pk), role), subject=SubjectId(subject), **{"grant": GRANT, **about})


def open_grant(staff: User, subject: str, category: str = "wrong-memory", ticket: str = "T-4711") -> None:
    about = {"minutes": 30, "category": category, "kind": "support"}
    reason = "Somebody called and said that a memory is wrong"
    by_staff(staff, subject, Action.GRANT_OPENED, object=f"ticket:{ticket}", reason=reason, details=about)


def entries(client: Client, url: str = ACTIVITY) -> list[str]:
    """The entries of the page, each as one line."""
    response = client.get(url)
    assert response.status_code == 200
    found = re.findall(r"<li>\s*<p class=\"quiet\"><time.*?</li>", response.content.decode(), re.S)
    return [" ".join(re.sub(r"<[^>]+>", "", one).split()) for one in found]


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_user("member-of-staff@example.com", None)


def test_nothing_has_happened(client: Client, alice: User) -> None:
    """A session that began before there was a trail."""
    client.force_login(alice)
    with_sign_in = words(client.get(ACTIVITY))
    assert "You signed in" in with_sign_in
    assert "Nobody else did anything with your data." in words(client.get(ACTIVITY + "?by=others"))


def test_the_page_needs_a_session(client: Client) -> None:
    assert client.get(ACTIVITY).headers["Location"] == "/accounts/login/?next=/activity/"
    assert client.post(ACTIVITY).status_code == 405


def test_own_acts_are_listed_newest_first(alice: User, alice_client: Client) -> None:
    own(alice, Action.MEMORY_CORRECTED, object="m")
    own(alice, Action.MEMORY_DELETED, details={"memories": 2, "history": 3})
    own(alice, Action.EXPORT_ASKED, details={"form": "csv"})
    shown = [entry.partition(":")[2][3:] for entry in entries(alice_client)]  # without the day and the time
    assert shown == [
        "You took everything with you (CSV).",
        "You deleted 2 memories, 3 entries in their history.",
        "You corrected a memory.",
        "You signed in.",
    ]


def test_what_was_asked_and_then_done_is_one_entry(
    alice: User, alice_client: Client, alice_memory: ScopedMemory
) -> None:
    item = alice_memory.add("Alice likes cheese.", infer=False)[0]
    alice_client.post(f"/memories/{item.id}/edit/", {"text": "Alice likes tea.", "version": item.version})
    alice_client.post(f"/memories/{item.id}/delete/")
    shown = entries(alice_client)
    assert len(shown) == 3
    assert "You deleted 1 memory, " in shown[0]
    assert "You corrected a memory." in shown[1]


def test_what_was_asked_and_never_ended_is_shown(alice: User, alice_client: Client) -> None:
    own(alice, Action.MEMORY_DELETE_ASKED, details={"ids": ["a", "b"]})
    assert "You asked to delete 2 memories." in entries(alice_client)[0]


def test_staff_acts_say_who_when_why_and_the_case(alice: User, alice_client: Client, staff: User) -> None:
    open_grant(staff, alice.subject)
    by_staff(staff, alice.subject, Action.MEMORY_REVEALED, details={"ids": ["a", "b", "c"], "count": 3})
    revealed, opened = entries(alice_client)[:2]
    name = pseudonym_of_staff(staff.pk)
    assert (
        f"our staff Support ({name}) read 3 memories. Why: You reported a wrong memory. Case number: T-4711."
        in revealed
    )
    assert f"Support ({name}) may look at your memories for 30 minutes." in opened
    assert re.match(r"\d+ \w+ \d{4}, \d\d:\d\d ", revealed)
    page = words(alice_client.get(ACTIVITY))
    assert "There is nothing that you need to do." in page
    assert staff.email not in page
    assert "said that a memory is wrong" not in page, "what the staff typed is for the auditor"


def test_the_words_of_the_page_do_not_alarm(alice: User, alice_client: Client, staff: User) -> None:
    open_grant(staff, alice.subject)
    for action in _STAFF:
        by_staff(staff, alice.subject, action)
    page = words(alice_client.get(ACTIVITY)).lower()
    for word in ("accessed", "private memories", "warning", "alert", "breach", "violation"):
        assert word not in page


def test_pages_that_an_auditor_opens_in_a_row_are_one_entry(alice: User, alice_client: Client, staff: User) -> None:
    for _ in range(3):
        by_staff(staff, alice.subject, Action.TRAIL_READ, role="auditor", grant="")
    by_staff(staff, alice.subject, Action.TRAIL_EXPORTED, role="auditor", grant="")
    by_staff(staff, alice.subject, Action.TRAIL_READ, role="auditor", grant="")
    latest, copied, looked, signed_in = entries(alice_client)
    assert "looked at this list, not at your memories." in latest
    assert "took a copy of this list, without your memories." in copied
    assert re.search(r"looked at this list, not at your memories, 3 times since \d+ \w+ \d{4}, \d\d:\d\d\.", looked)
    assert "You signed in." in signed_in


def test_the_same_hidden_list_in_a_row_is_one_entry(alice: User, alice_client: Client, staff: User) -> None:
    for grant in (GRANT, GRANT, str(uuid4())):
        by_staff(staff, alice.subject, Action.MEMORY_LISTED, grant=grant)
    by_staff(staff, alice.subject, Action.MEMORY_REVEALED, details={"ids": ["a"], "count": 1})
    by_staff(staff, alice.subject, Action.MEMORY_LISTED)
    after, read, other, twice, _ = entries(alice_client)
    assert "read" in read
    for once in (after, other):
        assert once.endswith("saw when memories were made, with every text hidden.")
    assert re.search(r"with every text hidden, 2 times since \d+ \w+ \d{4}, \d\d:\d\d\.", twice)


def test_one_member_of_staff_has_one_name_and_another_has_another(
    alice: User, alice_client: Client, staff: User, bob: User
) -> None:
    for member in (staff, staff, bob):
        open_grant(member, alice.subject)
    names = [re.search(r"Support \((\w{4})\)", entry)[1] for entry in entries(alice_client)[:3]]
    assert names[1] == names[2] != names[0]


def test_nobody_elses_acts_appear(
    alice: User, bob: User, alice_client: Client, bob_client: Client, staff: User
) -> None:
    own(bob, Action.EXPORT_ASKED, details={"form": "json"})
    open_grant(staff, bob.subject, ticket="BOB-1")
    by_staff(staff, bob.subject, Action.MEMORY_REVEALED, details={"ids": ["x"]})
    record(Action.ERASURE_DONE, actor=SYSTEM, subject=SubjectId(bob.subject), object="MP-BOBS-0001")
    record(Action.LINK_MADE, actor=OPERATOR, subject=SubjectId("bobs-other-id"), details={"target": bob.pk})
    seen = words(alice_client.get(ACTIVITY))
    for foreign in ("BOB-1", "MP-BOBS-0001", "took everything", "read 1", "connected to your account"):
        assert foreign not in seen
    theirs = words(bob_client.get(ACTIVITY))
    for text in ("BOB-1", "MP-BOBS-0001", "took everything", "read 1"):
        assert text in theirs


def test_acts_of_a_member_of_staff_on_others_are_not_on_their_own_page(alice: User, staff: User) -> None:
    open_grant(staff, alice.subject)
    client = Client()
    client.force_login(staff)
    assert ["You signed in." in entry for entry in entries(client)] == [True]


def test_all_ids_of_a_person_are_looked_at(alice: User, alice_client: Client, staff: User) -> None:
    link(alice, SubjectId("alice-in-the-shop"), reason="ticket 12")
    open_grant(staff, "alice-in-the-shop", ticket="SHOP-1")
    shown = entries(alice_client)
    assert "Case number: SHOP-1." in shown[0]
    assert "An assistant’s id was connected to your account. By the people who run this portal." in shown[1]


def test_an_act_from_another_account_on_a_shared_id_is_told(alice: User, bob: User, alice_client: Client) -> None:
    """The id was connected to Bob's account by mistake, and then to hers."""
    link(alice, SubjectId("customer-1"), reason="ticket 12")
    record(Action.EXPORT_ASKED, actor=Actor(str(bob.pk), "person"), subject=SubjectId("customer-1"))
    shown = entries(alice_client)[0]
    assert "Everything was taken away as a file. From another account that this id was connected to." in shown
    assert bob.email not in shown


def test_only_what_others_did(alice: User, alice_client: Client, staff: User) -> None:
    own(alice, Action.MEMORY_CORRECTED)
    open_grant(staff, alice.subject)
    record(Action.ERASURE_DONE, actor=SYSTEM, subject=SubjectId(alice.subject), details={"memories": 3, "left": 0})
    shown = entries(alice_client, ACTIVITY + "?by=others")
    assert len(shown) == 2
    assert "Everything was erased: 3 memories. By this portal, by itself." in shown[0]


def test_pages_go_by_number_and_lose_nothing(alice: User, alice_client: Client, bob: User) -> None:
    for number in range(PAGE + 10):
        own(alice, Action.EXPORT_ASKED, details={"form": f"n{number}"})
        own(bob, Action.EXPORT_ASKED, details={"form": f"bob{number}"})
    first = alice_client.get(ACTIVITY)
    older = re.search(r'href="([^"]*)" rel="next"', first.content.decode())[1]
    own(alice, Action.EXPORT_ASKED, details={"form": "later"})  # does not move the next page
    second = entries(alice_client, older)
    wanted = [f"(N{number})" for number in reversed(range(PAGE + 10))]
    shown = [re.search(r"\(\w+\)", entry)[0] for entry in (*first_page(first), *second[:-1])]
    assert shown == wanted
    assert "You signed in." in second[-1]
    assert 'rel="prev"' in alice_client.get(older).content.decode()


def first_page(response: Any) -> list[str]:
    return re.findall(r"You took everything with you \(\w+\)", response.content.decode())


@pytest.mark.parametrize("before", ["x", "-1", "٣", "9" * 30, "1; DROP TABLE audit_event", ""])
def test_a_link_changed_by_hand_gives_the_first_page(before: str, alice_client: Client) -> None:
    assert "You signed in." in entries(alice_client, f"{ACTIVITY}?before={before}")[0]


def test_before_the_first_event_there_is_nothing_older(alice_client: Client) -> None:
    assert "There is nothing older." in words(alice_client.get(ACTIVITY + "?before=1"))


def test_texts_in_a_case_number_are_escaped(alice: User, alice_client: Client, staff: User) -> None:
    open_grant(staff, alice.subject, ticket="a/b#1")
    assert "Case number: a/b#1." in entries(alice_client)[0]


def test_every_action_has_words_of_its_own() -> None:
    """An action that somebody adds must be put into words for the people whose data it is about."""
    about_nobody = {Action.PERSON_MISSED, Action.TRAIL_VERIFIED, Action.TRAIL_PRUNED, Action.REQUEST_PRUNED}
    about_people = {action for action in Action if not action.startswith("key.")} - about_nobody
    assert about_people - set(_WORDS) - set(_STAFF) == set()


def test_a_visit_costs_the_same_for_short_and_long_lists(
    alice: User, alice_client: Client, staff: User, django_assert_max_num_queries: Any
) -> None:
    open_grant(staff, alice.subject)
    alice_client.get(ACTIVITY)
    with django_assert_max_num_queries(10) as few:
        alice_client.get(ACTIVITY)
    for _ in range(30):
        by_staff(staff, alice.subject, Action.MEMORY_LISTED)
    with django_assert_max_num_queries(10) as many:
        alice_client.get(ACTIVITY)
    assert len(many) == len(few)


def test_looking_leaves_no_event(alice_client: Client, alice_memory: ScopedMemory) -> None:
    from memoryportal.audit.models import Event

    item = alice_memory.add("Alice likes cheese.", infer=False)[0]
    before = Event.objects.count()
    for path in ("/memories/", f"/memories/{item.id}/", "/held/", "/export/", "/activity/", "/settings/"):
        assert alice_client.get(path).status_code == 200
    alice_client.post("/memories/search/", {"q": "cheese", "by": "word"})
    assert Event.objects.count() == before
