"""Protobuf: objects of every kind, written and read in it; bodies that are no bodies, refused in Go's words.

What is on the wire is compared as what it means: Go also writes empty texts, zeros and structs, which no client can
tell from absent ones.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from same import ROOT_USER, Both, Pair, differences, normal, readable
from servers import Answer

from kybern.kube import protobuf, schema
from kybern.kube.protobuf import codec
from kybern.kube.protobuf.messages import message_class
from kybern.kube.protobuf.special import META

Object = dict[str, Any]
TYPE = protobuf.CONTENT_TYPE
SENT = {"Content-Type": TYPE}
VIEW = f"{TYPE};g=meta.k8s.io;v=v1;as="


class Loader(yaml.SafeLoader):
    """Times stay texts."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith("timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
FILE = Path(__file__).parents[1] / "clients/go/kinds.yaml"
# An Event of another namespace; a request whose key is on no curve, which only Go looks at; what servers add to at
# once, each at its own moment.
LEFT_OUT = ("Event", "CertificateSigningRequest", "FlowSchema", "ValidatingAdmissionPolicy", "CustomResourceDefinition")
KINDS = [
    json.loads(json.dumps(each))
    for each in yaml.load_all(FILE.read_text(), Loader)
    if each and each["kind"] not in LEFT_OUT
]


def decoded(answer: Answer) -> Any:
    """As `readable`, of protobuf."""
    kind = answer.headers.get("content-type", "")
    if not kind.startswith(TYPE):
        return readable(answer)
    head = {**readable(Answer(answer.status, answer.headers, b"")), "body": None}
    if "stream" not in kind:
        return {**head, "body": normal(protobuf.decode(answer.body))}
    return {**head, "body": [[name, normal(protobuf.decode(body))] for name, body in events(answer.body)]}


def events(body: bytes) -> list[tuple[str, bytes]]:
    """The frames of a watch."""
    found = []
    while body:
        size = 4 + int.from_bytes(body[:4], "big")
        event = message_class(f"{META}.WatchEvent").FromString(body[4:size])
        found.append((event.type, event.object.f1))
        body = body[size:]
    return found


def same(both: Both, *arguments: Any, **named: Any) -> Pair:
    pair = both.ask(*arguments, **named)
    found = differences(decoded(pair.kube), decoded(pair.kybern))
    assert not found, f"{arguments[0]} {arguments[1]}\n" + "\n".join(found)
    return pair


def again(both: Both, path: str, name: str) -> None:
    """Make room for the next of the name."""
    both.ask("PATCH", f"{path}/{name}", {"metadata": {"finalizers": None}})
    both.ask("DELETE", f"{path}/{name}?gracePeriodSeconds=0&propagationPolicy=Background")


