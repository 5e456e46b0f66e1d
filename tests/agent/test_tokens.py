"""Subject tokens: what they say, and that nothing else passes as one."""

import base64
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from memoryportal.agent import tokens
from memoryportal.agent.models import ServiceKey
from memoryportal.base.keys import key_id, key_ring
from memoryportal.memory import InvalidSubject, SubjectId

from .. import hostile
from .calling import Assistant, call, code

pytestmark = pytest.mark.django_db


def private() -> Ed25519PrivateKey:
    return tokens._ring().private[-1]


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def signed(claims: dict[str, Any], key: Any = None, algorithm: str = "EdDSA", **header: Any) -> str:
    kid = key_id(private().public_key())
    return jwt.encode(claims, key or private(), algorithm, headers={"kid": kid, "typ": "subject+jwt", **header})


def refused(token: str) -> str:
    return code(call("get", "/memories", token))


def test_what_a_token_says(alice: Assistant, service_key: ServiceKey) -> None:
    header, claims = parts(alice.token)
    assert header == {"alg": "EdDSA", "kid": key_id(private().public_key()), "typ": "subject+jwt"}
    assert claims["exp"] - claims["iat"] == 600
    assert (claims["iss"], claims["aud"]) == ("memoryportal", "memoryportal-gateway")
    assert (claims["sub"], claims["agent"], claims["key"]) == (alice.subject, alice.agent, service_key.pk.hex)
    assert claims["rights"] == ["delete", "read", "write"]
    assert "run" not in claims
    assert uuid.UUID(claims["jti"])


def test_its_keys_sign_nothing_else(alice: Assistant) -> None:
    """A token is no receipt: the published keys do not know its key, and it is not signed by one of theirs."""
    kid = parts(alice.token)[0]["kid"]
    assert kid not in key_ring().public
    claims = parts(alice.token)[1]
    ring = key_ring()
    other = ring.private[-1]
    assert refused(signed(claims, other, kid=key_id(other.public_key()))) == "token-invalid"
    assert refused(signed(claims, other)) == "token-invalid"


# --- what is no token of ours ----------------------------------------------------------------------------------------

