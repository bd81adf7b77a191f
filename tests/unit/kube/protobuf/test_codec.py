"""Round trips of objects made from the wire table itself, and bodies that are no bodies."""

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kybern.kube import protobuf, schema
from kybern.kube.protobuf import codec
from kybern.kube.protobuf.messages import FieldPlan, message_class, plan, table
from kybern.kube.protobuf.reading import SCHEMA
from kybern.kube.protobuf.special import APIEXTENSIONS, META, RUNTIME

RESOURCE = "k8s.io.apimachinery.pkg.api.resource"
text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=5)
free = st.recursive(st.booleans() | st.integers(-5, 5) | text, lambda inner: st.dictionaries(text, inner, max_size=2))
times = st.datetimes().filter(lambda at: 1 < at.year < 9999)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": text,
    "bool": st.just(True),
    "int32": st.integers(-(2**31), 2**31 - 1).filter(bool),
    "int64": st.integers(-(2**63), 2**63 - 1).filter(bool),
    "double": st.sampled_from([0.5, -1.25, 3, 1e300]),
    "bytes": st.binary(min_size=1, max_size=5).map(lambda data: base64.b64encode(data).decode()),
}
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    f"{META}.Time": times.map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0")),
    f"{META}.MicroTime": times.map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")),
    f"{META}.Duration": st.sampled_from(["0s", "1.5s", "2m0s", "1h0m30s", "250ms", "-3s"]),
    f"{META}.FieldsV1": st.dictionaries(text, free, max_size=2),
    f"{META}.Verbs": st.lists(text, max_size=2),
    f"{RUNTIME}.RawExtension": st.dictionaries(text, free, max_size=2),
    f"{RESOURCE}.Quantity": st.sampled_from(["1", "100m", "1.5Gi", "2e3"]),
    f"{RESOURCE}.QuantityValue": st.sampled_from(["1", "100m"]),
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": st.integers(-5, 5) | text,
    f"{APIEXTENSIONS}.JSON": st.dictionaries(text, free, min_size=1, max_size=2) | text | st.integers(1, 9),
    **{
        f"k8s.io.api.{group}.v1.ExtraValue": st.lists(text, max_size=2) for group in ("authentication", "authorization")
    },
    "k8s.io.api.certificates.v1.ExtraValue": st.lists(text, max_size=2),
}


def kinds() -> list[tuple[str, str]]:
    """(apiVersion, kind) of everything that is served and has a protobuf form."""
    found = {(info.api_version, info.kind) for info in schema.load().resources.values()}
    return sorted(pair for pair in found if has_form(*pair))


def has_form(api_version: str, kind: str) -> bool:
    try:
        return bool(codec.message_name(api_version, kind))
    except protobuf.ProtobufError:
        return False


@st.composite
def values(draw: st.DrawFn, type_name: str, depth: int) -> Any:
    """A value of a type."""
    strategy = {**SCALARS, **SPECIAL}.get(type_name)
    if strategy is not None:
        return draw(strategy)
    if type_name.startswith(f"{SCHEMA}Or"):
        return draw(messages(SCHEMA, 0))
    return draw(messages(type_name, depth - 1))


@st.composite
def messages(draw: st.DrawFn, name: str, depth: int) -> dict[str, Any]:
    """A JSON object of a message, with a few of its fields."""
    fields = [field for field in plan(name) if depth > 0 or field.type in SCALARS]
    result: dict[str, Any] = {}
    if not fields:
        return result
    for field in draw(st.lists(st.sampled_from(fields), max_size=4, unique=True)):
        result.update(draw(members(field, depth)))
    return result


