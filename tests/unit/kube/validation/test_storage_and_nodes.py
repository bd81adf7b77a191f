"""What volumes, their classes and drivers, and nodes may say, and what of it may change."""

from typing import Any

import pytest

from kybern.kube.validation.node import validate_node, validate_node_status, validate_node_update
from kybern.kube.validation.persistent_volume_claim import validate_claim
from kybern.kube.validation.storage import (
    csi_driver_warnings,
    validate_attachment,
    validate_attachment_status,
    validate_attachment_update,
    validate_csi_driver,
    validate_csi_node_update,
)
from kybern.kube.validation.storage_classes import (
    validate_attributes_class,
    validate_attributes_class_update,
    validate_storage_capacity,
    validate_storage_capacity_update,
)

Object = dict[str, Any]
SOURCE = {"persistentVolumeName": "v"}
NOT_INLINE = "Forbidden: may not be specified in the context of inline volumes"
INLINE = "spec.source.inlineVolumeSpec"
DRIVER = {"name": "d", "nodeID": "n", "topologyKeys": ["a"]}
ONE_A_FAMILY = "may specify no more than one CIDR for each IP family"


def attachment(**spec: Any) -> Object:
    return {"spec": {"attacher": "d", "nodeName": "n", "source": SOURCE, **spec}}


@pytest.mark.parametrize(
    ("check", "obj", "wanted"),
    [
        (validate_attachment, attachment(), []),
        (validate_attachment, attachment(attacher=""), ["spec.attacher: Required value"]),
        (
            validate_attachment,
            attachment(attacher="a" * 64),
            ["spec.attacher: Too long: may not be more than 63 bytes"],
        ),
        (
            validate_attachment,
            attachment(source={"inlineVolumeSpec": {"capacity": {"storage": "1"}, "csi": {"driver": "d"}}}),
            [
                f"{INLINE}.capacity: {NOT_INLINE}",
                f"{INLINE}.accessModes: Required value",
                f"{INLINE}.csi.volumeHandle: Required value",
            ],
        ),
        (
            validate_csi_driver,
            {
                "spec": {
                    "attachRequired": True,
                    "podInfoOnMount": True,
                    "storageCapacity": True,
                    "serviceAccountTokenInSecrets": True,
                }
            },
            [
                "spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no "
                "tokenRequests are specified"
            ],
        ),
        (validate_attributes_class, {"driverName": "UP/x", "parameters": {"a": "b"}}, []),
        (
            validate_attributes_class,
            {"driverName": ""},
            ["driverName: Required value", "parameters: Required value: must contain at least one key/value pair"],
        ),
        (
            validate_attributes_class,
            {"driverName": "d", "parameters": {str(number): "" for number in range(513)}},
            ["parameters: Too long: may not be more than 512 bytes"],
        ),
        (
            validate_storage_capacity,
            {"storageClassName": "s", "capacity": "-1", "maximumVolumeSize": "-1"},
            ['capacity: Invalid value: "-1": must be greater than or equal to 0'],
        ),
        (
            validate_node,
            {"spec": {"podCIDRs": ["10.0.0.0/24", "10.1.0.0/24"]}},
            [f'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: {ONE_A_FAMILY}'],
        ),
        (
            validate_node,
            {"status": {"capacity": {"a.b/c": "1500m"}}},
            ['status.capacity.a.b/c: Invalid value: "1500m": must be an integer'],
        ),
        (
            validate_node,
            {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}] * 2}},
            [
                'metadata.taints[1]: Duplicate value: {"Key":"a","Value":"","Effect":"NoSchedule","TimeAdded":null}: '
                "taints must be unique by key and effect pair"
            ],
        ),
    ],
)
def test_what_is_refused(check: Any, obj: Object, wanted: list[str]) -> None:
    assert [str(error) for error in check(obj)] == wanted


