"""Bootstrap tokens: `id.secret`, kept in the Secret kube-system/bootstrap-token-<id>, with which a node joins."""

import base64
import hmac
import re
from datetime import datetime
from typing import Any

from kybern.apiserver.core.user import User

Object = dict[str, Any]
TYPE = "bootstrap.kubernetes.io/token"
NAMESPACE, PREFIX = "kube-system", "bootstrap-token-"
GROUP = "system:bootstrappers"
USER_PREFIX = "system:bootstrap:"
_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_EXTRA_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


class Refused(Exception):
    """Why a bootstrap token is not accepted."""


def split(token: str) -> tuple[str, str] | None:
    """(id, secret), or None for what is no bootstrap token."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else None


def user_of(secret: Object, token_id: str, token_secret: str, now: datetime) -> User:
    """Whom a token speaks for by its Secret. Raises Refused."""
    data = {name: _text(value) for name, value in (secret.get("data") or {}).items()}
    if secret.get("type") != TYPE:
        raise Refused("the secret is of another type")
    if secret["metadata"].get("deletionTimestamp"):
        raise Refused("the secret is being deleted")
    if data.get("token-id") != token_id:
        raise Refused("the secret is of another token")
    if not hmac.compare_digest(data.get("token-secret", ""), token_secret):
        raise Refused("the token's secret is another")
    if is_expired(data.get("expiration", ""), now):
        raise Refused("the token has expired")
    if data.get("usage-bootstrap-authentication") != "true":
        raise Refused("the token is not for authentication")
    return User(f"{USER_PREFIX}{token_id}", (GROUP, *_groups(data.get("auth-extra-groups", ""))))


def is_expired(expiration: str, now: datetime) -> bool:
    """A time that cannot be read has passed."""
    if not expiration:
        return False
    try:
        return datetime.fromisoformat(expiration) <= now
    except (ValueError, TypeError):
        return True


def _groups(text: str) -> list[str]:
    """Raises Refused for a group that no bootstrap token may be in."""
    groups = sorted({group.strip() for group in text.split(",") if group.strip()})
    for group in groups:
        if not _EXTRA_GROUP.fullmatch(group):
            raise Refused(f"{group!r} is no group for bootstrap tokens")
    return groups


def _text(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except (ValueError, TypeError):
        return ""
