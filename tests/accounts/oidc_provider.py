"""A small OpenID Connect provider on 127.0.0.1. It lets its one user in without asking; its knobs make it misbehave."""

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from memoryportal.accounts.models import SubjectLink, User

CLIENT = "memoryportal"
SECRET = "a-secret-of-the-tests-and-of-nobody-else"


class OidcProvider:
    """`user` are the claims of whoever sits at the browser. `change` edits the claims of the next ID tokens;
    `auth_age` is how many seconds ago the person signed in here (None: the provider does not say).
    """

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.reset()

    def reset(self) -> None:
        self.user: dict[str, Any] = {"sub": "u_alice", "email": "alice@sso.example", "email_verified": True}
        self.change: dict[str, Any] = {}
        self.auth_age: float | None = 0
        self.down = False
        self.refuse = False
        self.signed_by = self.key
        self.algorithm = "RS256"
        self.asked: list[dict[str, str]] = []  # what came to the authorization endpoint
        self.codes: dict[str, dict[str, str]] = {}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes next."""
        self.asked.append(asked)
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        if self.refuse:
            return f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
        code = secrets.token_urlsafe(8)
        self.codes[code] = {**asked, "at": str(time.time())}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        """Each code is good once, for whoever knows the client's secret and the verifier of the question."""
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return None
        if challenge.decode().rstrip("=") != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": self.id_token(asked)}

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.user}
        if self.auth_age is not None:
            claims["auth_time"] = int(time.time() - self.auth_age)
        claims = {name: value for name, value in (claims | self.change).items() if value is not None}
        key: Any = SECRET if self.algorithm == "HS256" else self.signed_by
        if self.algorithm == "none":
            key = None
        return jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": "one"})

    def keys(self) -> dict[str, Any]:
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**shown, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        provider, place = self.server.provider, urlsplit(self.path)
        if provider.down:
            self.send_error(503)
        elif place.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", provider.authorize(_single(place.query)))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif place.path == "/.well-known/openid-configuration":
            self._json(provider.description())
        else:
            self._json(provider.keys())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = self.server.provider.token(_single(body))
        self._json(answer or {"error": "invalid_grant"}, 200 if answer else 400)

    def _json(self, content: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def _single(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


@contextmanager
def running() -> Iterator[OidcProvider]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.provider = OidcProvider(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- what a browser does with it -------------------------------------------------------------------------------------


def leave(client: Client, path: str = "/accounts/oidc/login/", **data: str) -> str:
    """Press the button; the address at the provider."""
    answer = client.post(path, data)
    assert answer.status_code == 200, answer.headers
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', answer.content.decode())
    assert found, answer.content.decode()
    return unescape(found[1])


def come_back(client: Client, address: str) -> Any:
    """What the browser does at the provider, and the portal's answer."""
    sent = requests.get(address, allow_redirects=False, timeout=5)
    assert sent.status_code == 302
    return client.get(sent.headers["Location"].replace("http://testserver", ""))


def go(client: Client, path: str = "/accounts/oidc/login/", **data: str) -> Any:
    return come_back(client, leave(client, path, **data))


def nothing_was_made() -> bool:
    """Whether no sign-in has left an account, or a part of one."""
    return not (User.objects.exists() or SocialAccount.objects.exists() or SubjectLink.objects.exists())