@st.composite
def members(draw: st.DrawFn, field: FieldPlan, depth: int) -> dict[str, Any]:
    value = values(field.type, depth)
    if field.map:
        return {field.json: draw(st.dictionaries(text, value, min_size=1, max_size=2))}
    if field.repeated:
        return {field.json: draw(st.lists(value, min_size=1, max_size=2))}
    found = draw(value)
    return found if field.json == "" else {field.json: found}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_round_trip(data: st.DataObject) -> None:
    api_version, kind = data.draw(st.sampled_from(kinds()))
    content = data.draw(messages(codec.message_name(api_version, kind), 4))
    obj = {**content, "kind": kind, "apiVersion": api_version}
    found = protobuf.decode(protobuf.encode(obj))
    assert found == obj
    assert orjson.loads(orjson.dumps(found)) == obj


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_lists(data: st.DataObject) -> None:
    """Made item by item, a list is what its message says."""
    api_version, kind = data.draw(st.sampled_from([pair for pair in kinds() if has_form(pair[0], f"{pair[1]}List")]))
    items = data.draw(st.lists(messages(codec.message_name(api_version, kind), 3), max_size=3))
    metadata = {"resourceVersion": "7", "continue": "c", "remainingItemCount": 0}
    encoder = protobuf.ListEncoder(api_version, f"{kind}List")
    for item in items:
        encoder.add({**item, "kind": kind, "apiVersion": api_version})
    found = protobuf.decode(encoder.body(metadata))
    assert found.pop("items", []) == items
    assert found == {"kind": f"{kind}List", "apiVersion": api_version, "metadata": metadata}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.dictionaries(st.sampled_from(["zzz", "spec", "metadata", "x-y"]), free, max_size=2))
def test_members_without_a_field_are_left_out(data: st.DataObject, more: dict[str, Any]) -> None:
    api_version, kind = data.draw(st.sampled_from(kinds()))
    obj = {"kind": kind, "apiVersion": api_version, **data.draw(messages(codec.message_name(api_version, kind), 3))}
    added = {f"unknown-{name}": value for name, value in more.items()}
    deeper = {key: {**value, **added} if key == "metadata" else value for key, value in obj.items()}
    assert protobuf.decode(protobuf.encode({**deeper, **added})) == obj


@given(st.sampled_from(["ADDED", "BOOKMARK"]), st.binary(max_size=300))
def test_frames(event: str, body: bytes) -> None:
    frame = protobuf.frame(event, body)
    found = message_class(f"{META}.WatchEvent").FromString(frame[4:])
    assert (int.from_bytes(frame[:4], "big"), found.type, found.object.f1) == (len(frame) - 4, event, body)


@pytest.mark.parametrize("spec", [{"replicas": "many"}, {"replicas": 2**31}, {"selector": []}, {"template": 5}])
def test_values_that_do_not_fit(spec: dict[str, Any]) -> None:
    with pytest.raises(protobuf.ProtobufError, match="does not fit"):
        protobuf.encode({"kind": "Deployment", "apiVersion": "apps/v1", "spec": spec})


def test_every_built_in_kind_has_a_form() -> None:
    without = {info.kind for info in schema.load().resources.values() if not has_form(info.api_version, info.kind)}
    assert without == set()
    assert len(table()) > 1000


def test_zero_values_that_are_said_are_kept() -> None:
    deployment = {"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"replicas": 0, "paused": False}}
    assert protobuf.decode(protobuf.encode(deployment))["spec"] == {"replicas": 0}


def bodies() -> list[bytes]:
    golden = json.loads((Path(__file__).parent / "golden.json").read_text())
    return [base64.b64decode(forms["protobuf"]) for forms in golden.values()]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_a_refusal(data: bytes) -> None:
    for body in (data, codec.MAGIC + data, codec.MAGIC + b"\x0a\x09\x0a\x02v1\x12\x03Pod\x12" + data):
        with suppress(protobuf.ProtobufError):
            json.dumps(protobuf.decode(body))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(bodies()), st.data())
def test_damaged_bodies_are_an_object_or_a_refusal(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(4, len(body) - 1))
    damaged = body[:at] + data.draw(st.binary(max_size=4)) + body[at + data.draw(st.integers(0, 8)) :]
    with suppress(protobuf.ProtobufError):
        json.dumps(protobuf.decode(damaged))


def envelope(content: bytes, api_version: str = "v1", kind: str = "ConfigMap") -> bytes:
    return codec.envelope(api_version, kind, content)


