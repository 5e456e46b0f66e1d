"""Role × URL × verb, made from the resolver: the guard says who is let in, and nobody else sees a thing."""

from collections.abc import Callable
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.erasure.models import Erasure
from memoryportal.memory import Item, ScopedMemory
from memoryportal.support.models import AccessGrant, Quota
from tests.erasure.making import an_erasure
from tests.test_access import ROUTES, path_of

from .requests import outside
from .staffing import WHY, fragment, no_text_of, open_access, signed_in, staff_member, state
from .test_guard import STAFF_PAGES

pytestmark = pytest.mark.django_db
VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
LOGIN = "/accounts/login/"
ONE = "<request:reference>/"


def superuser() -> User:
    admin = staff_member("admin")
    User.objects.filter(pk=admin.pk).update(is_superuser=True)
    return User.objects.get(pk=admin.pk)


# role -> the roles that its account holds
ROLES: dict[str, tuple[str, ...]] = {
    "anonymous": (),
    "person": (),
    "superuser": (),
    "support without a second factor": ("support",),
    "privacy without a second factor": ("privacy",),
    "auditor without a second factor": ("auditor",),
    "support": ("support",),
    "privacy": ("privacy",),
    "auditor": ("auditor",),
}
PEOPLE: dict[str, Callable[[], User]] = {
    "person": lambda: staff_member("person"),
    "superuser": superuser,
    **{f"{role} without a second factor": (lambda role=role: staff_member("weak", role, factor=False)) for role in
       ("support", "privacy", "auditor")},
    **{role: (lambda role=role: staff_member(f"own-{role}", role)) for role in ("support", "privacy", "auditor")},
}  # fmt: skip


@pytest.fixture
def ids(items: list[Item], support_client: Client, alice: User) -> dict[str, Any]:
    """Ids of a grant of somebody else's, and of Alice's memories: what there is to lose."""
    grant = open_access(support_client)
    erasure = an_erasure("somebody-erased-long-ago", account=alice, state="completed")
    Erasure.objects.filter(pk=erasure.pk).update(receipt={"receipt": {"reference": erasure.reference}})
    return {
        "grant_id": grant.pk,
        "memory_id": items[0].id,
        "erasure_id": erasure.pk,
        "reference": erasure.reference,
        "key_id": uuid4(),  # of the administration, where a word that is none leads elsewhere
        "place_id": outside(erasure, "Crash reports")[0].pk,
    }


def client_of(role: str) -> Client:
    return Client() if role == "anonymous" else signed_in(PEOPLE[role]())


def send(client: Client, verb: str, path: str, memory_id: str, htmx: bool) -> Any:
    everything = {**WHY, "words": "alice@example.com", "q": "quillwort", "by": "word", "id": memory_id}
    data = everything if verb in ("get", "head", "post") else None
    return getattr(client, verb)(path, data, headers=fragment("memories") if htmx else {})


def lets_in(role: str, route: str) -> bool:
    """What the guard of this URL says about somebody with this role and a second factor."""
    return "without" not in role and bool(set(ROLES[role]) & set(STAFF_PAGES[route].callback.staff_roles))


def is_denied(role: str, response: Any, htmx: bool) -> bool:
    if role == "anonymous":
        where = response.headers.get("HX-Redirect" if htmx else "Location", "")
        return response.status_code == (204 if htmx else 302) and where.startswith(LOGIN)
    return response.status_code in (403, 404)


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
@pytest.mark.parametrize("role", ROLES)
def test_every_cell(role: str, htmx: bool, ids: dict[str, Any], items: list[Item], alice_memory: ScopedMemory) -> None:
    client = client_of(role)
    stood, finds = state(alice_memory), list(Quota.objects.values_list("staff", "finds"))
    for route, verb in product(STAFF_PAGES, VERBS):
        if lets_in(role, route):
            continue
        answer = send(client, verb, path_of(route, ids), ids["memory_id"], htmx)
        cell = f"{role} {verb} {route}: {answer.status_code}"
        assert is_denied(role, answer, htmx), cell
        if role != "anonymous":
            weak = "without" in role and set(ROLES[role]) & set(STAFF_PAGES[route].callback.staff_roles)
            assert answer.status_code == (403 if weak else 404), cell
        assert no_text_of(items, answer), cell
    assert state(alice_memory) == stood
    assert list(Quota.objects.values_list("staff", "finds")) == finds


@pytest.mark.parametrize("role", ["support", "privacy", "auditor"])
def test_every_cell_that_is_open(role: str, ids: dict[str, Any], items: list[Item], alice: User) -> None:
    """With ids of one's own. Without this a portal that lets nobody in would pass."""
    client = client_of(role)
    if role != "auditor":
        erasure = an_erasure(alice.subject, account=alice, state="waiting")
        ids["grant_id"] = open_access(client, ticket=erasure.reference, minutes="60").pk
    reached = 0
    for route, verb in product(STAFF_PAGES, VERBS):
        if not lets_in(role, route):
            continue
        answer = send(client, verb, path_of(route, ids), ids["memory_id"], htmx=False)
        assert answer.status_code not in (403, 404), f"{role} {verb} {route}: {answer.status_code}"
        assert not answer.headers.get("Location", "").startswith(LOGIN)
        assert answer.status_code < 500, f"{role} {verb} {route}"
        reached += answer.status_code == 200
    assert reached > 3


@pytest.mark.parametrize("role", ["support", "privacy", "auditor", "superuser"])
def test_no_role_opens_the_persons_own_pages(
    role: str, ids: dict[str, Any], items: list[Item], alice_memory: ScopedMemory
) -> None:
    """An open access of somebody else's, or of one's own, is no way to /memories/<id>/."""
    client, stood = client_of(role), state(alice_memory)
    for route in ROUTES:
        if route in STAFF_PAGES or route.startswith("accounts/"):
            continue
        for verb in ("get", "post"):
            answer = send(client, verb, path_of(route, ids), ids["memory_id"], htmx=False)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert not [item for item in items if item.text.split()[-1].encode() in content], f"{role} {verb} {route}"
            if "<uuid:" in route:
                assert answer.status_code in (404, 405), f"{role} {verb} {route}"
    assert state(alice_memory) == stood


def test_the_table_is_what_was_promised() -> None:
    """Who may do what, in words, for the pages that this room began with."""
    staff = {"support", "privacy"}
    promised = {
        "support/": staff | {"auditor"},
        "support/people/": staff,
        "support/grants/": staff,
        "support/acts/": staff,
        **{route: staff for route in STAFF_PAGES if route.startswith("support/grants/<")},
        **{route: {"privacy"} for route in STAFF_PAGES if route.startswith("support/requests/")},
        **{f"support/requests/{page}": staff | {"auditor"} for page in ("", ONE, f"{ONE}receipt/")},
    }
    for route, roles in promised.items():
        assert set(STAFF_PAGES[route].callback.staff_roles) == roles, route


def test_a_grant_of_ones_own_is_needed_for_each_cell(
    ids: dict[str, Any], items: list[Item], alice_memory: ScopedMemory
) -> None:
    """Somebody with the right role and somebody else's grant is a stranger."""
    client, stood = client_of("support"), state(alice_memory)
    for route, verb in product([route for route in STAFF_PAGES if route.startswith("support/grants/<")], VERBS):
        answer = send(client, verb, path_of(route, ids), ids["memory_id"], htmx=False)
        expected = (404, 405, 302) if route.endswith(("reveal/", "search/")) else (404, 405)
        assert answer.status_code in expected, f"{verb} {route}"
        assert no_text_of(items, answer)
    assert state(alice_memory) == stood
    assert AccessGrant.objects.get().is_open