@pytest.mark.parametrize("wanted", KINDS, ids=lambda wanted: f"{wanted['apiVersion']} {wanted['kind']}")
def test_every_kind(both: Both, namespace: str, wanted: Object) -> None:
    group, _, version = wanted["apiVersion"].rpartition("/")
    info = schema.kind(group, version, wanted["kind"])
    assert info is not None
    at = f"/apis/{info.api_version}" if group else "/api/v1"
    path = f"{at}/namespaces/{namespace}/{info.resource}" if info.namespaced else f"{at}/{info.resource}"
    name = (wanted.get("metadata") or {}).get("name", "")
    accept = {"Accept": TYPE}
    made = same(both, "POST", path, wanted, headers=accept)
    if "get" not in info.verbs:
        return
    assert made.kube.status == 201, made.kube.body
    same(both, "GET", f"{path}/{name}", headers=accept)
    for view in ("PartialObjectMetadata", "Table"):
        same(both, "GET", f"{path}/{name}", headers={"Accept": VIEW + view})
    same(both, "GET", f"{path}/{name}", headers={"Accept": f"{VIEW}Table,application/json"})
    only = f"fieldSelector=metadata.name={name}"
    for view in (TYPE, f"{VIEW}PartialObjectMetadataList"):
        same(both, "GET", f"{path}?{only}", headers={"Accept": view})
    same(both, "GET", f"{path}?watch=1&timeoutSeconds=1&{only}", headers=accept)
    options = protobuf.encode({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
    same(both, "DELETE", f"{path}/{name}?dryRun=All", options, headers={**SENT, **accept})
    again(both, path, name)
    same(both, "POST", path, protobuf.encode(wanted), headers={**SENT, **accept})
    same(both, "GET", f"{path}/{name}")
    same(both, "PUT", f"{path}/{name}", protobuf.encode(wanted), headers={**SENT, **accept})
    again(both, path, name)


def key(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def field(number: int, content: bytes) -> bytes:
    return key(number, 2) + varint(len(content)) + content


def config_map(content: bytes, api_version: str = "v1", kind: str = "ConfigMap") -> bytes:
    return codec.envelope(api_version, kind, content)


GOOD = protobuf.encode({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "v"}})
NAMED = field(1, field(1, b"a"))
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "the magic number": b"k8s\0",
    "half of it": b"k8",
    "JSON": b'{"kind":"ConfigMap"}',
    "no magic number": GOOD[4:],
    **{f"the first {size} bytes": GOOD[:size] for size in range(5, len(GOOD), 4)},
    "another kind": config_map(NAMED, kind="Secret"),
    "an unknown kind": config_map(NAMED, kind="Nope"),
    "an unknown group": config_map(NAMED, "x.y/v1"),
    "an unknown version": config_map(NAMED, "v2"),
    "an odd version": config_map(NAMED, "a/b/c"),
    "lower case": config_map(NAMED, kind="configmap"),
    "no kind": config_map(NAMED, kind=""),
    "no version": config_map(NAMED, ""),
    "neither": b"k8s\0" + field(2, NAMED),
    "another group": config_map(NAMED + field(2, field(1, b"x")), "apps/v1", "Deployment"),
    "a list": config_map(field(1, b""), kind="ConfigMapList"),
    "options": config_map(b"", kind="DeleteOptions"),
    "an encoding": b"k8s\0" + field(1, field(1, b"v1") + field(2, b"ConfigMap")) + field(2, NAMED) + field(3, b"gzip"),
    "JSON within": config_map(b'{"metadata":{"name":"z"}}'),
    "an unknown field": config_map(NAMED + field(77, b"x") + key(50, 0) + b"\7"),
    "an unknown field of metadata": config_map(field(1, field(1, b"a") + field(99, b"q"))),
    "an unknown field of the envelope": GOOD + field(9, b"x"),
    "no text": config_map(NAMED + field(2, field(1, b"k") + field(2, b"\xff\xfe"))),
    "a length beyond the end": config_map(b"\x0a\xff\xff\xff\xff\x0f"),
    "a length below zero": config_map(b"\x0a" + b"\xff" * 9 + b"\1"),
    "a long number": config_map(b"\x0a" + b"\xff" * 12),
    "a number for a message": config_map(key(1, 0) + b"\7"),
    "four bytes for a message": config_map(b"\x0d1234"),
    "a group": config_map(b"\x0b"),
    "the end of a group": config_map(b"\x0c"),
    "wire type 6": config_map(b"\x0e"),
    "wire type 7": config_map(b"\x0f"),
    "field zero": config_map(b"\x02\0"),
    "field zero, a number": config_map(b"\0\0"),
    "a number for a text": config_map(field(1, key(1, 0) + b"\3")),
    "a text for a number": config_map(field(1, field(1, b"a") + field(7, b"x"))),
    "metadata twice": config_map(NAMED + field(1, field(3, b"ns"))),
    "a name twice": config_map(field(1, field(1, b"b") + field(1, b"a"))),
    "no key": config_map(NAMED + field(2, field(2, b"v"))),
    "no value": config_map(NAMED + field(2, field(1, b"k"))),
    "more than key and value": config_map(NAMED + field(2, field(1, b"k") + field(2, b"v") + field(3, b"w"))),
    "a key twice": config_map(NAMED + 2 * field(2, field(1, b"k") + field(2, b"v"))),
    "a number for a key": config_map(NAMED + field(2, key(1, 0) + b"\3")),
    "a bool that is 2": config_map(NAMED + key(4, 0) + b"\2"),
    "no content": config_map(b""),
    "managed fields that are no JSON": config_map(
        field(1, field(1, b"a") + field(17, field(1, b"m") + field(7, field(1, b"{nojson"))))
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies(both: Both, namespace: str, case: str) -> None:
    body, path = BODIES[case], f"/api/v1/namespaces/{namespace}/configmaps"
    for accept in (TYPE, "application/json"):
        headers = {**SENT, "Accept": accept}
        same(both, "POST", f"{path}?dryRun=All", body, headers=headers)
        same(both, "POST", f"{path}?dryRun=All&fieldValidation=Strict", body, headers=headers)
        same(both, "DELETE", f"{path}/none", body, headers=headers)
        same(both, "PATCH", f"{path}/none", body, headers=headers)
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    same(both, "POST", reviews, body, headers=SENT)
    same(both, "POST", f"/api/v1/namespaces/{namespace}/pods/none/eviction", body, headers=SENT)


ASKED = ("/configmaps/none", "/nopes", "/configmaps?limit=x", "/configmaps?labelSelector=!!")
FORMS = (TYPE, f"{VIEW}Table", f"{TYPE},application/json", f"{TYPE};stream=watch", f"{VIEW}PartialObjectMetadata",
         f"{VIEW}Bad", f"{VIEW}Table,{TYPE}")  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_errors_and_documents(both: Both, namespace: str, form: str) -> None:
    for path in ASKED:
        same(both, "GET", f"/api/v1/namespaces/{namespace}{path}", headers={"Accept": form})
    for path in ("/api/v1", "/apis/apps", "/apis/apps/v1", "/nope"):
        same(both, "GET", path, headers={"Accept": form})
    pair = both.ask("GET", "/version", headers={"Accept": form}, user=ROOT_USER)
    assert pair.kube.status == pair.kybern.status
