"""Every URL in the resolver, as nobody, as a stranger and as the person: generated, so that none can be forgotten."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from memoryportal.accounts.models import User
from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event
from memoryportal.audit.record import Actor, record
from memoryportal.erasure.models import Erasure
from memoryportal.memory import ScopedMemory
from tests.erasure.making import an_erasure

CANARY = "Only Alice knows the word quillwort-7741."
# Pages that anybody may open. allauth's own are under accounts/; everything else that is public is named here.
# The last one is in a mail, for somebody who may have lost everything but that mail.
PUBLIC = {"", "healthz", "readyz", ".well-known/memoryportal-keys.json", "settings/address/<str:token>/cancel/"}
# Asking for an erasure needs no account. What is behind a reference needs the secret of that one request.
PUBLIC |= {f"requests/{path}" for path in ("", "sent/", "link/<str:token>/", "confirm/", "confirm/no/", "verify/")}
PUBLIC |= {"requests/s/<str:token>/"}
GRANT = "5b0c2f1e-0000-4000-8000-000000000001"
VERBS = ("get", "post", "put", "patch", "delete")
pytestmark = pytest.mark.django_db


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route
        else:
            yield from routes(entry, route)


ROUTES = sorted(set(routes()))
# The gateway looks at no cookie and has no page but its docs: tests/agent/test_doors.py walks it.
GATEWAY = [route for route in ROUTES if route.startswith("api/v1/")]
OURS = [route for route in ROUTES if not route.startswith(("accounts/", "api/v1/"))]
STAFF = [route for route in OURS if route.startswith("support/")]
ADMIN = [route for route in OURS if route.startswith("admin/")]
OWNED = [route for route in OURS if "<uuid:" in route]
# Whoever is signed out is given back what they typed there, and nothing else: tests/accounts/test_typed.py.
KEEPS_TYPED = {"memories/<uuid:memory_id>/edit/"}
SECRET = [route for route in OURS if route.startswith("requests/<str:reference>/")]


def path_of(route: str, ids: dict[str, Any]) -> str:
    """A path for the route with these ids; whatever the regular expressions of allauth ask for gets a word."""
    path = re.sub(r"<\w+:(\w+)>", lambda found: str(ids.get(found[1], 1)), route)
    path = re.sub(r"\(\?P<app_label>(\w+)[^)]*\)", r"\1", path)  # Django admin names its applications there
    path = re.sub(r"\(\?P<\w+>[^)]*\)", "abc", path)
    return "/" + path.replace("^", "").replace("$", "")


@pytest.fixture
def owned(alice: User, alice_memory: ScopedMemory, bob_memory: ScopedMemory) -> dict[str, Any]:
    """Ids of things of Alice's. Bob has memories too, so that his pages are not empty for another reason."""
    item = alice_memory.add(CANARY, infer=False)[0]
    bob_memory.add("Bob wants a window seat.", infer=False)
    erasure = an_erasure("somebody-erased-long-ago", account=alice, state="completed")
    record(Action.GRANT_ENDED, actor=Actor("1", "support"), subject=alice_memory.subject, grant=GRANT)
    seq = alice_memory.history(item.id)[0].seq
    named = {"erasure_id": erasure.pk, "reference": erasure.reference}
    return {"memory_id": item.id, **named, "grant_id": GRANT, "seq": seq, "form": "json"}


def snapshot(memory: ScopedMemory) -> Any:
    return [(item.id, item.text, item.version) for item in memory.page(limit=500).items], memory.held()


