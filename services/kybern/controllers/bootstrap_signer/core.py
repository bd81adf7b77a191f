"""Bootstrap tokens as Secrets, and detached signatures (JWS, HS256) of a text by them."""

import hmac
from base64 import b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson

from kybern.kube import meta
from kybern.kube.meta import Object

TYPE, PREFIX = "bootstrap.kubernetes.io/token", "bootstrap-token-"
SIGNATURE, KUBECONFIG = "jws-kubeconfig-", "kubeconfig"


@dataclass(frozen=True)
class Token:
    """A token that may sign."""

    id: str
    secret: str


def _text(secret: Object, member: str) -> str:
    try:
        return b64decode((secret.get("data") or {}).get(member) or "").decode()
    except (Error, UnicodeDecodeError):
        return ""


def expiration(secret: Object) -> datetime | None:
    """When a token ends; None if it says nothing. Raises ValueError for what is no time."""
    text = _text(secret, "expiration")
    if not text:
        return None
    found = meta.parse_time(text)
    if found is None:
        raise ValueError(text)
    return found


def is_expired(secret: Object, now: datetime) -> bool:
    """Whether a token has ended; one whose end cannot be read has."""
    try:
        end = expiration(secret)
    except ValueError:
        return True
    return end is not None and end <= now


def signing_token(secret: Object, now: datetime) -> Token | None:
    """The token of a Secret, if it may sign."""
    found = Token(_text(secret, "token-id"), _text(secret, "token-secret"))
    if secret.get("type") != TYPE or not found.id or not found.secret:
        return None
    if meta.name(secret) != PREFIX + found.id or is_expired(secret, now):
        return None
    return found if _text(secret, "usage-bootstrap-signing") == "true" else None


def sign(content: str, token: Token) -> str:
    """Header and signature, the content between them left out."""
    header = _encoded(orjson.dumps({"alg": "HS256", "kid": token.id}))
    signed = f"{header}.{_encoded(content.encode())}".encode()
    return f"{header}..{_encoded(hmac.new(token.secret.encode(), signed, sha256).digest())}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def signed_data(data: dict[str, str], tokens: Iterable[Token]) -> dict[str, str]:
    """cluster-info's data with the signatures of these tokens and no others."""
    kept = {name: value for name, value in data.items() if not name.startswith(SIGNATURE)}
    content = data.get(KUBECONFIG)
    if content is None:
        return kept
    return kept | {SIGNATURE + token.id: sign(content, token) for token in tokens}
