"""ConversionReview, v1 and v1beta1: the question put to a conversion webhook, and what its answer must be to count.

A webhook converts everything but the metadata, of which it may change labels and annotations alone.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from kybern.kube import recognize
from kybern.kube.field import aggregate
from kybern.kube.validation.metadata import validate_annotations, validate_labels

Object = dict[str, Any]
GROUP = "apiextensions.k8s.io"
VERSIONS = ("v1", "v1beta1")
_GO = {int: "int64", float: "float64", dict: "map[string]interface {}", list: "[]interface {}", type(None): "<nil>"}
SAME = (("kind", "kind"), ("name", "name"), ("namespace", "namespace"), ("uid", "UID"))


class BadConversion(Exception):
    """The answer is none; the message says why, after `conversion webhook for GVK` unless it is `bare`."""

    def __init__(self, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.bare = bare


def question(version: str, uid: str, objects: Sequence[Object], api_version: str) -> bytes:
    """The body of the call."""
    asked = {"uid": uid, "desiredAPIVersion": api_version, "objects": objects}
    return orjson.dumps({"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}", "request": asked})


def read_answer(data: bytes, version: str, uid: str) -> list[Any]:
    """The converted objects, unchecked. Raises BadConversion."""
    if not data:
        raise BadConversion("failed: 0-length response with status code: 200 and content type: application/json")
    try:
        review = recognize.typed(data)
    except recognize.UnrecognizedError as error:
        raise BadConversion(f"failed: {error}") from None
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
    for obj in converted:
        _check_object(obj)
    return converted


def _check_object(obj: Any) -> None:
    if obj is None:
        raise BadConversion("unexpected end of JSON input", bare=True)
    if not isinstance(obj, dict):
        wrong = f"json: cannot unmarshal {recognize.go_type(obj)} into Go value of type map[string]interface {{}}"
        raise BadConversion(wrong, bare=True)
    if not obj.get("kind"):
        raise BadConversion(f"Object 'Kind' is missing in '{orjson.dumps(obj).decode()}'", bare=True)


def _check_frame(review: Object, version: str) -> None:
    kind, given = review.get("kind") or "", review.get("apiVersion") or ""
    if kind == "ConversionReview" and given in [f"{GROUP}/{one}" for one in VERSIONS if one != version]:
        other = given.partition("/")[2]
        wrong = f"converting ({other}.ConversionReview) to ({version}.ConversionReview): unknown conversion"
        raise BadConversion(f"failed: {wrong}")
    if kind and kind != "ConversionReview" and given.startswith(f"{GROUP}/"):
        raise BadConversion(f"failed: {recognize.not_registered(kind, given)}")
    have, want = (review.get("apiVersion") or "", review.get("kind") or ""), (f"{GROUP}/{version}", "ConversionReview")
    if have != want:
        got = f"{have[0] or '/'}, Kind={have[1]}"
        raise BadConversion(f"failed: expected webhook response of {want[0]}, Kind={want[1]}, got {got}")


def check(original: Object, converted: Object, api_version: str, at: str) -> Object:
    """The converted object with its metadata restored. `at` is "" or says which of several. Raises BadConversion."""
    where = f"returned invalid converted object at index {at}" if at else "returned invalid object"
    first = where if at else "returned invalid object at index 0"
    if converted.get("apiVersion") != api_version:
        got = converted.get("apiVersion") or ""
        raise BadConversion(f"{first}: invalid groupVersion (expected {api_version}, received {got})")
    if converted.get("kind") != original.get("kind"):
        expected = original.get("kind")
        raise BadConversion(f"{first}: invalid kind (expected {expected}, received {converted.get('kind') or ''})")
    answered = converted.get("metadata")
    before = original.get("metadata") or {}
    for member, shown in SAME[1:]:
        have, got = before.get(member) or "", (answered.get(member) if isinstance(answered, dict) else None) or ""
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
    answered, metadata = converted["metadata"], dict(before)
    for member, path, validate in (
        ("labels", "metadata.labels", validate_labels),
        ("annotations", "metadata.annotation", validate_annotations),
    ):
        wanted = answered.get(member)
        if wanted is None:
            metadata.pop(member, None)
            continue
        if not isinstance(wanted, dict):
            raise ValueError(f"invalid metadata.{member} of type {_in_go(wanted)} in converted object")
        for key, value in wanted.items():
            if not isinstance(value, str):
                kind = _in_go(value)
                raise ValueError(f"metadata.{member}[{key}] must be a string, but is {kind} in converted object")
        if wanted != metadata.get(member):
            errors = list(validate(wanted, path))
            if errors:
                raise ValueError(aggregate(errors))
        metadata[member] = wanted
    return metadata


def _in_go(value: Any) -> str:
    return _GO.get(type(value)) or {str: "string", bool: "bool"}[type(value)]
