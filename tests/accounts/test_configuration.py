"""What the environment may say about providers and host applications, and what stops the start."""

import os
import subprocess
import sys
from typing import Any

import environ
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.core.exceptions import ImproperlyConfigured

from memoryportal.accounts.configuration import name_of, read_host_link, read_oidc, social_providers
from memoryportal.base.databases import PROJECT_DIR

OIDC = {"OIDC_ISSUER": "https://login.shop.example", "OIDC_CLIENT_ID": "portal", "OIDC_CLIENT_SECRET": "s3cret"}
HOST = {"HOST_LINK_KEY": "x" * 32, "HOST_LINK_ISSUER": "https://shop.example"}


def env(values: dict[str, str]) -> Any:
    made = environ.Env()
    made.ENVIRON = values
    return made


def pem(key: Any, private: bool = False) -> str:
    if private:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_without_variables_there_is_neither() -> None:
    assert read_oidc(env({}), production=True) is None
    assert read_host_link(env({})) is None
    assert social_providers(None)["openid_connect"]["APPS"] == []


def test_a_provider_is_read() -> None:
    found = read_oidc(env(OIDC), production=True)
    assert found is not None
    assert (found.issuer, found.client_id, found.name, found.claim) == (
        "https://login.shop.example",
        "portal",
        "login.shop.example",
        "sub",
    )
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("missing", ["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"])
def test_half_a_provider_is_refused(missing: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="OIDC_CLIENT_ID and OIDC_CLIENT_SECRET"):
        read_oidc(env({**OIDC, missing: ""}), production=True)


def test_production_speaks_to_its_provider_over_tls() -> None:
    plain = {**OIDC, "OIDC_ISSUER": "http://login.shop.example"}
    with pytest.raises(ImproperlyConfigured, match="https://"):
        read_oidc(env(plain), production=True)
    assert read_oidc(env(plain), production=False) is not None


def test_another_claim_must_be_declared_immutable() -> None:
    for value in ({}, {"SUBJECT_CLAIM_IMMUTABLE": "false"}):
        with pytest.raises(ImproperlyConfigured, match="SUBJECT_CLAIM_IMMUTABLE=true"):
            read_oidc(env({**OIDC, "SUBJECT_CLAIM": "email", **value}), production=True)
    found = read_oidc(env({**OIDC, "SUBJECT_CLAIM": "customer", "SUBJECT_CLAIM_IMMUTABLE": "true"}), production=True)
    assert found is not None
    assert found.claim == "customer"


def test_the_start_is_refused_in_one_sentence() -> None:
    environment = {**os.environ, "MEMORYPORTAL_TESTING": "1", "SUBJECT_CLAIM": "email"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=PROJECT_DIR, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("SUBJECT_CLAIM is 'email'")


def test_the_key_fixes_the_algorithm() -> None:
    shared = read_host_link(env(HOST))
    in_one_line = pem(ed25519.Ed25519PrivateKey.generate()).replace("\n", "\\n")
    public = read_host_link(env({**HOST, "HOST_LINK_KEY": in_one_line}))
    assert shared is not None
    assert public is not None
    assert (shared.algorithm, public.algorithm) == ("HS256", "EdDSA")
    assert (shared.audience, shared.name) == ("memoryportal", "https://shop.example")
    assert "xxx" not in repr(shared)


def test_a_key_that_is_too_short_or_of_another_kind_is_refused() -> None:
    private = pem(ed25519.Ed25519PrivateKey.generate(), private=True)
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    for key in ("short", "x" * 31, private, other, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(ImproperlyConfigured, match="HOST_LINK_KEY"):
            read_host_link(env({**HOST, "HOST_LINK_KEY": key}))
    with pytest.raises(ImproperlyConfigured, match="HOST_LINK_ISSUER"):
        read_host_link(env({"HOST_LINK_KEY": "x" * 32}))


def test_people_read_names_and_not_addresses(settings: Any) -> None:
    settings.OIDC = read_oidc(env({**OIDC, "OIDC_NAME": "The Shop"}), production=True)
    assert name_of("https://login.shop.example") == "The Shop"
    assert name_of("The old system") == "The old system"
