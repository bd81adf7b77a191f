"""AdmissionReview, v1 and v1beta1: the question put to a webhook, and what its answer must be to count."""

import base64
import binascii
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from kybern.kube import schema
from kybern.kube.status import StatusError, bad_request

Object = dict[str, Any]
GROUP = "admission.k8s.io"
JSON_PATCH = "JSONPatch"
BASE64 = frozenset(string.ascii_letters + string.digits + "+/=")
STATUS = ("", "v1", "Status")
FITS: dict[str, Callable[[Any], bool]] = {
    "allowed": lambda value: isinstance(value, bool),
    "auditAnnotations": lambda value: isinstance(value, dict) and _are_texts(value.values()),
    "patchType": lambda value: isinstance(value, str),
    "status": lambda value: isinstance(value, dict),
    "warnings": lambda value: isinstance(value, list) and _are_texts(value),
}


class BadAnswer(Exception):
    """The answer is none; the message says why."""


class NoAnswer(BadAnswer):
    """It cannot even be read."""


@dataclass(frozen=True)
class Answer:
    """What a webhook says; `patch` is the operations' text."""

    allowed: bool
    status: Object | None = None
    patch: bytes = b""
    patch_type: str = ""
    warnings: tuple[str, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)


def question(version: str, request: Object, new: Object | None, old: Object | None) -> bytes:
    """The body of the call: `request` with its objects."""
    asked = {**request, "object": new, "oldObject": old}
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": f"{GROUP}/{version}", "request": asked})


def read_answer(data: bytes, version: str, uid: str, *, mutating: bool) -> Answer:
    """The answer to the question with a uid. Raises BadAnswer."""
    if not data:
        raise NoAnswer("0-length response with status code: 200 and content type: application/json")
    try:
        review = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NoAnswer(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(review, dict):
        raise BadAnswer("couldn't get version/kind; json parse error: the answer is not an object")
    response = review.get("response")
    if not isinstance(response, dict):
        raise BadAnswer("webhook response was absent")
    _check_types(response)
    patch_type = response.get("patchType")
    patch = _patch(response.get("patch"))
    if version == "v1":
        _check(review, response, uid)
        if mutating:
            _check_patch(patch, patch_type)
        elif patch:
            raise BadAnswer("validating webhook may not return response.patch")
        elif patch_type is not None:
            raise BadAnswer("validating webhook may not return response.patchType")
    elif patch:
        patch_type = JSON_PATCH  # the only one that v1beta1 knows
    return Answer(
        response.get("allowed") is True,
        response.get("status"),
        patch if mutating else b"",
        patch_type or "",
        tuple(response.get("warnings") or ()),
        response.get("auditAnnotations") or {},
    )


def _check_types(response: Object) -> None:
    """Raises BadAnswer: what is given must be what an AdmissionResponse has there."""
    for member, fits in FITS.items():
        value = response.get(member)
        if value is not None and not fits(value):
            raise BadAnswer(f"response.{member} is of another type than it must be")
    try:
        schema.prune(schema.definition(STATUS) or {}, response.get("status") or {})
    except schema.DecodeError as error:
        raise BadAnswer(str(error)) from None


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _check(review: Object, response: Object, uid: str) -> None:
    if response.get("uid") != uid:
        raise BadAnswer(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    have, want = (review.get("apiVersion") or "", review.get("kind") or ""), (f"{GROUP}/v1", "AdmissionReview")
    if have != want:
        got = f"{have[0] or '/'}, Kind={have[1]}"
        raise BadAnswer(f"expected webhook response of {want[0]}, Kind={want[1]}, got {got}")


def _check_patch(patch: bytes, patch_type: Any) -> None:
    if patch and patch_type is None:
        raise BadAnswer("webhook returned response.patch but not response.patchType")
    if not patch and patch_type is not None:
        raise BadAnswer("webhook returned response.patchType but not response.patch")
    if patch_type == "":
        raise BadAnswer('webhook returned invalid response.patchType of ""')


def _patch(text: Any) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        where = next((at for at, one in enumerate(str(text)) if one not in BASE64), len(str(text)))
        raise NoAnswer(f"illegal base64 data at input byte {where}") from error


def denied(name: str, status: Object | None) -> StatusError:
    """What a client is told when a webhook says no."""
    told = dict(status or {})
    code = told.get("code")
    told["code"] = code if isinstance(code, int) and code >= 400 else 400
    by = f'admission webhook "{name}" denied the request'
    why = told.get("message") or told.get("reason")
    told["message"] = f"{by}: {why}" if why else f"{by} without explanation"
    if told.get("status") in (None, "", "Success"):
        told["status"] = "Failure"
    return StatusError({"kind": "Status", "apiVersion": "v1", "metadata": told.get("metadata") or {}, **told})


def no_dry_run(name: str) -> StatusError:
    """A dry run would have side effects."""
    return bad_request(f'admission webhook "{name}" does not support dry run')