def body_of(response: Any) -> str:
    """The answer's text without what differs between two equal answers: tokens, nonces, the path itself."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    text = re.sub(r'(nonce|value|content| aria-current)="[^"]*"', "", content.decode())
    text = re.sub(r"X-CSRFToken[^}]*}", "", text)
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", text)


def send(client: Client, verb: str, path: str, htmx: bool) -> Any:
    headers = {"HX-Request": "true", "HX-Target": "results"} if htmx else {}
    data = {"q": "quillwort", "text": "changed", "confirm": "yes", "word": "erase", "by": "word"}
    return getattr(client, verb)(path, data if verb in ("get", "post") else None, headers=headers)


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_nobody_sees_or_changes_anything(htmx: bool, owned: dict[str, Any], alice_memory: ScopedMemory) -> None:
    before = snapshot(alice_memory)
    for route in ROUTES:
        for verb in VERBS:
            response = send(Client(), verb, path_of(route, owned), htmx)
            assert response.status_code < 500, f"{verb} {route}"
            assert "quillwort" not in body_of(response), f"{verb} {route}"
            if route in OURS and route not in PUBLIC and route not in SECRET:
                # To the login, or no such method; htmx is told to leave the page, never handed a login form.
                allowed = {204, 405} if htmx else {302, 405}
                if route in KEEPS_TYPED and verb == "post":
                    allowed = {403}
                assert response.status_code in allowed, f"{verb} {route}"
                if response.status_code == 302:
                    assert response.headers["Location"].startswith("/accounts/login/"), f"{verb} {route}"
    assert snapshot(alice_memory) == before


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_strangers_get_the_404_of_what_never_was(
    htmx: bool, owned: dict[str, Any], alice_memory: ScopedMemory, bob_client: Client
) -> None:
    before = snapshot(alice_memory)
    never = {**owned, "memory_id": uuid.uuid4(), "erasure_id": uuid.uuid4(), "grant_id": uuid.uuid4()}
    for route in OWNED:
        for verb in VERBS:
            theirs, nothing = (send(bob_client, verb, path_of(route, ids), htmx) for ids in (owned, never))
            assert theirs.status_code == nothing.status_code, f"{verb} {route}"
            assert theirs.status_code in {404, 405}, f"{verb} {route}: {theirs.status_code}"
            assert body_of(theirs) == body_of(nothing), f"{verb} {route}"
    assert snapshot(alice_memory) == before


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_without_its_secret_a_request_does_not_exist(htmx: bool, owned: dict[str, Any], alice_client: Client) -> None:
    """Not for nobody, and not for the person themselves: their account has other pages for it."""
    reference = Erasure.objects.get(pk=owned["erasure_id"]).reference
    assert len(SECRET) == 5
    for client in (Client(), alice_client):
        for route in SECRET:
            for verb in VERBS:
                theirs, nothing = (
                    send(client, verb, path_of(route.replace("<str:reference>", name), owned), htmx)
                    for name in (reference, "MP-ZZZZ-ZZZZ")
                )
                assert theirs.status_code == nothing.status_code, f"{verb} {route}"
                assert theirs.status_code in {404, 405}, f"{verb} {route}: {theirs.status_code}"
                assert body_of(theirs) == body_of(nothing), f"{verb} {route}"


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_for_people_without_a_role_there_are_no_staff_pages(
    htmx: bool, owned: dict[str, Any], alice_client: Client, alice: User
) -> None:
    """Superusers, too: who holds a role is a matter of membership."""
    for is_superuser in (False, True):
        User.objects.filter(pk=alice.pk).update(is_superuser=is_superuser)
        nothing = body_of(send(alice_client, "get", "/support/no/such/page/", htmx))
        before = Event.objects.count()
        for route in STAFF:
            for verb in VERBS:
                response = send(alice_client, verb, path_of(route, owned), htmx)
                assert response.status_code == 404, f"{verb} {route}"
                assert body_of(response) == nothing, f"{verb} {route}"
        assert Event.objects.count() == before, "nor is there anything to record"


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_the_administration_does_not_exist_for_anybody_else(
    htmx: bool, owned: dict[str, Any], alice: User, alice_client: Client
) -> None:
    before = User.objects.order_by("pk").values()
    names = {**owned, "account_id": alice.pk, "object_id": alice.pk, "role": "support"}
    assert len(ADMIN) > 10
    for route in ADMIN:
        for verb in VERBS:
            assert send(alice_client, verb, path_of(route, names), htmx).status_code == 404, f"{verb} {route}"
    assert list(User.objects.order_by("pk").values()) == list(before)


def test_strangers_never_meet_the_text_anywhere(
    owned: dict[str, Any], alice_memory: ScopedMemory, bob_client: Client
) -> None:
    before = snapshot(alice_memory)
    for route in ROUTES:
        if "logout" in route:
            continue
        for verb in ("get", "post"):
            text = body_of(send(bob_client, verb, path_of(route, owned), htmx=False))
            assert "Only Alice knows" not in text, f"{verb} {route}"
    assert snapshot(alice_memory) == before


def test_the_person_does_see_it(owned: dict[str, Any], alice_client: Client) -> None:
    """Without this the tests above would pass on a portal that shows nobody anything."""
    seen = {route for route in OURS if "quillwort" in body_of(alice_client.get(path_of(route, owned)))}
    assert {"memories/", "memories/<uuid:memory_id>/", "memories/<uuid:memory_id>/edit/"} <= seen


def test_no_get_changes_anything(owned: dict[str, Any], alice_client: Client, alice_memory: ScopedMemory) -> None:
    before = snapshot(alice_memory)
    erasures, events = Erasure.objects.count(), Event.objects.count()
    for route in ROUTES:
        alice_client.get(path_of(route, owned))
    assert snapshot(alice_memory) == before
    assert Erasure.objects.count() == erasures
    assert Event.objects.count() == events


def test_every_answer_is_kept_by_nobody(owned: dict[str, Any], alice_client: Client) -> None:
    for route in ROUTES:
        for client in (alice_client, Client()):
            response = client.get(path_of(route, owned))
            assert response.headers["Cache-Control"] == "no-store", route
            assert "HX-Request" in response.headers["Vary"], route
            assert "default-src 'none'" in response.headers["Content-Security-Policy"], route
            assert response.headers["X-Content-Type-Options"] == "nosniff", route
            assert response.headers["X-Frame-Options"] == "DENY", route


@pytest.mark.parametrize("verb", ["get", "post"])
def test_ids_that_are_no_uuids_are_not_found(verb: str, alice_client: Client) -> None:
    for word in ("1", "me", "../", "%00", "00000000-0000-0000-0000-00000000000g", "*"):
        for route in OWNED:
            path = path_of(route, {"memory_id": word, "erasure_id": word})
            assert getattr(alice_client, verb)(path).status_code == 404, path
