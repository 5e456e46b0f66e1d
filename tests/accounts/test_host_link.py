"""A signed redirect of the host application: what is taken, what is refused, and that nothing happens by itself."""

import base64
import hmac
import json
import re
import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import links
from memoryportal.accounts.configuration import HostLink
from memoryportal.accounts.models import Letter, SubjectLink, UsedToken, User
from memoryportal.accounts.subjects import is_connected, own_subjects
from memoryportal.audit.models import Event
from memoryportal.memory import SubjectId
from tests.erasure.making import an_erasure

from .helpers import sign_in

pytestmark = pytest.mark.django_db
SECRET = "shared-between-the-two-of-us-and-nobody-else"
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(params=["HS256", "EdDSA"])
def algorithm(request: pytest.FixtureRequest, settings: Any) -> str:
    """Both kinds of key, one after the other."""
    key = SECRET if request.param == "HS256" else PUBLIC
    settings.HOST_LINK = HostLink(key, request.param, "https://shop.example", "memoryportal", "The Shop")
    return str(request.param)


@pytest.fixture
def shop(settings: Any) -> None:
    settings.HOST_LINK = HostLink(SECRET, "HS256", "https://shop.example", "memoryportal", "The Shop")


def claims(**change: Any) -> dict[str, Any]:
    made = {
        "iss": "https://shop.example",
        "aud": "memoryportal",
        "sub": "customer-1",
        "jti": f"j{time.time_ns()}",
        "exp": int(time.time()) + 120,
    }
    return {name: value for name, value in (made | change).items() if value is not None}


def token(algorithm: str = "HS256", **change: Any) -> str:
    key: Any = SECRET if algorithm == "HS256" else PRIVATE
    return jwt.encode(claims(**change), key, algorithm=algorithm)


def arrive(client: Client, token: str) -> Any:
    return client.get("/settings/link/", {"token": token})


def form_of(client: Client) -> dict[str, str]:
    """What the open page would send."""
    page = client.get("/settings/link/").content.decode()
    return dict(re.findall(r'<input type="hidden" name="(shown)" value="([^"]+)"', page))


def confirm(client: Client) -> Any:
    """Read the page and press its button."""
    return client.post("/settings/link/", form_of(client))


def nothing_was_linked(client: Client) -> bool:
    return not SubjectLink.objects.exists() and "link_offer" not in client.session


def test_the_signed_in_person_confirms_it(algorithm: str, alice: User, alice_client: Client) -> None:
    answer = arrive(alice_client, token(algorithm))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/settings/link/")
    page = alice_client.get("/settings/link/").content.decode()
    assert "customer-1" in page
    assert "The Shop" in page
    assert not SubjectLink.objects.exists()
    assert confirm(alice_client).headers["Location"] == "/settings/"
    link = SubjectLink.objects.get()
    assert (link.account, link.subject, link.proof, link.issuer, link.by) == (
        alice,
        "customer-1",
        "redirect",
        "https://shop.example",
        alice,
    )
    assert Letter.objects.get().about["whose"] == "The Shop"
    assert Event.objects.get(action="link.made").details["method"] == "redirect"


def test_somebody_who_is_not_signed_in_does_so_first(shop: None, alice: User, client: Client) -> None:
    assert arrive(client, token()).headers["Location"] == "/settings/link/"
    assert client.get("/settings/link/").headers["Location"] == "/accounts/login/?next=/settings/link/"
    sign_in(client, "alice@example.com", next="/settings/link/")
    assert "customer-1" in client.get("/settings/link/").content.decode()
    confirm(client)
    assert own_subjects(alice) == ["customer-1", alice.subject]


def test_a_look_at_the_link_does_not_use_the_token_up(shop: None, alice_client: Client) -> None:
    sent = token()
    looked = alice_client.head("/settings/link/", {"token": sent})
    assert (looked.status_code, looked.content) == (200, b"")
    assert not UsedToken.objects.exists()
    assert form_of(alice_client) == {}, "nothing waits for the person"
    assert arrive(alice_client, sent).status_code == 302
    assert form_of(alice_client) != {}


def test_a_token_counts_once(algorithm: str, alice_client: Client, bob_client: Client) -> None:
    once = token(algorithm)
    arrive(alice_client, once)
    for client in (alice_client, bob_client):
        assert arrive(client, once).status_code == 403
    assert "link_offer" not in bob_client.session
    assert UsedToken.objects.count() == 1


