"""Is this ID token for us, from our provider, about the sign-in that we asked for? (OpenID Connect Core 3.1.3.7)"""

import hmac
from typing import Any

import jwt
from allauth.socialaccount.providers.oauth2.client import OAuth2Error

# Signed by a key that only the provider has. HS256, whose key is our client secret, and "none" are not among them.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LEEWAY = 30  # seconds that the two clocks may be apart


class TokenRefused(OAuth2Error):
    """The answer of the provider proves nothing; nobody was signed in."""


def verify(token: object, keys: dict[str, Any], *, issuer: str, client_id: str, nonce: str | None) -> dict[str, Any]:
    """The claims of an ID token. `keys` is the provider's JWK set. Raises TokenRefused."""
    if not isinstance(token, str) or not nonce:
        raise TokenRefused("no ID token, or none was asked for")
    try:
        key = _key(token, keys)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise TokenRefused(f"the ID token is not good: {type(error).__name__}") from None
    if not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
        raise TokenRefused("the ID token answers another question")
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
        raise TokenRefused("the ID token was made for somebody else")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise TokenRefused("the ID token names nobody")
    return claims


def _key(token: str, keys: dict[str, Any]) -> jwt.PyJWK:
    """The key that the token names. Its own `alg`, or what its type implies, decides how it is used: not the token."""
    wanted = jwt.get_unverified_header(token).get("kid")
    usable = [key for key in jwt.PyJWKSet.from_dict(keys).keys if key.public_key_use in (None, "sig")]
    found = [key for key in usable if key.key_id == wanted] if wanted else usable
    if len(found) != 1 or found[0].algorithm_name not in ALGORITHMS:
        raise TokenRefused("the ID token is signed by a key that the provider does not show")
    return found[0]
