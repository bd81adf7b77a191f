"""ConversionReview, v1 and v1beta1: the question put to a conversion webhook, and what its answer must be to count.

A webhook converts everything but the metadata, of which it may change labels and annotations alone.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from kybern.kube.field import aggregate
from kybern.kube.validation.metadata import validate_annotations, validate_labels

Object = dict[str, Any]
GROUP = "apiextensions.k8s.io"
VERSIONS = ("v1", "v1beta1")
SAME = (("kind", "kind"), ("name", "name"), ("namespace", "namespace"), ("uid", "UID"))


class BadConversion(Exception):
    """The answer is none; the message says why, after `conversion webhook for GVK`."""


def question(version: str, uid: str, objects: Sequence[Object], api_version: str) -> bytes:
    """The body of the call."""
    asked = {"uid": uid, "desiredAPIVersion": api_version, "objects": objects}
    return orjson.dumps({"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}", "request": asked})


def read_answer(data: bytes, version: str, uid: str) -> list[Any]:
    """The converted objects, unchecked. Raises BadConversion."""
    try:
        review = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadConversion(f"failed: couldn't get version/kind; json parse error: {error}") from None
    review = review if isinstance(review, dict) else {}
    if version == "v1":
        _check_frame(review, version)
    response = review.get("response")
    if not isinstance(response, dict):
        raise BadConversion("failed: no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise BadConversion(f'failed: expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result, converted = response.get("result") or {}, response.get("convertedObjects") or []
    if not isinstance(result, dict):
        raise BadConversion("failed: response.result is no object")
    if result.get("status") != "Success":
        why = result.get("message") or f"response.result.status was '{result.get('status') or ''}', not 'Success'"
        raise BadConversion(f"failed: {why}")
    if not isinstance(converted, list):
        raise BadConversion("failed: response.convertedObjects is no list")
    return converted


def _check_frame(review: Object, version: str) -> None:
    have, want = (review.get("apiVersion") or "", review.get("kind") or ""), (f"{GROUP}/{version}", "ConversionReview")
    if have != want:
        got = f"{have[0] or '/'}, Kind={have[1]}"
        raise BadConversion(f"failed: expected webhook response of {want[0]}, Kind={want[1]}, got {got}")


def check(original: Object, converted: Any, api_version: str, at: str) -> Object:
    """The converted object with its metadata restored. `at` is "" or says which of several. Raises BadConversion."""
    where = f"returned invalid converted object at index {at}" if at else "returned invalid object"
    first = where if at else "returned invalid object at index 0"
    if not isinstance(converted, dict):
        raise BadConversion(f"{first}: not an object")
    if converted.get("apiVersion") != api_version:
        got = converted.get("apiVersion") or ""
        raise BadConversion(f"{first}: invalid groupVersion (expected {api_version}, received {got})")
    if converted.get("kind") != original.get("kind"):
        expected = original.get("kind")
        raise BadConversion(f"{first}: invalid kind (expected {expected}, received {converted.get('kind') or ''})")
    answered = converted.get("metadata")
    before = original.get("metadata") or {}
    if isinstance(answered, dict):
        for member, shown in SAME[1:]:
            have, got = before.get(member) or "", answered.get(member) or ""
            if have != got:
                raise BadConversion(f"{where}: must have the same {shown}: {have} != {got}")
    try:
        metadata = _restored(before, converted)
    except ValueError as error:
        told = f"returned invalid metadata in object at index {at}" if at else "returned invalid metadata"
        raise BadConversion(f"{told}: {error}") from None
    return {**converted, "metadata": metadata}


def _restored(before: Object, converted: Object) -> Object:
    """The original's metadata with the answer's labels and annotations. Raises ValueError."""
    if "metadata" not in converted:
        raise ValueError("missing metadata in converted object")
    answered = converted["metadata"]
    if not isinstance(answered, dict):
        raise ValueError(f"invalid metadata of type {type(answered).__name__} in converted object")
    metadata = dict(before)
    for member, validate in (("labels", validate_labels), ("annotations", validate_annotations)):
        wanted = answered.get(member)
        if wanted is None:
            metadata.pop(member, None)
            continue
        if not isinstance(wanted, dict):
            raise ValueError(f"invalid metadata.{member} of type {type(wanted).__name__} in converted object")
        for key, value in wanted.items():
            if not isinstance(value, str):
                kind = type(value).__name__
                raise ValueError(f"metadata.{member}[{key}] must be a string, but is {kind} in converted object")
        if wanted != metadata.get(member):
            errors = list(validate(wanted, f"metadata.{member}"))
            if errors:
                raise ValueError(aggregate(errors))
        metadata[member] = wanted
    return metadata