BAD = {
    "expired": {"exp": int(time.time()) - 60},
    "lives too long": {"exp": int(time.time()) + 3600},
    "no expiry": {"exp": None},
    "no number": {"jti": None},
    "a number that is no text": {"jti": 17},
    "no id": {"sub": None},
    "no issuer": {"iss": None},
    "another issuer": {"iss": "https://elsewhere.example"},
    "no audience": {"aud": None},
    "another audience": {"aud": "somebody-else"},
    "several audiences": {"aud": ["memoryportal", "somebody-else"]},
    "an id that is no text": {"sub": 17},
    "a hostile id": {"sub": "*"},
    "an empty id": {"sub": ""},
    "two ids": {"sub": "a,b"},
    "an expiry that is a word": {"exp": "tomorrow"},
    "an expiry without end": {"exp": float("inf")},
    "not yet": {"nbf": int(time.time()) + 3600},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_a_token_that_is_not_good_is_refused(change: dict[str, Any], algorithm: str, alice_client: Client) -> None:
    payload = json.dumps(claims(**change)).encode()  # by hand: the library would not write all of these
    signed = jwt.api_jws.encode(payload, SECRET if algorithm == "HS256" else PRIVATE, algorithm=algorithm)
    answer = arrive(alice_client, signed)
    assert answer.status_code == 403
    assert "Nothing was connected" in answer.content.decode()
    assert nothing_was_linked(alice_client)
    assert not UsedToken.objects.exists()
    assert Event.objects.get(action="link.refused").details == {"method": "redirect", "kind": "token"}


def test_five_minutes_are_the_longest(shop: None, alice_client: Client) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        assert arrive(alice_client, token(exp=int(time.time()) + 310)).status_code == 403
        assert arrive(alice_client, token(exp=int(time.time()) + 300)).status_code == 302


def test_the_token_does_not_choose_its_algorithm(algorithm: str, alice_client: Client) -> None:
    other = token("EdDSA" if algorithm == "HS256" else "HS256")
    unsigned = jwt.encode(claims(), None, algorithm="none")
    # The classic: the public key, which everybody has, used as if it were a shared secret.
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=")
    signature = hmac.digest(PUBLIC.encode(), head + b"." + body, "sha256")
    confused = b".".join((head, body, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()
    for bad in (other, unsigned, confused, token(algorithm)[:-4] + "AAAA", "", "x", "a.b.c"):
        assert arrive(alice_client, bad).status_code == 403
    assert nothing_was_linked(alice_client)


def test_an_id_of_another_account_is_refused_and_told(shop: None, alice_client: Client, alice: User, bob: User) -> None:
    links.link(bob, SubjectId("customer-1"), reason="ticket 12")
    arrive(alice_client, token())
    answer = confirm(alice_client)
    assert answer.status_code == 409
    assert own_subjects(alice) == [alice.subject]
    assert SubjectLink.objects.get().account == bob
    assert Letter.objects.filter(kind="link_refused", to="privacy@example.com").count() == 1
    assert Event.objects.get(action="link.refused").actor == str(alice.pk)
    assert confirm(alice_client).headers["Location"] == "/settings/"  # the offer is gone


def test_the_id_that_the_portal_gave_out_needs_no_link(shop: None, alice: User, alice_client: Client) -> None:
    arrive(alice_client, token(sub=alice.subject))
    confirm(alice_client)
    assert not SubjectLink.objects.exists()
    assert is_connected(User.objects.get(pk=alice.pk))


def test_no_form_and_no_address_says_which_id(shop: None, alice_client: Client) -> None:
    arrive(alice_client, token())
    forged = {"subject": "customer-9", "sub": "customer-9"}
    alice_client.post("/settings/link/?sub=customer-9", {**form_of(alice_client), **forged})
    assert SubjectLink.objects.get().subject == "customer-1"


def test_an_open_page_connects_the_id_that_it_shows_and_no_later_one(shop: None, alice: User, client: Client) -> None:
    """Whoever has a token of their own could send a browser here while its person reads about another id."""
    client.force_login(alice)
    arrive(client, token())
    form = form_of(client)
    arrive(client, token(sub="customer-of-somebody-else"))
    for sent in (form, {}):
        answer = client.post("/settings/link/", sent)
        assert answer.status_code == 409
        assert "has sent another id to this browser" in answer.content.decode()
        assert "customer-of-somebody-else" in answer.content.decode()
        assert not SubjectLink.objects.exists()
    assert confirm(client).headers["Location"] == "/settings/"
    assert own_subjects(alice) == ["customer-of-somebody-else", alice.subject]


def test_an_offer_does_not_wait_for_ever(shop: None, alice_client: Client) -> None:
    arrive(alice_client, token())
    form = form_of(alice_client)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert alice_client.post("/settings/link/", form).headers["Location"] == "/settings/"
    assert not SubjectLink.objects.exists()


def test_an_offer_is_gone_when_somebody_else_signs_in(shop: None, alice_client: Client, alice: User, bob: User) -> None:
    arrive(alice_client, token())
    form = form_of(alice_client)
    alice_client.post("/accounts/logout/")
    sign_in(alice_client, "bob@example.com")
    alice_client.post("/settings/link/", form)
    assert not SubjectLink.objects.exists()


def test_without_a_host_application_every_token_is_refused(alice_client: Client) -> None:
    assert arrive(alice_client, token()).status_code == 403
    assert alice_client.get("/settings/link/").headers["Location"] == "/settings/"


def test_what_is_being_erased_for_somebody_else_waits(shop: None, bob: User, alice_client: Client) -> None:
    """Nobody's mistake: privacy is not alerted, and the person reads when it works."""
    an_erasure("customer-1", state="retrying", account=bob)
    arrive(alice_client, token())
    answer = confirm(alice_client)
    assert answer.status_code == 409
    assert "can be connected when that has ended" in answer.content.decode()
    assert "another account" not in answer.content.decode()
    assert nothing_was_linked(alice_client)
    assert not Letter.objects.exists()