NAMED = b"\x0a\x03\x0a\x01a"  # metadata.name: a
REFUSED = {
    "JSON": (b'{"kind":"Pod"}', "provided data does not appear to be a protobuf message"),
    "nothing": (b"", "^empty data$"),
    "nothing behind the magic number": (codec.MAGIC, "^empty body$"),
    "no kind": (codec.MAGIC + b"\x0a\x04\x0a\x02v1", "Object 'Kind' is missing"),
    "cut short": (codec.MAGIC + b"\x0a\x7f", "^unexpected EOF$"),
    "a length beyond the end": (envelope(b"\x0a\xff\xff\x03"), "^unexpected EOF$"),
    "a length below zero": (envelope(b"\x0a" + b"\xff" * 9 + b"\x01"), "negative length found during unmarshaling"),
    "a number of more than 64 bits": (envelope(b"\x0a" + b"\xff" * 12), "integer overflow"),
    "a number as metadata": (envelope(b"\x08\x07"), "^proto: wrong wireType = 0 for field ObjectMeta$"),
    "a text as a number": (envelope(b"\x0a\x03\x3a\x01x"), "^proto: wrong wireType = 2 for field Generation$"),
    "a number as a name": (envelope(b"\x0a\x02\x08\x03"), "^proto: wrong wireType = 0 for field Name$"),
    "the end of a group": (envelope(b"\x0c"), "^proto: ConfigMap: wiretype end group for non-group$"),
    "field zero": (envelope(b"\x02\x00"), r"^proto: ConfigMap: illegal tag 0 \(wire type 2\)$"),
    "an unknown wire type": (envelope(NAMED + b"\xfa\x07\x00\xff\x07"), "^proto: illegal wireType 7$"),
    "another member in a map": (envelope(NAMED + b"\x12\x02\x08\x03"), "^unexpected EOF$"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    body, message = REFUSED[case]
    with pytest.raises(protobuf.ProtobufError, match=message):
        protobuf.decode(body)


READ = {
    "an unknown field": (envelope(NAMED + b"\xea\x04\x01x"), {"metadata": {"name": "a"}}),
    "an unknown group": (envelope(NAMED + b"\xeb\x04\x08\x01\xec\x04"), {"metadata": {"name": "a"}}),
    "an unknown field in a map": (
        envelope(NAMED + b"\x12\x09\x0a\x01k\x12\x01v\x1a\x01w"), {"metadata": {"name": "a"}, "data": {"k": "v"}}
    ),
    "no text": (
        envelope(NAMED + b"\x12\x06\x0a\x01k\x12\x01\xff"), {"metadata": {"name": "a"}, "data": {"k": "\ufffd"}}
    ),
    "fields of fields that are no JSON": (
        envelope(b"\x0a\x0b\x0a\x01a\x8a\x01\x05\x3a\x03\x0a\x01{"), {"metadata": {"name": "a", "managedFields": [{}]}}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_read_as_go_reads_it(case: str) -> None:
    body, content = READ[case]
    assert protobuf.decode(body) == {"kind": "ConfigMap", "apiVersion": "v1", **content}


KINDS = {
    "nothing said": ("", "", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}),
    "no version": ("", "ConfigMap", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}),
    "an odd version": ("a/b/c", "ConfigMap", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}),
    "an unknown kind": ("v1", "Nope", {"kind": "Nope", "apiVersion": "v1"}),
    "an unknown version": ("v2", "ConfigMap", {"kind": "ConfigMap", "apiVersion": "v2"}),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds(case: str) -> None:
    api_version, kind, found = KINDS[case]
    assert protobuf.decode(envelope(NAMED, api_version, kind), ("v1", "ConfigMap")) == found


def test_of_other_kinds_only_the_name_is_read() -> None:
    body = envelope(b"\x0b")
    assert protobuf.decode(body, kinds=protobuf.META_KINDS) == {"kind": "ConfigMap", "apiVersion": "v1"}


def test_what_a_damaged_body_was_to_be() -> None:
    with pytest.raises(protobuf.ProtobufError) as refused:
        protobuf.decode(envelope(b"\x0b"))
    assert (refused.value.api_version, refused.value.kind) == ("v1", "ConfigMap")
