"""The protobuf form of the OpenAPI v2 document, read with nothing but the wire format."""

from functools import cache
from typing import Any

import pytest

from kybern.kube import openapi
from kybern.kube.openapi import protobuf

Fields = list[tuple[int, Any]]


def read(data: bytes) -> Fields:
    """(number, value) of a message."""
    found, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            found.append((key >> 3, data[at : at + value]))
            at += value
        else:
            found.append((key >> 3, value))  # type: ignore[arg-type]  # bytes or a number
    assert at == len(data)
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value, at


def only(fields: Fields, number: int) -> Any:
    (found,) = [value for seen, value in fields if seen == number]
    return found


def named(data: bytes, member: int = 1) -> dict[str, bytes]:
    """A message of pairs of name and value."""
    pairs = [dict(read(value)) for number, value in read(data) if number == member]
    return {pair[1].decode(): pair[2] for pair in pairs}


@cache
def document() -> Fields:
    return read(protobuf.encode(openapi.v2()))


def test_everything_is_there() -> None:
    written = openapi.v2()
    assert only(document(), 1) == b"2.0"
    assert named(only(document(), 9)).keys() == written["definitions"].keys()
    assert named(only(document(), 8), 2).keys() == written["paths"].keys()


def test_a_schema() -> None:
    pod = read(named(only(document(), 9))["io.k8s.api.core.v1.Pod"])
    assert read(only(pod, 22)) == [(1, b"object")]
    properties = named(only(pod, 25))
    assert only(read(properties["spec"]), 1) == b"#/definitions/io.k8s.api.core.v1.PodSpec"
    extension = dict(read(only(pod, 31)))
    assert extension[1] == b"x-kubernetes-group-version-kind"
    assert read(extension[2])[0][1] == b"- group: ''\n  kind: Pod\n  version: v1\n"


def test_an_operation() -> None:
    path = read(named(only(document(), 8), 2)["/api/v1/namespaces/{namespace}/pods/{name}"])
    patch = read(only(path, 8))
    assert only(patch, 5) == b"patchCoreV1NamespacedPod"
    first, second = [read(read(value)[0][1])[0] for number, value in patch if number == 8][:2]
    body, query = read(first[1]), read(read(second[1])[0][1])
    assert (first[0], only(body, 2), only(body, 3), only(body, 4)) == (1, b"body", b"body", 1)
    assert (second[0], only(query, 2)) == (2, b"query")


def test_what_the_tables_do_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="has no 'host' here"):
        protobuf.encode({"swagger": "2.0", "host": "example.com"})
