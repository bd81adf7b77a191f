"""Decoding: unknown fields, wrong types in Go's words, nulls, canonical quantities."""

import copy
from typing import Any

import pytest

from kybern.kube import schema


def definition(kind: str, group: str = "", version: str = "v1") -> schema.Definition:
    found = schema.definition((group, version, kind))
    assert found is not None
    return found


def deployment(**container: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "a", **container}]}}}}


TEMPLATE = "spec.template.spec.containers"


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        pytest.param(
            {"spec": {"replicas": "3"}},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            id="text-for-number",
        ),
        pytest.param(
            {"spec": {"replicas": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            id="fraction",
        ),
        pytest.param(
            {"spec": {"replicas": 3_000_000_000}},
            "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
            id="overflow",
        ),
        pytest.param(
            {"spec": []},
            "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec",
            id="array-for-struct",
        ),
        pytest.param(
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            id="number-label",
        ),
        pytest.param(
            {"metadata": {"labels": "a"}},
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
            id="text-for-map",
        ),
        pytest.param(
            deployment(env=[{"name": "x", "value": True}]),
            f"json: cannot unmarshal bool into Go struct field EnvVar.{TEMPLATE}.env.value of type string",
            id="bool-in-list",
        ),
        pytest.param(
            deployment(env={}),
            f"json: cannot unmarshal object into Go struct field Container.{TEMPLATE}.env of type []v1.EnvVar",
            id="object-for-list",
        ),
        pytest.param(
            deployment(resources={"limits": {"cpu": "1x"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            id="quantity",
        ),
        pytest.param(
            deployment(livenessProbe={"httpGet": {"port": True}}),
            "json: cannot unmarshal bool into Go struct field "
            "HTTPGetAction.spec.template.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32",
            id="int-or-string",
        ),
        pytest.param(
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
            id="time",
        ),
    ],
)
def test_wrong_types(obj: dict[str, Any], message: str) -> None:
    before = copy.deepcopy(obj)
    errors, _ = schema.check(definition("Deployment", "apps"), obj)
    assert errors == [message]
    with pytest.raises(schema.DecodeError) as raised:
        schema.prune(definition("Deployment", "apps"), obj)
    assert str(raised.value) == message
    assert obj == before


def test_bad_base64() -> None:
    errors, _ = schema.check(definition("Secret"), {"data": {"a": "not base64!"}})
    assert errors == ["illegal base64 data at input byte 3"]


@pytest.mark.parametrize(
    ("text", "at"),
    [("YQ==-x", 4), ("YQ=", 3), ("YQ", 0), ("YQ=x", 2), ("YWI=x", 4), ("YWJj=", 4), ("=", 0), ("YWJj==", 4), ("Y?", 1)],
)
def test_where_base64_ends(text: str, at: int) -> None:
    errors, _ = schema.check(definition("Secret"), {"data": {"a": text}})
    assert errors == [f"illegal base64 data at input byte {at}"]


def test_lines_of_base64_are_joined() -> None:
    obj: dict[str, Any] = {"data": {"a.b": "YW\nJj\r\n", "c": "YQ==\n"}}
    assert schema.prune(definition("Secret"), obj) == []
    assert obj == {"data": {"a.b": "YWJj", "c": "YQ=="}}


def test_unknown_fields_are_named_with_their_place_and_dropped() -> None:
    obj = deployment(image="x", colour="red", ports=[{"containerPort": 80, "speed": 1}])
    obj["extra"] = {}
    unknown = schema.prune(definition("Deployment", "apps"), obj)
    assert unknown == [f"{TEMPLATE}[0].colour", f"{TEMPLATE}[0].ports[0].speed", "extra"]
    assert obj == deployment(image="x", ports=[{"containerPort": 80}])


def test_check_leaves_the_object_alone() -> None:
    obj = deployment(colour="red", image=None, resources={"limits": {"cpu": 0.5}})
    before = copy.deepcopy(obj)
    assert schema.check(definition("Deployment", "apps"), obj) == ([], [f"{TEMPLATE}[0].colour"])
    assert obj == before


def test_nulls_are_absent_fields() -> None:
    obj = {"metadata": {"name": "x", "creationTimestamp": None, "labels": {"a": None}}, "spec": None}
    assert schema.prune(definition("Pod"), obj) == []
    assert obj == {"metadata": {"name": "x", "labels": {"a": ""}}}


def test_nulls_in_lists_are_zero_values() -> None:
    obj = {"metadata": {"finalizers": [None]}, "spec": {"containers": [None, {"args": ["a", None], "env": [None]}]}}
    assert schema.prune(definition("Pod"), obj) == []
    assert obj == {"metadata": {"finalizers": [""]}, "spec": {"containers": [{}, {"args": ["a", ""], "env": [{}]}]}}
    props = {"openAPIV3Schema": {"enum": ["a", None]}}
    crd = {"spec": {"versions": [{"schema": copy.deepcopy(props)}]}}
    assert schema.prune(definition("CustomResourceDefinition", "apiextensions.k8s.io"), crd) == []
    assert crd == {"spec": {"versions": [{"schema": props}]}}


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1.0])
def test_numbers_beyond_an_int_or_string(value: float) -> None:
    errors, _ = schema.check(definition("Service"), {"spec": {"ports": [{"targetPort": value}]}})
    where = "Go struct field ServicePort.spec.ports.targetPort"
    assert errors == [f"json: cannot unmarshal number {value} into {where} of type int32"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("1000m", "1"), ("1024Mi", "1Gi"), (0.5, "500m"), (2, "2"), ("100m", "100m"), ("1.5Gi", "1536Mi")],
)
def test_quantities_become_canonical(given: Any, kept: str) -> None:
    obj = deployment(resources={"requests": {"cpu": given}})
    schema.prune(definition("Deployment", "apps"), obj)
    assert obj == deployment(resources={"requests": {"cpu": kept}})