Forge = Callable[[dict[str, Any], str], str]


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def public_pem() -> bytes:
    return (
        private().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def hmac_with_public_key(claims: dict[str, Any], token: str) -> str:
    """The classic: HS256, whose secret is our public key. PyJWT refuses to make one, so it is made by hand."""
    import hashlib
    import hmac

    head = f"{b64({'alg': 'HS256', 'typ': 'subject+jwt', 'kid': key_id(private().public_key())})}.{b64(claims)}"
    return f"{head}.{b64(hmac.new(public_pem(), head.encode(), hashlib.sha256).digest())}"


def flipped(token: str, part: int) -> str:
    """One character of one part is another one; never the last, of which some bits mean nothing."""
    pieces = token.split(".")
    place = len(pieces[part]) // 2
    other = "A" if pieces[part][place] != "A" else "B"
    pieces[part] = pieces[part][:place] + other + pieces[part][place + 1 :]
    return ".".join(pieces)


FORGED: dict[str, Forge] = {
    "another header": lambda c, t: flipped(t, 0),
    "other claims": lambda c, t: flipped(t, 1),
    "another signature": lambda c, t: flipped(t, 2),
    "no signature": lambda c, t: t.rpartition(".")[0] + ".",
    "cut": lambda c, t: t[:-10],
    "two parts": lambda c, t: t.rpartition(".")[0],
    "five parts": lambda c, t: t + ".a.b",
    "claims of another person under the old signature": lambda c, t: ".".join(
        (t.split(".")[0], b64({**c, "sub": "bob"}), t.split(".")[2])
    ),
    "alg none": lambda c, t: f"{b64({'alg': 'none', 'typ': 'subject+jwt'})}.{b64(c)}.",
    "alg none, our kid": lambda c, t: (
        f"{b64({'alg': 'none', 'typ': 'subject+jwt', 'kid': parts(t)[0]['kid']})}.{b64(c)}."
    ),
    "alg None with a signature": lambda c, t: ".".join(
        (b64({**parts(t)[0], "alg": "None"}), t.split(".")[1], t.split(".")[2])
    ),
    "HS256 with our public key": hmac_with_public_key,
    "HS256": lambda c, t: signed(c, "x" * 32, "HS256"),
    "a foreign key": lambda c, t: signed(c, Ed25519PrivateKey.generate()),
    "a foreign kid": lambda c, t: signed(c, kid="0123456789abcdef"),
    "a foreign key and kid": lambda c, t: signed(c, k := Ed25519PrivateKey.generate(), kid=key_id(k.public_key())),
    "a kid that is a path": lambda c, t: signed(c, kid="../../keys/x"),
    "a kid that is a number": lambda c, t: f"{b64({**parts(t)[0], 'kid': 7})}.{t.partition('.')[2]}",
    "a key in the header": lambda c, t: signed(
        c,
        k := Ed25519PrivateKey.generate(),
        jwk={"kty": "OKP", "crv": "Ed25519", "x": b64(k.public_key().public_bytes_raw())},
    ),
    "a critical header": lambda c, t: signed(c, crit=["b64"], b64=False),
    "another kind of token": lambda c, t: signed(c, typ="JWT"),
    "no kind": lambda c, t: signed(c, typ=None),
    "another issuer": lambda c, t: signed({**c, "iss": "somebody"}),
    "another audience": lambda c, t: signed({**c, "aud": "memoryportal"}),
    "several audiences": lambda c, t: signed({**c, "aud": ["memoryportal-gateway", "x"]}),
    "from the future": lambda c, t: signed({**c, "iat": int(time.time()) + 3600}),
    "not yet": lambda c, t: signed({**c, "nbf": int(time.time()) + 3600}),
    "an end that is a text": lambda c, t: signed({**c, "exp": "tomorrow"}),
    "an end beyond time": lambda c, t: signed({**c, "exp": 1e300}),
    "a key that is none": lambda c, t: signed({**c, "key": "mine"}),
    "rights that are none": lambda c, t: signed({**c, "rights": ["read", "everything"]}),
    "rights as a number": lambda c, t: signed({**c, "rights": 7}),
    "agent as a list": lambda c, t: signed({**c, "agent": ["a", "b"]}),
    "agent *": lambda c, t: signed({**c, "agent": "*"}),
    "no agent": lambda c, t: signed({**c, "agent": None}),
    "run *": lambda c, t: signed({**c, "run": "*"}),
    "subject *": lambda c, t: signed({**c, "sub": "*"}),
    "an empty subject": lambda c, t: signed({**c, "sub": ""}),
    "a subject that is a number": lambda c, t: signed({**c, "sub": 7}),
    "a list of subjects": lambda c, t: signed({**c, "sub": ["a", "b"]}),
    "claims that are a list": lambda c, t: jwt.api_jws.encode(
        b"[1]", private(), "EdDSA", headers={"kid": parts(t)[0]["kid"], "typ": "subject+jwt"}
    ),
    "no token": lambda c, t: "nonsense",
    "three dots": lambda c, t: "...",
    "not ASCII": lambda c, t: t[:20] + "\u00e4" + t[21:],
    "very long": lambda c, t: t + "a" * 50_000,
} | {
    f"without {name}": lambda c, t, name=name: signed({k: v for k, v in c.items() if k != name})  # type: ignore[misc]
    for name in ("iss", "aud", "exp", "iat", "jti", "sub", "agent", "rights", "key")
}


@pytest.mark.parametrize("how", FORGED)
def test_forged(alice: Assistant, how: str) -> None:
    alice.add("I am vegetarian.")
    token = FORGED[how](parts(alice.token)[1], alice.token)
    answer = call("get", "/memories", token)
    assert code(answer) == "token-invalid"
    assert "vegetarian" not in answer.content.decode()
    assert alice.subject not in answer.content.decode()


def test_the_forger_s_own_tools_make_a_good_one(alice: Assistant) -> None:
    """Without this the test above would pass on a gateway that takes nothing at all."""
    assert call("get", "/memories", signed(parts(alice.token)[1])).status_code == 200


def test_a_token_ends_after_ten_minutes(alice: Assistant) -> None:
    with time_machine.travel(time.time() + 590):
        assert alice.call("get", "/memories").status_code == 200
    with time_machine.travel(time.time() + 606):
        assert code(alice.call("get", "/memories")) == "token-expired"


def test_a_token_of_a_key_that_is_gone(alice: Assistant) -> None:
    claims = parts(alice.token)[1]
    assert refused(signed({**claims, "key": uuid.uuid4().hex})) == "token-revoked"


def test_what_the_key_may_no_more_its_tokens_may_no_more(alice: Assistant, service_key: ServiceKey) -> None:
    ServiceKey.objects.filter(pk=service_key.pk).update(rights=["write"])
    assert code(alice.call("get", "/memories")) == "right-missing"
    ServiceKey.objects.filter(pk=service_key.pk).update(rights=["read"], agents=["travel_planner"])
    assert code(alice.call("get", "/memories")) == "agent-refused"


# --- asking for one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value", "mark"), hostile.corpus())
def test_ids_are_refused_as_everywhere(key: str, name: str, value: Any, mark: str) -> None:
    if not isinstance(value, str) or name == "surrogate pair":  # which JSON reads as the one character that it means
        return
    for field in ("subject", "agent", "run"):
        body = {"subject": "alice", "agent": "cook", "run": "monday", field: value}
        answer = call("post", "/tokens", key, body)
        if mark == "kept apart":
            assert answer.status_code == 201
            assert parts(answer.json()["token"])[1][{"subject": "sub"}.get(field, field)] == value
        else:
            assert answer.status_code == 422, name
            assert code(answer) in ("invalid", "invalid-subject" if field == "subject" else "invalid-agent")


@pytest.mark.parametrize("body", [{}, {"subject": "a"}, {"agent": "a"}, {"subject": 1, "agent": "a"}, []])
def test_what_is_missing(key: str, body: Any) -> None:
    assert code(call("post", "/tokens", key, body)) == "invalid"


@pytest.mark.parametrize("rights", [[], ["everything"], "read", ["read"] * 4, [1], None])
def test_rights_that_are_none(key: str, rights: Any) -> None:
    answer = call("post", "/tokens", key, {"subject": "a", "agent": "b", "rights": rights})
    assert answer.status_code == (201 if rights is None else 422)


def test_claims_check_their_ids() -> None:
    for agent, run in (("*", None), ("a", "*"), ("", None)):
        with pytest.raises(InvalidSubject):
            tokens.Claims(uuid.uuid4(), SubjectId("alice"), agent, run, frozenset())


# --- the ring --------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_ring(settings: Any, tmp_path: Path) -> Path:
    settings.KEY_DIR = tmp_path / "keys"
    return tmp_path / "keys" / "tokens"


def test_a_new_key_signs_at_once_and_the_old_one_is_still_known(own_ring: Path, key: str) -> None:
    old = Assistant(key, "alice").token
    fresh = Ed25519PrivateKey.generate()
    time.sleep(0.01)  # the newest file signs
    (own_ring / "2027.pem").write_bytes(
        fresh.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    new = Assistant(key, "alice").token
    assert parts(new)[0]["kid"] == key_id(fresh.public_key())
    assert [call("get", "/memories", token).status_code for token in (old, new)] == [200, 200]


def test_a_key_that_was_taken_out_is_known_no_more(own_ring: Path, key: str) -> None:
    token = Assistant(key, "alice").token
    for file in own_ring.glob("*.pem"):
        file.unlink()
    assert refused(token) == "token-invalid"


def test_several_processes_make_one_first_key(tmp_path: Path) -> None:
    source = (
        "import django; django.setup(); from memoryportal.agent import tokens; print(sorted(tokens._ring().public))"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "memoryportal.settings", "KEY_DIR": str(tmp_path)}
    command = [sys.executable, "-c", source]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(4)]
    said = {process.communicate()[0] for process in running}
    assert len(said) == 1
    assert len(said.pop()) > 16
    assert len(list((tmp_path / "tokens").glob("*.pem"))) == 1


def test_keys_that_cannot_be_read_are_an_outage(own_ring: Path, key: str) -> None:
    own_ring.mkdir(parents=True)
    (own_ring / "broken.pem").write_text("nothing")
    answer = call("post", "/tokens", key, {"subject": "alice", "agent": "cook"})
    assert code(answer) == "unavailable"


def test_one_who_only_reads_cannot_make_a_token_write(key: str, alice: Assistant) -> None:
    reader = Assistant(key, alice.subject, rights=["read"])
    assert parts(reader.token)[1]["rights"] == ["read"]
    assert code(reader.call("post", "/memories", {"text": "x", "infer": False})) == "right-missing"
