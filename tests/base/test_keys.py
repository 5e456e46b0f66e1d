"""The key ring: one key made by itself, several after a rotation, and the public halves for everybody."""

import json
import os
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.test import Client

from memoryportal.base.keys import KeyRing, KeyTrouble, Signature, is_signed, key_id, key_ring, read_published

PUBLISHED = "/.well-known/memoryportal-keys.json"


def add_key(folder: Path, seconds_later: int) -> str:
    """A rotation: a newer key beside the others. Its id."""
    key = Ed25519PrivateKey.generate()
    format, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    name = key_id(key.public_key())
    path = folder / f"{name}.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, format, plain))
    os.utime(path, (path.stat().st_mtime + seconds_later,) * 2)
    return name


def test_a_first_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    KeyRing(folder)
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert KeyRing(folder).public.keys() == KeyRing(folder).public.keys(), "and found again"
    assert len(list(folder.iterdir())) == 1


def test_the_newest_signs_and_all_verify(tmp_path: Path) -> None:
    old = KeyRing(tmp_path).sign("receipt", b"text")
    newest = add_key(tmp_path, 60)
    ring = KeyRing(tmp_path)
    assert ring.verify("receipt", b"text", old)
    new = ring.sign("receipt", b"text")
    assert new.kid == newest != old.kid
    assert ring.verify("receipt", b"text", new)


def test_a_signature_is_for_one_text_one_purpose_and_one_key(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    signature = ring.sign("receipt", b"text")
    other = KeyRing(tmp_path / "other").sign("receipt", b"text")
    assert ring.verify("receipt", b"text", signature)
    assert not ring.verify("receipt", b"texts", signature)
    assert not ring.verify("audit-head", b"text", signature)
    assert not ring.verify("receipt", b"text", other)
    assert not ring.verify("receipt", b"text", Signature(signature.kid, other.value))
    assert not ring.verify("receipt", b"text", Signature(signature.kid, "no hexadecimal"))


def test_a_published_set_is_read_again(tmp_path: Path) -> None:
    add_key(tmp_path, 60)
    ring = KeyRing(tmp_path)
    keys = read_published(json.dumps({"keys": ring.published()}))
    assert keys.keys() == ring.public.keys()
    signature = ring.sign("receipt", b"text")
    assert is_signed(keys, "receipt", b"text", signature)
    assert not is_signed({}, "receipt", b"text", signature)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: {**key, "kty": "EC"},
        lambda key: {**key, "crv": "X25519"},
        lambda key: {**key, "x": key["x"][:-2]},
        lambda key: {**key, "x": "ä"},
        lambda key: {**key, "x": 7},
        lambda key: {"kty": "OKP"},
        lambda key: "a key",
        lambda key: None,
    ],
)
def test_a_set_with_something_else_in_it_is_refused(change: Any, tmp_path: Path) -> None:
    (key,) = KeyRing(tmp_path).published()
    with pytest.raises(ValueError, match="This is not a set of Ed25519 keys"):
        read_published(json.dumps({"keys": [key, change(key)]}))


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"keys": 7}', "[" * 100_000, "\ufeff{}", b"\xff"])
def test_a_file_that_is_no_set_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="This is not a set of Ed25519 keys"):
        read_published(text)


def test_an_empty_set_and_a_borrowed_name_are_refused(tmp_path: Path) -> None:
    (key,), (other,) = KeyRing(tmp_path / "a").published(), KeyRing(tmp_path / "b").published()
    with pytest.raises(ValueError, match="has a name that is not its own"):
        read_published(json.dumps({"keys": [{**key, "kid": other["kid"]}]}))
    with pytest.raises(ValueError, match="is empty"):
        read_published('{"keys": []}')


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_bytes(content)
    with pytest.raises(KeyTrouble, match=r"The signing key broken\.pem in KEY_DIR cannot be read\."):
        KeyRing(tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    format, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = X25519PrivateKey.generate().private_bytes(serialization.Encoding.PEM, format, plain)
    (tmp_path / "other.pem").write_bytes(pem)
    with pytest.raises(KeyTrouble, match="is not an Ed25519 key"):
        KeyRing(tmp_path)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyTrouble, match=r"cannot be written to KEY_DIR \(Not a directory\)"):
        KeyRing(tmp_path / "file" / "keys")


@pytest.mark.django_db
def test_everybody_can_fetch_the_public_halves(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.KEY_DIR = tmp_path
    KeyRing(tmp_path)
    add_key(tmp_path, 60)
    signature = key_ring().sign("receipt", b"text")
    keys = client.get(PUBLISHED).json()["keys"]
    assert len(keys) == 2
    assert all(key.keys() == {"kty", "crv", "kid", "x"} for key in keys), "nothing of the private half"
    (used,) = (key for key in keys if key["kid"] == signature.kid)
    public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(used["x"] + "="))
    public.verify(bytes.fromhex(signature.value), b"memoryportal/receipt\ntext")
    assert client.post(PUBLISHED).status_code == 405


@pytest.mark.django_db
def test_trouble_with_the_keys_is_a_503(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.KEY_DIR = tmp_path
    (tmp_path / "broken.pem").write_text("no key")
    assert client.get(PUBLISHED).status_code == 503
