"""Answers of a provider that prove nothing sign nobody in."""

import re
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event

from .helpers import is_signed_in
from .oidc_provider import OidcProvider, go, leave, nothing_was_made

pytestmark = pytest.mark.django_db


BAD_CLAIMS = {
    "wrong nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "wrong audience": {"aud": "somebody-else"},
    "audience of two": {"aud": ["memoryportal", "somebody-else"]},
    "wrong issuer": {"iss": "https://elsewhere.example"},
    "expired": {"exp": 1_000_000_000},
    "issued later": {"iat": 9_000_000_000},
    "no expiry": {"exp": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "subject is a number": {"sub": 17},
}


@pytest.mark.parametrize("change", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_an_id_token_that_is_not_for_us_signs_nobody_in(
    change: dict[str, Any], provider: OidcProvider, client: Client
) -> None:
    provider.change = change
    answer = go(client)
    assert answer.status_code == 401
    assert "That did not work" in answer.content.decode()
    assert nothing_was_made()
    assert not is_signed_in(client)
    assert Event.objects.filter(action="session.refused", details__method="oidc").count() == 1


@pytest.mark.parametrize("algorithm", ["none", "HS256", "forged"])
def test_an_id_token_that_the_provider_did_not_sign_signs_nobody_in(
    algorithm: str, provider: OidcProvider, client: Client
) -> None:
    if algorithm == "forged":
        provider.signed_by = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        provider.algorithm = algorithm
    assert go(client).status_code == 401
    assert nothing_was_made()


def test_an_answer_counts_once_and_in_its_own_session_only(provider: OidcProvider, client: Client) -> None:
    address = leave(client)
    sent = requests.get(address, allow_redirects=False, timeout=5).headers["Location"]
    path = sent.replace("http://testserver", "")
    thief = Client()
    assert thief.get(path).status_code == 401
    assert nothing_was_made()
    assert client.get(path).status_code == 302
    assert Client().get(path).status_code == 401
    assert client.get(path).status_code == 401  # the same code a second time
    assert User.objects.count() == 1


def test_a_code_of_another_session_is_worth_nothing(provider: OidcProvider, client: Client) -> None:
    own = re.search("state=([^&]*)", leave(client))
    stolen = requests.get(leave(Client()), allow_redirects=False, timeout=5).headers["Location"]
    code = re.search("code=([^&]*)", stolen)
    assert own
    assert code
    answer = client.get(f"/accounts/oidc/login/callback/?state={own[1]}&code={code[1]}")
    assert answer.status_code == 401
    assert nothing_was_made()


def test_somebody_who_comes_back_without_signing_in_reads_so(provider: OidcProvider, client: Client) -> None:
    provider.refuse = True
    assert go(client).headers["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert "You did not sign in" in client.get("/accounts/3rdparty/login/cancelled/").content.decode()


def test_a_provider_that_is_down_is_no_crash(provider: OidcProvider, client: Client) -> None:
    address = leave(client)
    sent = requests.get(address, allow_redirects=False, timeout=5).headers["Location"]
    provider.down = True
    assert client.post("/accounts/oidc/login/").status_code == 503
    answer = client.get(sent.replace("http://testserver", ""))
    assert answer.status_code == 503
    assert "did not answer" in answer.content.decode()
    assert nothing_was_made()


def test_a_provider_that_describes_itself_as_another_is_not_used(
    provider: OidcProvider, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = provider.description() | {"issuer": "https://elsewhere.example"}
    monkeypatch.setattr(provider, "description", lambda: described)
    assert client.post("/accounts/oidc/login/").status_code == 503
    assert provider.asked == []
