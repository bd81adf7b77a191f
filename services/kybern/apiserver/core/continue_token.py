"""Continue tokens: where the next page of a list starts, and at which revision; opaque to clients, upstream's shape."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from kybern.kube.status import bad_request, expired

_VERSION = "meta.k8s.io/v1"
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class ContinueToken:
    """`after` is the last key (below the resource's prefix) already sent; revision -1: whatever is current."""

    revision: int
    after: str

    def encode(self) -> str:
        raw = orjson.dumps({"v": _VERSION, "rv": self.revision, "start": self.after + "\0"})
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> ContinueToken:
    """Raises StatusError (400) for anything `encode` has not made."""
    try:
        raw: Any = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        version, revision, start = raw["v"], raw["rv"], raw["start"]
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise bad_request("continue key is not valid: illegal base64 data or structure") from None
    if version != _VERSION or not isinstance(revision, int) or not isinstance(start, str) or revision < -1:
        raise bad_request("continue key is not valid: unrecognized encoding")
    if not start or start.startswith("/") or "../" in start:
        raise bad_request("continue key is not valid: no start")
    return ContinueToken(revision, start.rstrip("\0"))


def too_old(token: ContinueToken) -> Exception:
    """410 Expired that carries a token to go on with, inconsistently."""
    error = expired(_EXPIRED)
    error.status["metadata"] = {"continue": ContinueToken(-1, token.after).encode()}
    return error
