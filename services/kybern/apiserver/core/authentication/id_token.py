"""ID tokens: a JWT taken apart, and what must be true of its registered claims before any other is looked at.

Numbers of a payload are doubles, as Go reads JSON that has no type; the words are those that people find in logs and
TokenReviews.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from kybern.kube.go_json import syntax_error
from kybern.kube.go_values import quoted, quoted_list

Claims = Mapping[str, Any]
LEEWAY = 60  # seconds by which clocks may differ before a token begins
LAST = float(1 << 63)  # seconds that Go can count
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_TEXTS = frozenset({"iss", "sub", "nonce", "at_hash"})
_TIMES = frozenset({"exp", "iat", "nbf"})
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MALFORMED = "malformed jwt: "


class ClaimsRefused(Exception):
    """Why a token is not accepted; `by` says who tells."""

    def __init__(self, message: str, by: str = "oidc: ") -> None:
        super().__init__(message)
        self.full = by + message


@dataclass(frozen=True)
class IdToken:
    """What a token says before anything is verified."""

    text: str
    key_id: str
    algorithm: str
    claims: Claims


def issuer_of(token: str) -> str | None:
    """Who a token says has issued it; None for what is no token of any issuer."""
    parts = token.split(".")
    try:
        claims = _document(_decoded(parts[1])) if len(parts) == 3 else None
    except (ClaimsRefused, ValueError, RecursionError):
        return None
    found = claims.get("iss") if isinstance(claims, dict) else None
    return found if isinstance(found, str) else None


def take_apart(token: str) -> IdToken:
    """A token that `issuer_of` knows the issuer of. Raises ClaimsRefused."""
    header, payload, signature = token.split(".")
    data = _decoded(header)
    _decoded(signature)
    try:
        about = _document(data)
    except (ValueError, RecursionError):
        raise ClaimsRefused(_MALFORMED + (syntax_error(data) or "its header is no text")) from None
    if not isinstance(about, dict):
        raise ClaimsRefused(f"{_MALFORMED}its header is no object")
    return IdToken(token, str(about.get("kid") or ""), str(about.get("alg") or ""), _document(_decoded(payload)))


def _decoded(part: str) -> bytes:
    foreign = _FOREIGN.search(part)
    if foreign is not None or len(part) % 4 == 1:
        at = foreign.start() if foreign is not None else len(part) - 1
        raise ClaimsRefused(f"{_MALFORMED}illegal base64 data at input byte {at}")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ClaimsRefused(_MALFORMED + str(error)) from None


def _document(data: bytes) -> Any:
    return json.loads(data.decode(), parse_int=float, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def kind_of(value: Any) -> str:
    """What Go calls a value of JSON."""
    match value:
        case bool():
            return "bool"
        case float() | int():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return "null"


def check_types(claims: Claims) -> None:
    """Raises ClaimsRefused for registered claims of other types than they have."""
    for name, value in claims.items():
        why = ""
        if name in _TEXTS and not isinstance(value, str | None):
            why = f"{_cannot(name, value)} of type string"
        elif name in _TIMES:
            why = _wrong_time(name, value)
        elif name == "aud" and not isinstance(value, str | None):
            entries = value if isinstance(value, list) else ()
            wrong = [one for one in entries if not isinstance(one, str | None)]
            if wrong or not isinstance(value, list):
                why = f"{_cannot(name, wrong[0] if wrong else value)} of type {'string' if wrong else '[]string'}"
        if why:
            raise ClaimsRefused(f"failed to unmarshal claims: {why}")


def _cannot(name: str, value: Any) -> str:
    return f"json: cannot unmarshal {kind_of(value)} into Go struct field idToken.{name}"


def _wrong_time(name: str, value: Any) -> str:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        shown = quoted(json.dumps(value, ensure_ascii=False))
        return f"json: invalid number literal, trying to unmarshal {shown} into Number"
    if value is None:
        return "" if name == "nbf" else 'strconv.ParseFloat: parsing "": invalid syntax'
    if not isinstance(value, str | float) or isinstance(value, bool):
        return f"{_cannot(name, value)} of type json.Number"
    return "" if isfinite(float(value)) else f'strconv.ParseFloat: parsing "{value}": value out of range'


def check_audience(accepted: Sequence[str], claims: Claims) -> None:
    """Raises ClaimsRefused for a token that is for others; `check_types` has looked at it."""
    given = claims.get("aud", [])
    listed = [one or "" for one in (given if isinstance(given, list) else [given])]
    if not set(accepted) & set(listed):
        wanted = quoted(accepted[0]) if len(accepted) == 1 else f"in {quoted_list(accepted)}"
        raise ClaimsRefused(f"expected audience {wanted} got {quoted_list(listed)}")


def check_times(claims: Claims, now: datetime) -> None:
    """Raises ClaimsRefused for a token that has ended, or not begun; `check_types` has looked at it."""
    expires, begins = claims.get("exp"), claims.get("nbf")
    at = now.timestamp()
    if expires is None or not at < float(expires) < LAST:
        raise ClaimsRefused(f"token is expired (Token Expiry: {_shown(expires)})")
    if begins is not None and float(begins) > at + LEEWAY:
        present = now.astimezone(UTC).isoformat(" ").removesuffix("+00:00")
        raise ClaimsRefused(f"current time {present} +0000 UTC before the nbf (not before) time: {_shown(begins)}")


def _shown(seconds: Any) -> str:
    try:
        found = datetime.fromtimestamp(int(float(seconds or 0)), UTC) if seconds is not None else None
    except (ValueError, OverflowError, OSError):
        return str(seconds)
    return f"{(found or datetime(1, 1, 1)).replace(tzinfo=None).isoformat(' ')} +0000 UTC"