@pytest.mark.parametrize(
    ("check", "old", "new", "wanted"),
    [
        (
            validate_attachment_update,
            attachment(),
            attachment(nodeName="m"),
            [
                'spec: Invalid value: {"Attacher":"d","Source":{"PersistentVolumeName":"v","InlineVolumeSpec":null},'
                '"NodeName":"m"}: field is immutable'
            ],
        ),
        (
            validate_attachment_status,
            {},
            {"status": {"attachError": {"message": "a" * 1025, "errorCode": -1}}},
            [
                "status.attachError.message: Too long: may not be more than 262144 bytes",
                "status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            ],
        ),
        (validate_csi_node_update, {"spec": {"drivers": [DRIVER]}}, {"spec": {"drivers": None}}, []),
        (
            validate_csi_node_update,
            {"spec": {"drivers": [DRIVER]}},
            {"spec": {"drivers": [{**DRIVER, "allocatable": {"count": 2}}, {"name": "e", "nodeID": "m"}]}},
            [],
        ),
        (
            validate_csi_node_update,
            {"spec": {"drivers": [DRIVER]}},
            {"spec": {"drivers": [{**DRIVER, "nodeID": "m"}]}},
            [
                'spec.drivers: Invalid value: {"Name":"d","NodeID":"m","TopologyKeys":["a"],"Allocatable":null}: '
                "field is immutable"
            ],
        ),
        (
            validate_attributes_class_update,
            {"driverName": "d", "parameters": {"a": "b"}},
            {"driverName": "e", "parameters": {"a": "b"}},
            ["driverName: Forbidden: updates to driverName are forbidden."],
        ),
        (
            validate_storage_capacity_update,
            {"storageClassName": "s", "nodeTopology": {"matchLabels": {"a": "b"}}},
            {"storageClassName": "t", "nodeTopology": {"matchLabels": {"z": "b", "a": "b"}}},
            [
                'nodeTopology: Invalid value: {"matchLabels":{"a":"b","z":"b"}}: field is immutable',
                'storageClassName: Invalid value: "t": field is immutable',
            ],
        ),
        (
            validate_node_update,
            {"spec": {"podCIDRs": ["10.0.0.0/24"], "externalID": "a"}},
            {"spec": {"podCIDRs": ["10.0.1.0/24"], "externalID": "b"}},
            [
                'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
                "spec.externalID: Forbidden: may not be updated",
            ],
        ),
        (
            validate_node_status,
            {},
            {"status": {"addresses": [{"type": "a", "address": "b"}] * 2, "declaredFeatures": ["B", "A", "A"]}},
            [
                'status.addresses[1]: Duplicate value: {"Type":"a","Address":"b"}',
                'status.declaredFeatures[1]: Invalid value: "A": list must be sorted alphabetically',
                'status.declaredFeatures[2]: Duplicate value: "A"',
            ],
        ),
    ],
)
def test_what_may_not_change(check: Any, old: Object, new: Object, wanted: list[str]) -> None:
    assert [str(error) for error in check(new, old)] == wanted


def test_tokens_are_warned_of_when_they_change() -> None:
    one, other = ({"spec": {"tokenRequests": [{"audience": name}]}} for name in "ab")
    assert len(csi_driver_warnings(one, None)) == len(csi_driver_warnings(one, other)) == 1
    assert csi_driver_warnings(one, one) == csi_driver_warnings({"spec": {}}, one) == []


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"dataSource": SNAPSHOT, "dataSourceRef": SNAPSHOT}, []),
        ({"dataSourceRef": {**SNAPSHOT, "namespace": "n"}, "dataSource": SNAPSHOT}, []),
        (
            {"dataSource": {"kind": "PersistentVolumeClaim", "name": "s"}, "dataSourceRef": SNAPSHOT},
            ["spec: Invalid value: {}: must match dataSourceRef"],
        ),
        (
            {"dataSourceRef": {"kind": "Pod", "name": "s"}},
            [
                "spec.dataSourceRef: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing the "
                "default apiGroup"
            ],
        ),
        ({"volumeMode": ""}, ['spec.volumeMode: Unsupported value: "": supported values: "Block", "Filesystem"']),
    ],
)
def test_sources_of_claims(spec: Object, wanted: list[str]) -> None:
    assert [str(error) for error in validate_claim({"spec": {**CLAIM, **spec}})] == wanted
