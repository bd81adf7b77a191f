"""AdmissionReview: what a webhook's answer must be to count, and how a denial reads."""

import base64
from typing import Any

import orjson
import pytest

from kybern.apiserver.admission.webhook_review import BadAnswer, denied, question, read_answer

PATCH = base64.b64encode(b"[]").decode()
V1 = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}


def answer(version: str = "v1", **response: Any) -> bytes:
    frame = {**V1, "apiVersion": f"admission.k8s.io/{version}"}
    return orjson.dumps({**frame, "response": {"uid": "u", "allowed": True, **response}})


WRONG: dict[str, tuple[bytes, bool, str]] = {
    "no object": (b"[]", True, "couldn't get version/kind; json parse error: the answer is not an object"),
    "no response": (orjson.dumps(V1), True, "webhook response was absent"),
    "another uid": (answer(uid="x"), True, 'expected response.uid="u", got "x"'),
    "another version": (
        answer("v1beta1"),
        True,
        "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, "
        "got admission.k8s.io/v1beta1, Kind=AdmissionReview",
    ),
    "a patch of no type": (answer(patch=PATCH), True, "webhook returned response.patch but not response.patchType"),
    "a type of no patch": (
        answer(patchType="JSONPatch"),
        True,
        "webhook returned response.patchType but not response.patch",
    ),
    "an empty type": (answer(patch=PATCH, patchType=""), True, 'webhook returned invalid response.patchType of ""'),
    "a patch of a validating one": (answer(patch=PATCH), False, "validating webhook may not return response.patch"),
    "a type of a validating one": (
        answer(patchType="JSONPatch"),
        False,
        "validating webhook may not return response.patchType",
    ),
    "warnings that are no list": (answer(warnings=5), True, "response.warnings is of another type than it must be"),
    "a warning that is no text": (answer(warnings=[5]), True, "response.warnings is of another type than it must be"),
    "annotations that are no map": (
        answer(auditAnnotations=["x"]),
        True,
        "response.auditAnnotations is of another type than it must be",
    ),
    "an annotation that is no text": (
        answer(auditAnnotations={"a": {}}),
        True,
        "response.auditAnnotations is of another type than it must be",
    ),
    "a yes in words": (answer(allowed="true"), True, "response.allowed is of another type than it must be"),
    "a type that is no text": (
        answer(patch=PATCH, patchType=[]),
        True,
        "response.patchType is of another type than it must be",
    ),
    "a status in words": (answer(status="no"), True, "response.status is of another type than it must be"),
    "a status of wrong members": (
        answer(status={"code": "x"}),
        True,
        "json: cannot unmarshal string into Go struct field Status.code of type int32",
    ),
    "details in words": (
        answer(status={"details": "x"}),
        True,
        "json: cannot unmarshal string into Go struct field Status.details of type v1.StatusDetails",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_answers(name: str) -> None:
    data, mutating, expected = WRONG[name]
    with pytest.raises(BadAnswer) as caught:
        read_answer(data, "v1", "u", mutating=mutating)
    assert str(caught.value) == expected


def test_good_answers() -> None:
    data = answer(patch=PATCH, patchType="JSONPatch", warnings=["w"], auditAnnotations={"a": "b"})
    found = read_answer(data, "v1", "u", mutating=True)
    assert (found.allowed, found.patch, found.patch_type) == (True, b"[]", "JSONPatch")
    assert (found.warnings, found.annotations) == (("w",), {"a": "b"})
    old = read_answer(answer("v1beta1", uid="", patch=PATCH), "v1beta1", "u", mutating=True)
    assert (old.patch, old.patch_type) == (b"[]", "JSONPatch")
    assert not read_answer(answer(allowed=None), "v1", "u", mutating=True).allowed


DENIED: dict[str, tuple[dict[str, Any] | None, int, str]] = {
    "nothing": (None, 400, " without explanation"),
    "a message": ({"message": "no", "code": 403}, 403, ": no"),
    "a reason": ({"reason": "NotNow", "code": 1}, 400, ": NotNow"),
}


@pytest.mark.parametrize("name", DENIED)
def test_denials(name: str) -> None:
    status, code, text = DENIED[name]
    error = denied("w", status)
    assert (error.code, error.message) == (code, f'admission webhook "w" denied the request{text}')
    assert error.status["status"] == "Failure"


def test_questions() -> None:
    asked = orjson.loads(question("v1", {"uid": "u", "options": None}, {"a": 1}, None))
    assert asked == {**V1, "request": {"uid": "u", "options": None, "object": {"a": 1}, "oldObject": None}}
