"""Continue tokens: where the next page of a list starts, and at which revision; opaque to clients, upstream's shape."""

import base64
import posixpath
import string
from dataclasses import dataclass
from typing import Any

import orjson

from kybern.kube.go_json import loads_error
from kybern.kube.status import StatusError, bad_request, expired

_VERSION = "meta.k8s.io/v1"
_ALPHABET = frozenset(string.ascii_letters + string.digits + "-_")
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
_GO_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


@dataclass(frozen=True, slots=True)
class ContinueToken:
    """`start` is where the next page starts, below the prefix of the list; revision -1: whatever is current."""

    revision: int
    start: str

    def encode(self) -> str:
        raw = orjson.dumps({"v": _VERSION, "rv": self.revision, "start": f"/{self.start}"})
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def after(revision: int, key: str) -> ContinueToken:
    """The token of a page that ended with a key (below the list's prefix)."""
    return ContinueToken(revision, key + "\0")


def decode(text: str) -> ContinueToken:
    """Raises StatusError (400) for anything that no server has made."""
    raw = _members(_bytes(text))
    version, revision, start = raw.get("v") or "", raw.get("rv") or 0, raw.get("start") or ""
    for name, value, kind, go in (
        ("v", version, str, "string"),
        ("rv", revision, int, "int64"),
        ("start", start, str, "string"),
    ):
        if type(value) is not kind:
            found = _GO_KINDS.get(type(value), "object")
            raise _wrong(f"json: cannot unmarshal {found} into Go struct field continueToken.{name} of type {go}")
    if version != _VERSION:
        raise _wrong(f"server does not recognize this encoded version {version}")
    if not revision:
        raise _wrong(f"incorrect encoded start resourceVersion (version {_VERSION})")
    if not start:
        raise _wrong(f"encoded start key empty (version {_VERSION})")
    key = start if start.startswith("/") else f"/{start}"
    if posixpath.normpath(key) != key:
        raise _wrong(start)
    return ContinueToken(revision, key[1:])


def _bytes(text: str) -> bytes:
    kept = text.replace("\r", "").replace("\n", "")
    for at, char in enumerate(kept):
        if char not in _ALPHABET:
            raise _wrong(f"illegal base64 data at input byte {at}")
    if len(kept) % 4 == 1:
        raise _wrong(f"illegal base64 data at input byte {len(kept) - 1}")
    return base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4))


def _members(data: bytes) -> dict[str, Any]:
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _wrong(loads_error(data, error)) from None
    if raw is not None and not isinstance(raw, dict):
        raise _wrong(f"json: cannot unmarshal {_GO_KINDS[type(raw)]} into Go value of type storage.continueToken")
    return raw or {}


def _wrong(why: str) -> StatusError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")


def too_old(token: ContinueToken) -> Exception:
    """410 Expired that carries a token to go on with, inconsistently."""
    error = expired(_EXPIRED)
    error.status["metadata"] = {"continue": ContinueToken(-1, token.start).encode()}
    return error
