"""Members that are named twice add up as they do in Go's structs."""

from typing import Any

import orjson
import pytest

from kybern.kube import schema

Object = dict[str, Any]
CONFIG_MAP, POD, DEPLOYMENT = ("", "v1", "ConfigMap"), ("", "v1", "Pod"), ("apps", "v1", "Deployment")


def read(gvk: tuple[str, str, str], data: bytes) -> Object:
    definition = schema.definition(gvk)
    assert definition is not None
    obj = schema.read_repeated(definition, data)
    schema.prune(definition, obj)
    return obj


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"metadata":{"name":"c","name":"d"}}', {"metadata": {"name": "d"}}),
        (b'{"metadata":{"name":"c","name":null}}', {"metadata": {"name": "c"}}),
        (b'{"metadata":{"name":"c"},"metadata":null}', {"metadata": {"name": "c"}}),
        (b'{"metadata":{"name":"c"},"metadata":{"labels":{}}}', {"metadata": {"name": "c"}}),
        (b'{"data":{"a":"b"},"data":{"c":"d"}}', {"data": {"a": "b", "c": "d"}}),
        (b'{"data":{"a":"b"},"data":{"a":null}}', {"data": {"a": ""}}),
        (b'{"data":{"a":"b"},"data":null}', {}),
        (b'{"data":{"a":"b"},"data":null,"data":{"c":"d"}}', {"data": {"c": "d"}}),
        (b'{"immutable":true,"immutable":null}', {}),
        (b'{"metadata":{"finalizers":["a/b","c/d"],"finalizers":["e/f"]}}', {"metadata": {"finalizers": ["e/f"]}}),
        (b'{"metadata":{"generation":3,"generation":null}}', {"metadata": {"generation": 3}}),
    ],
    ids=["texts", "null text", "null struct", "structs", "maps", "null in a map", "null map", "after a null",
         "null pointer", "lists", "null number"],
)  # fmt: skip
def test_repeated(data: bytes, expected: Object) -> None:
    assert read(CONFIG_MAP, data) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ('"containers":[{"name":"c"}],"containers":[{"image":"i"},{"name":"d"}]',
         {"containers": [{"name": "c", "image": "i"}, {"name": "d"}]}),
        ('"containers":[{"name":"c","image":"i"},{"name":"d"}],"containers":[{"image":"j"}]',
         {"containers": [{"name": "c", "image": "j"}]}),
        ('"securityContext":{"runAsUser":3},"securityContext":{"runAsGroup":4}',
         {"securityContext": {"runAsUser": 3, "runAsGroup": 4}}),
        ('"securityContext":{"runAsUser":3},"securityContext":null', {}),
        ('"hostNetwork":true,"hostNetwork":null', {"hostNetwork": True}),
        ('"activeDeadlineSeconds":3,"activeDeadlineSeconds":null', {}),
    ],
    ids=["elements of lists", "shorter list", "pointers to structs", "null pointer", "null bool", "null number"],
)  # fmt: skip
def test_of_a_pod(members: str, expected: Object) -> None:
    assert read(POD, f'{{"spec":{{{members}}}}}'.encode())["spec"] == expected


def test_what_is_wrong_stays_wrong() -> None:
    with pytest.raises(schema.DecodeError, match="cannot unmarshal number into Go struct field ObjectMeta"):
        read(CONFIG_MAP, b'{"metadata":{"name":3,"name":"c"}}')


def test_unknown_members_are_told() -> None:
    definition = schema.definition(DEPLOYMENT)
    assert definition is not None
    obj = schema.read_repeated(definition, b'{"a":{"b":1,"b":2},"spec":{"x":1,"replicas":2},"spec":{"replicas":3}}')
    assert orjson.dumps(obj["a"]) == b'{"b":2}'
    assert schema.prune(definition, obj) == ["a", "spec.x"]
    assert obj == {"spec": {"replicas": 3}}
