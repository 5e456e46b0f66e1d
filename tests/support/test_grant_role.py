"""Whoever is of support and of privacy says in which role they look; its rules count, and every event says which."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant
from tests.erasure.making import an_erasure

from .staffing import WHY, actions, find, last_event, newest, open_access, page_of, said, signed_in, staff_member

pytestmark = pytest.mark.django_db
ROLE = b'name="role"'


@pytest.fixture
def both(db: None) -> User:
    return staff_member("both", "support", "privacy")


@pytest.fixture
def both_client(both: User) -> Client:
    return signed_in(both)


@pytest.fixture
def reference(alice: User) -> str:
    return str(an_erasure(alice.subject, account=alice, state="waiting").reference)


def roles_of(grant: AccessGrant) -> set[str]:
    return set(Event.objects.filter(grant=str(grant.pk)).values_list("role", flat=True))


def test_the_role_is_a_choice_and_support_is_marked(alice: User, both_client: Client) -> None:
    find(both_client, "alice@example.com")
    page = both_client.get("/support/grants/")
    assert page.content.count(ROLE) == 2
    assert page.content.count(b" checked") == 2  # and fifteen minutes
    assert "Support: for a case" in said(page)
    marked = next(part for part in page.content.split(b"<input")[1:] if ROLE in part and b" checked" in part)
    assert b'value="support"' in marked


@pytest.mark.parametrize("role", ["support", "privacy"])
def test_whoever_has_one_role_has_no_choice(role: str, alice: User) -> None:
    client = signed_in(staff_member("one", role))
    find(client, "alice@example.com")
    assert ROLE not in client.get("/support/grants/").content


@pytest.mark.parametrize(("given", "kind", "role"), [({}, "support", "support"), ({"role": ""}, "support", "support"),
    ({"role": "support"}, "support", "support"), ({"role": "privacy"}, "request", "privacy")])  # fmt: skip
def test_the_events_say_which_was_chosen(
    given: dict[str, str], kind: str, role: str, items: list[Item], both_client: Client, reference: str
) -> None:
    grant = open_access(both_client, **{"ticket": reference, **given})
    assert grant.kind == kind
    assert last_event("grant.opened").details["kind"] == kind
    both_client.post(page_of(grant, "reveal/"), {"id": items[0].id})
    both_client.post(page_of(grant, "end/"))
    assert roles_of(grant) == {role}
    assert "memory.revealed" in actions()


def test_as_privacy_the_request_has_to_exist(alice: User, both_client: Client, reference: str) -> None:
    find(both_client, "alice@example.com")
    before = newest()
    answer = both_client.post("/support/grants/", {**WHY, "role": "privacy"})
    assert answer.status_code == 422
    assert "This person has no deletion request with this reference." in said(answer)
    assert (actions(before), AccessGrant.objects.count()) == ([], 0)


@pytest.mark.parametrize("role", ["auditor", "admin", "Privacy", "support,privacy"])
def test_another_role_is_refused(role: str, alice: User, both_client: Client, reference: str) -> None:
    find(both_client, "alice@example.com")
    answer = both_client.post("/support/grants/", {**WHY, "ticket": reference, "role": role})
    assert answer.status_code == 422
    assert not AccessGrant.objects.exists()


def test_support_alone_cannot_choose_privacy(alice: User, support_client: Client, reference: str) -> None:
    """Nor privacy support: what their form does not ask for counts for nothing."""
    assert open_access(support_client, ticket=reference, role="privacy").kind == "support"
    client = signed_in(staff_member("one", "privacy"))
    assert open_access(client, ticket=reference, role="support").kind == "request"
    assert last_event("grant.opened").role == "privacy"


@pytest.mark.parametrize("lost", ["privacy", "support"])
def test_it_ends_with_the_role_that_was_chosen(
    lost: str, alice_memory: ScopedMemory, both: User, both_client: Client, reference: str
) -> None:
    grant = open_access(both_client, ticket=reference, role="privacy")
    both.groups.remove(Group.objects.get(name=lost))
    answer = both_client.get(page_of(grant))
    grant.refresh_from_db()
    assert (grant.ended_how, answer.status_code == 200) == ("role" if lost == "privacy" else "", lost == "support")


def test_the_person_reads_which_team_looked(
    alice: User, alice_client: Client, both_client: Client, reference: str
) -> None:
    grant = open_access(both_client, ticket=reference, role="privacy")
    both_client.post(page_of(grant, "end/"))
    assert "The privacy team" in said(alice_client.get("/activity/"))


def test_somebody_without_an_account_gets_no_note_and_the_form_says_so(support_client: Client, alice: User) -> None:
    find(support_client, an_erasure("customer-without-account", state="identity").reference)
    assert "There is no address here, so nobody gets a note." in said(support_client.get("/support/grants/"))
    find(support_client, "alice@example.com")
    assert "The person gets a note at the end" in said(support_client.get("/support/grants/"))


def test_privacy_need_not_type_the_reference_again(alice: User, reference: str) -> None:
    client = signed_in(staff_member("officer", "privacy"))
    find(client, reference)
    assert f'name="ticket" value="{reference}"' in client.get("/support/grants/").content.decode()
    find(client, "alice@example.com")
    assert 'name="ticket" value=' not in client.get("/support/grants/").content.decode()


def test_the_case_of_support_is_another_one(alice: User, reference: str) -> None:
    client = signed_in(staff_member("one", "support"))
    find(client, reference)
    page = client.get("/support/grants/")
    assert "Open access" in said(page)
    assert reference not in page.content.decode()