def test_quantities_in_lists_become_canonical() -> None:
    device = {"name": "d", "capacity": {"c": {"value": "1000m", "requestPolicy": {"validValues": ["1000m", "2"]}}}}
    obj = {"spec": {"devices": [device]}}
    assert schema.prune(definition("ResourceSlice", "resource.k8s.io"), obj) == []
    assert device["capacity"] == {"c": {"value": "1", "requestPolicy": {"validValues": ["1", "2"]}}}


def test_free_form_parts_are_kept_whole() -> None:
    obj = {"metadata": {"managedFields": [{"fieldsV1": {"f:spec": {"f:x": {}}}}]}, "data": {"anything": [None]}}
    before = copy.deepcopy(obj)
    assert schema.prune(definition("ControllerRevision", "apps"), obj) == []
    assert obj == before


def test_times_with_microseconds_and_offsets_are_times() -> None:
    spec = {"acquireTime": "2024-01-02T03:04:05.123456Z", "renewTime": "2024-01-02T03:04:05.123456+02:00"}
    assert schema.check(definition("Lease", "coordination.k8s.io"), {"spec": spec}) == ([], [])


def test_strict_error_reads_as_upstreams() -> None:
    error = schema.strict_error(("", "v1", "Pod"), ['duplicate field "spec.a"', 'unknown field "spec.foo"'])
    assert error.code == 400
    assert error.message == (
        'Pod in version "v1" cannot be handled as a Pod: '
        'strict decoding error: duplicate field "spec.a", unknown field "spec.foo"'
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"a":1,"b":2}', []),
        (b'{"a":1,"a":2}', ["a"]),
        (b'{"a":1, "b":[{"c":1,"c":2,"c":3}], "d":{"e":"\\"","e":""}}', ["b[0].c", "d.e"]),
        (b'{"a\\u0022":1,"b":"\\u0022"}', []),
        (b'{"a":"x\\\\","b":"\\\\"}', []),
        (b'{"a":"\\u0022","a":"\\u0022"}', ["a"]),
    ],
)
def test_duplicate_fields(text: bytes, found: list[str]) -> None:
    assert schema.duplicate_fields(text) == found


def test_appearances_are_in_the_order_of_the_document() -> None:
    places = schema.appearances(b'{"x": {"odd": 1, "a": 1, "a": [{"b": 1, "b": 2}]}, "late": 1}')
    wanted = [("unknown", "x.odd"), ("duplicate", "x.a"), ("duplicate", "x.a[0].b"), ("unknown", "late")]
    assert sorted(wanted, key=places.__getitem__) == wanted


def test_zero_values_that_a_struct_cannot_tell_from_none_go() -> None:
    spec = {"type": "", "ports": [], "selector": {}, "publishNotReadyAddresses": False, "healthCheckNodePort": 0}
    service = {"metadata": {"labels": {}}, "spec": {**spec, "loadBalancerClass": "", "internalTrafficPolicy": ""}}
    schema.prune(definition("Service"), service)
    assert service == {"metadata": {}, "spec": {"loadBalancerClass": "", "internalTrafficPolicy": ""}}


def test_null_bytes_in_a_map_are_empty() -> None:
    secret = {"data": {"a": None}}
    schema.prune(definition("Secret"), secret)
    assert secret == {"data": {"a": ""}}
