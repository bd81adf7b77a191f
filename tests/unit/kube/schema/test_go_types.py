"""What errors of decoding call types and places, as a kube-apiserver 1.36 does."""

from typing import Any

import pytest

from kybern.kube import schema


@pytest.mark.parametrize(
    ("gvk", "obj", "wanted"),
    [
        (("", "v1", "Pod"), {"spec": {"restartPolicy": 1}}, "number|PodSpec.spec.restartPolicy|v1.RestartPolicy"),
        (("", "v1", "Pod"), {"metadata": {"uid": []}}, "array|ObjectMeta.metadata.uid|types.UID"),
        (
            ("", "v1", "Pod"),
            {"spec": {"volumes": [{}, {"emptyDir": "x"}]}},
            "string|Volume.spec.volumes.VolumeSource.emptyDir|v1.EmptyDirVolumeSource",
        ),
        (
            ("", "v1", "Node"),
            {"status": {"capacity": "x"}},
            "string|NodeStatus.status.capacity|v1.ResourceList",
        ),
        (
            ("", "v1", "PersistentVolume"),
            {"spec": {"accessModes": ["a", 1]}},
            "number|PersistentVolumeSpec.spec.accessModes|v1.PersistentVolumeAccessMode",
        ),
        (
            ("authorization.k8s.io", "v1", "SubjectAccessReview"),
            {"spec": {"extra": {"a.b": ["c", {}]}}},
            "object|SubjectAccessReviewSpec.spec.extra|string",
        ),
        (
            ("networking.k8s.io", "v1", "Ingress"),
            {"spec": {"rules": [{"http": {"paths": [{"backend": {"service": {"port": "x"}}}]}}]}},
            "string|IngressServiceBackend.spec.rules.IngressRuleValue.http.paths.backend.service.port|"
            "v1.ServiceBackendPort",
        ),
    ],
)
def test_types_and_places(gvk: tuple[str, str, str], obj: dict[str, Any], wanted: str) -> None:
    definition = schema.definition(gvk)
    assert definition is not None
    got, place, kind = wanted.split("|")
    errors, _ = schema.check(definition, obj)
    assert errors == [f"json: cannot unmarshal {got} into Go struct field {place} of type {kind}"]


@pytest.mark.parametrize(
    ("obj", "told", "restoring"),
    [
        pytest.param(
            {"immutable": 1, "metadata": {"deletionTimestamp": "x"}},
            'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
            "unrecognized type: bool",
            id="a value that reads itself ends it",
        ),
        pytest.param(
            {"metadata": {"deletionTimestamp": 1}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.deletionTimestamp of type string",
            "json: cannot unmarshal number into Go value of type string",
            id="a time",
        ),
        pytest.param(
            {"data": {"a": "!"}},
            "illegal base64 data at input byte 0",
            "error decoding from json: illegal base64 data at input byte 0",
            id="bytes",
        ),
        pytest.param(
            {"metadata": {"deletionTimestamp": "\t"}},
            r'parsing time "\x09" as "2006-01-02T15:04:05Z07:00": cannot parse "\x09" as "2006"',
            r'parsing time "\x09" as "2006-01-02T15:04:05Z07:00": cannot parse "\x09" as "2006"',
            id="a tab in a time",
        ),
    ],
)
def test_read_and_restored(obj: dict[str, Any], told: str, restoring: str) -> None:
    definition = schema.definition(("", "v1", "Secret"))
    assert definition is not None
    with pytest.raises(schema.DecodeError) as caught:
        schema.prune(definition, obj)
    assert (str(caught.value), caught.value.restoring) == (told, restoring)


def test_what_is_made_of_a_map_is_cut_off() -> None:
    definition = schema.definition(("apps", "v1", "Deployment"))
    assert definition is not None
    obj = {"spec": {"replicas": 2**32 + 5, "template": {"spec": {"containers": [{"ports": [{"hostPort": 2**31}]}]}}}}
    schema.prune(definition, obj, restored=True)
    assert obj["spec"]["replicas"] == 5
    assert obj["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] == -(2**31)  # type: ignore[index]


def test_numbers_are_told_as_they_are_written() -> None:
    definition = schema.definition(("apps", "v1", "Deployment"))
    assert definition is not None
    for text in ("1E2", "100000000000000000000", "1.0"):
        told = schema.reworded(definition, f'{{"spec":{{"replicas":{text}}}}}'.encode())
        assert (
            told
            == f"json: cannot unmarshal number {text} into Go struct field DeploymentSpec.spec.replicas of type int32"
        )


@pytest.mark.parametrize(("value", "left"), [(1000.0, 1000), (1.5e300, 0), (-3.0, -3)])
def test_whole_numbers_with_a_point_in_what_is_made_of_a_map(value: float, left: int) -> None:
    definition = schema.definition(("apps", "v1", "Deployment"))
    assert definition is not None
    obj: dict[str, Any] = {"spec": {"replicas": value}}
    schema.prune(definition, obj, restored=True)
    assert obj["spec"]["replicas"] == left
    with pytest.raises(schema.DecodeError) as caught:
        schema.prune(definition, {"spec": {"replicas": 1.5}}, restored=True)
    assert caught.value.restoring == "cannot convert float64 to int32"
