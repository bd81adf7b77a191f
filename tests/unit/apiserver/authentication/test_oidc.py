"""OIDC: tokens and keys that are made of the wrong things are refused in words."""

import base64
import logging
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from kybern.apiserver.authentication.oidc import OidcAuthenticator, usable_keys
from kybern.apiserver.authentication.service_account import TokenInvalid

LOG = logging.getLogger("test")
GOOD = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)


def token(*parts: dict[str, Any]) -> str:
    """Header and claims as they are, with a signature of nobody."""
    encoded = [base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize("issuer", [["https://a"], {"a": 1}, 5, None, ""])
async def test_an_issuer_that_is_no_text(issuer: Any) -> None:
    oidc = OidcAuthenticator((), lambda: datetime.now(UTC), LOG)
    with pytest.raises(TokenInvalid, match="no issuer of that name"):
        oidc.verify(token({"alg": "RS256"}, {"iss": issuer}))


KEYS: dict[str, tuple[Any, list[str]]] = {
    "as they should be": ([{**GOOD, "kid": "a"}, {**GOOD, "use": "sig"}], ["a", "#1"]),
    "for something else": ([{**GOOD, "use": "enc"}], []),
    "beside others that are none": (["x", 5, None, {}, {"kty": "RSA", "n": 5}, {**GOOD, "kid": "a"}], ["a"]),
    "with a name that is no text": ([{**GOOD, "kid": ["a"]}], ["['a']"]),
    "text": ("abc", []),
    "nothing": (None, []),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys(name: str) -> None:
    listed, expected = KEYS[name]
    assert list(usable_keys(listed, "https://a", LOG)) == expected
