"""ConversionReview: what is taken over from a conversion webhook's answer, and what is refused."""

from typing import Any

import orjson
import pytest

from kybern.apiserver.crd.conversion_review import BadConversion, check, read_answer

METADATA = {"name": "a", "namespace": "n", "uid": "u", "labels": {"x": "y"}, "generation": 2}
OLD: dict[str, Any] = {"apiVersion": "g/v1", "kind": "K", "metadata": METADATA}
NEW: dict[str, Any] = {**OLD, "apiVersion": "g/v2"}


def meta(**changes: Any) -> dict[str, Any]:
    return {**NEW, "metadata": {**METADATA, **changes}}


WRONG: dict[str, tuple[Any, str]] = {
    "the old version": (OLD, "returned invalid object at index 0: invalid groupVersion (expected g/v2, received g/v1)"),
    "another kind": ({**NEW, "kind": "L"}, "returned invalid object at index 0: invalid kind (expected K, received L)"),
    "another name": (meta(name="b"), "returned invalid object: must have the same name: a != b"),
    "another namespace": (meta(namespace=""), "returned invalid object: must have the same namespace: n != "),
    "another uid": (meta(uid="v"), "returned invalid object: must have the same UID: u != v"),
    "no metadata": (
        {"apiVersion": "g/v2", "kind": "K"},
        "returned invalid object: must have the same name: a != ",
    ),
    "labels that are none": (
        meta(labels=[]),
        "returned invalid metadata: invalid metadata.labels of type []interface {} in converted object",
    ),
    "a label that is no text": (
        meta(labels={"x": 1}),
        "returned invalid metadata: metadata.labels[x] must be a string, but is int64 in converted object",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused(name: str) -> None:
    converted, expected = WRONG[name]
    with pytest.raises(BadConversion) as caught:
        check(OLD, converted, "g/v2", "")
    assert str(caught.value) == expected


ANSWER = {"uid": "u", "result": {"status": "Success"}, "convertedObjects": [NEW]}
NO_ANSWER: dict[str, tuple[dict[str, Any], str]] = {
    "a result in words": ({"result": "Success"}, "failed: response.result is no object"),
    "one object": ({"convertedObjects": NEW}, "failed: response.convertedObjects is no list"),
    "a number": ({"convertedObjects": 1}, "failed: response.convertedObjects is no list"),
    "texts": (
        {"convertedObjects": ["x"]},
        "json: cannot unmarshal string into Go value of type map[string]interface {}",
    ),
    "nothing": ({"convertedObjects": [None]}, "unexpected end of JSON input"),
    "no kind": ({"convertedObjects": [{}]}, "Object 'Kind' is missing in '{}'"),
    "a failure": ({"result": {"status": "Failure", "message": "no"}}, "failed: no"),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_bad_answers(name: str) -> None:
    changes, expected = NO_ANSWER[name]
    frame = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview"}
    assert read_answer(orjson.dumps({**frame, "response": ANSWER}), "v1", "u") == [NEW]
    with pytest.raises(BadConversion) as caught:
        read_answer(orjson.dumps({**frame, "response": {**ANSWER, **changes}}), "v1", "u")
    assert str(caught.value) == expected


FRAMES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "0-length response with status code: 200 and content type: application/json"),
    "another version": (
        b'{"apiVersion":"apiextensions.k8s.io/v1beta1","kind":"ConversionReview"}',
        "converting (v1beta1.ConversionReview) to (v1.ConversionReview): unknown conversion",
    ),
    "another kind": (
        b'{"apiVersion":"apiextensions.k8s.io/v1","kind":"Foo"}',
        'no kind "Foo" is registered for version "apiextensions.k8s.io/v1" in scheme "pkg/runtime/scheme.go:111"',
    ),
    "another group": (
        b'{"apiVersion":"a/v1","kind":"ConversionReview"}',
        "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got a/v1, Kind=ConversionReview",
    ),
}


@pytest.mark.parametrize("name", FRAMES)
def test_bad_frames(name: str) -> None:
    data, expected = FRAMES[name]
    with pytest.raises(BadConversion) as caught:
        read_answer(data, "v1", "u")
    assert str(caught.value) == f"failed: {expected}"


def test_which_of_several() -> None:
    with pytest.raises(BadConversion, match="returned invalid converted object at index 3: must have the same name"):
        check(OLD, meta(name="b"), "g/v2", "3")
    with pytest.raises(BadConversion, match=r"in object at index 3: invalid metadata\.labels"):
        check(OLD, meta(labels=1), "g/v2", "3")


def test_labels_with_a_wrong_key() -> None:
    with pytest.raises(BadConversion, match=r"metadata\.labels: Invalid value"):
        check(OLD, meta(labels={"-": "y"}), "g/v2", "")


def test_only_labels_and_annotations_are_taken_over() -> None:
    found = check(OLD, meta(labels={"z": "1"}, annotations={"b": "c"}, generation=9, finalizers=["x"]), "g/v2", "")
    assert found["metadata"] == {**METADATA, "labels": {"z": "1"}, "annotations": {"b": "c"}}
    assert "labels" not in check(OLD, meta(labels=None), "g/v2", "")["metadata"]
