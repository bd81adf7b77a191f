"""Every built-in resource prints as many cells as it has columns; some rows in full; custom columns."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from kybern.kube.tables import json_path, registry, table
from kybern.kube.tables.table import CUSTOM_SCALE, SCALE, Column

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
META = {"name": "x", "namespace": "ns", "creationTimestamp": "2026-01-01T11:00:00Z"}
FACTS = json.loads((files("kybern.kube.schema") / "data" / "columns.json").read_text())


def split(path: str) -> tuple[str, str, str]:
    *group, version, resource = path.split("/")
    return "/".join(group), version, resource


@pytest.mark.parametrize("path", FACTS)
def test_a_bare_object_prints_as_many_cells_as_columns(path: str) -> None:
    printing = table.built_in(*split(path))
    more = int(path.endswith("/ipaddresses"))  # whose age has no column, as upstream
    assert len(printing.cells({"metadata": META}, NOW)) - more == len(printing.columns) == len(FACTS[path])


def test_every_printer_is_for_a_known_resource() -> None:
    assert {(group, resource) for group, _, resource in map(split, FACTS)} >= set(registry.PRINTERS)


TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}}
SELECTOR = {"matchLabels": {"app": "web"}}
ROWS = [
    (
        "v1/services",
        {
            "spec": {
                "type": "NodePort",
                "clusterIP": "10.96.0.9",
                "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
                "selector": {"app": "web"},
            }
        },
        ["x", "NodePort", "10.96.0.9", "<none>", "80:30080/TCP,53/UDP", "60m", "app=web"],
    ),
    (
        "v1/services",
        {"spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9"}},
        ["x", "LoadBalancer", "10.96.0.9", "<pending>", "<none>", "60m", "<none>"],
    ),
    (
        "v1/services",
        {"spec": {"type": "ExternalName", "externalName": "a.b"}},
        ["x", "ExternalName", "<none>", "a.b", "<none>", "60m", "<none>"],
    ),
    (
        "apps/v1/deployments",
        {
            "spec": {"replicas": 3, "template": TEMPLATE, "selector": SELECTOR},
            "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2},
        },
        ["x", "2/3", 3, 2, "60m", "c,d", "i,j", "app=web"],
    ),
    (
        "v1/nodes",
        {
            "metadata": {**META, "labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "a"}},
            "spec": {"unschedulable": True},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "1.2.3.4"}],
                "nodeInfo": {"kubeletVersion": "v1.36.0", "kernelVersion": "6.1", "architecture": "amd64"},
            },
        },
        [
            "x",
            "Ready,SchedulingDisabled",
            "a,control-plane",
            "60m",
            "v1.36.0",
            "1.2.3.4",
            "<none>",
            "<unknown>",
            "6.1 (amd64)",
            "<unknown>",
        ],
    ),
    (
        "v1/endpoints",
        {"subsets": [{"addresses": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.2"}], "ports": [{"port": 1}, {"port": 2}]}]},
        ["x", "1.1.1.1:1,1.1.1.2:1,1.1.1.1:2 + 1 more...", "60m"],
    ),
    (
        "batch/v1/jobs",
        {
            "spec": {"parallelism": 3, "template": TEMPLATE},
            "status": {"succeeded": 1, "startTime": "2026-01-01T11:00:00Z"},
        },
        ["x", "Running", "1/1 of 3", "60m", "60m", "c,d", "i,j", "<none>"],
    ),
    (
        "v1/events",
        {
            "type": "Normal",
            "reason": "Pulled",
            "message": "m\n",
            "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "f"},
            "source": {"component": "kubelet", "host": "n"},
            "firstTimestamp": "2026-01-01T11:59:00Z",
            "lastTimestamp": "2026-01-01T11:59:30Z",
            "count": 4,
        },
        ["30s", "Normal", "Pulled", "pod/p", "f", "kubelet, n", "m", "60s", 4, "x"],
    ),
    (
        "v1/persistentvolumeclaims",
        {
            "spec": {"volumeName": "v", "storageClassName": "s", "volumeMode": "Filesystem"},
            "status": {
                "phase": "Bound",
                "capacity": {"storage": "1024Mi"},
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
            },
        },
        ["x", "Bound", "v", "1Gi", "RWO,RWX", "s", "<unset>", "60m", "Filesystem"],
    ),
    (
        "autoscaling/v2/horizontalpodautoscalers",
        {
            "spec": {
                "maxReplicas": 5,
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}],
            }
        },
        ["x", "Deployment/web", "cpu: <unknown>/80%", "<unset>", 5, 0, "60m"],
    ),
    (
        "rbac.authorization.k8s.io/v1/rolebindings",
        {
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
        },
        ["x", "Role/r", "60m", "u", "", "n/s"],
    ),
    ("rbac.authorization.k8s.io/v1/roles", {}, ["x", "2026-01-01T11:00:00Z"]),
]


@pytest.mark.parametrize(("path", "obj", "wanted"), ROWS)
def test_rows(path: str, obj: dict[str, Any], wanted: list[Any]) -> None:
    assert table.built_in(*split(path)).cells({"metadata": META, **obj}, NOW) == wanted


MEASURED: list[tuple[str, dict[str, Any], dict[str, Any] | None, str]] = [
    ("Resource", {"averageUtilization": 50}, {"averageUtilization": 7}, "cpu: 7%/50%"),
    ("Resource", {"averageUtilization": 50}, {}, "cpu: <unknown>/50%"),
    ("Resource", {"averageValue": "1"}, None, "cpu: <unknown>/1"),
    ("Resource", {"averageValue": "1"}, {"value": "5"}, "cpu: <nil>/1"),
    ("Pods", {"averageValue": "1"}, {"averageValue": "2"}, "2/1"),
    ("Pods", {"averageValue": "1"}, {}, "<nil>/1"),
    ("External", {"value": "3"}, {"averageValue": "2"}, "<nil>/3"),
    ("External", {"averageValue": "3"}, {}, "<unknown>/3 (avg)"),
]


@pytest.mark.parametrize(("kind", "target", "current", "wanted"), MEASURED)
def test_metrics_of_an_autoscaler(kind: str, target: Any, current: Any, wanted: str) -> None:
    source = kind.lower()
    metric = {"type": kind, source: {"name": "cpu", "target": target}}
    found = [] if current is None else [{"type": kind, source: {"name": "cpu", "current": current}}]
    hpa = {"metadata": META, "spec": {"metrics": [metric]}, "status": {"currentMetrics": found}}
    cells = table.built_in("autoscaling", "v2", "horizontalpodautoscalers").row(hpa, NOW, "None")["cells"]
    assert cells[2] == wanted


OLD = {"deprecated.daemonset.template.generation": "1", "autoscaling.alpha.kubernetes.io/metrics": "[]"}


@pytest.mark.parametrize(("more", "left"), [({}, {}), ({"a": "b"}, {"annotations": {"a": "b"}})])
def test_metadata_alone_has_no_fields_of_old_versions(more: dict[str, str], left: dict[str, Any]) -> None:
    assert table.partial_object_metadata({"metadata": {"annotations": {**OLD, **more}}})["metadata"] == left


def test_row_carries_what_was_asked() -> None:
    printing = table.built_in("", "v1", "configmaps")
    obj = {"kind": "ConfigMap", "metadata": META, "data": {"a": "b"}}
    assert printing.row(obj, NOW)["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": META,
    }
    assert printing.row(obj, NOW, "Object")["object"] == obj
    assert printing.row(obj, NOW, "None")["object"] is None
    assert table.table(printing, [], {})["columnDefinitions"][0]["format"] == "name"


def test_other_versions_share_columns() -> None:
    assert table.columns("policy", "v1beta1", "poddisruptionbudgets") == table.columns(
        "policy", "v1", "poddisruptionbudgets"
    )
    assert table.columns("example.com", "v1", "things") == table.DEFAULT_COLUMNS


def test_custom_columns() -> None:
    printing = table.custom(
        [
            Column("Replicas", "integer", json_path=".spec.replicas"),
            Column("Ready", json_path='.status.conditions[?(@.type=="Ready")].status'),
            Column("First", json_path=".spec.hosts[0]"),
            Column("Labels", json_path=r".metadata.labels.example\.com/a"),
            Column("Since", "date", json_path=".status.since"),
            Column("None", json_path=".spec.nothing"),
        ]
    )
    obj = {
        "metadata": {**META, "labels": {"example.com/a": "b"}},
        "spec": {"replicas": 3, "hosts": ["h1", "h2"]},
        "status": {
            "conditions": [{"type": "X", "status": "no"}, {"type": "Ready", "status": "True"}],
            "since": "2026-01-01T11:59:00Z",
        },
    }
    assert printing.cells(obj, NOW) == ["x", 3, "True", "h1", "b", "60s", None]
    assert table.custom([]).cells(obj, NOW) == ["x", "60m"]


@pytest.mark.parametrize(("value", "wanted"), [("soon", "<invalid>"), ("20260101", "<invalid>"), (5, None)])
def test_a_date_column_over_what_is_no_date(value: object, wanted: str | None) -> None:
    printing = table.custom([Column("Since", "date", json_path=".status.since")])
    assert printing.cells({"metadata": META, "status": {"since": value}}, NOW) == ["x", wanted]


@pytest.mark.parametrize(
    "path", [f".a[{'9' * 5000}]", ".a[²]", ".a['" + r"\a" * 100, ".a[b]", ".a[1:2:3:4]", ".a[?(@.b", ".a["]
)
def test_paths_that_cannot_be_followed(path: str) -> None:
    with pytest.raises(ValueError, match="JSON path"):
        json_path.steps(path)
    columns = [Column("A", "string", json_path=".a"), Column("B", "string", json_path=path), Column("C", "string")]
    assert [column.name for column in table.custom(columns).columns] == ["Name", "A"]


THING = {
    "s": "x", "f": 1.5, "n": None, "l": ["a", "<"], "o": {"b": [1], "a": True}, "a.b/c": "d",
    "items": [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "type_", "wanted"),
    [
        (".s", "string", "x"), (".f", "string", "1.5"), (".n", "string", "<no value>"), (".none", "string", None),
        (".l", "string", '["a","\\u003c"]'), (".l[*]", "string", "a"), (".l[-1]", "string", "<"),
        (".l[0:1]", "string", "a"), (".l[9]", "string", None), (".l[5,1]", "string", "<"),
        (".o", "string", '{"a":true,"b":[1]}'), (".a\\.b/c", "string", "d"), ("['a\\.b/c']", "string", "d"),
        (".items[?(@.k=='b')].v", "integer", 2), (".items[?(@.v>1)].k", "string", "b"),
        (".items[?(@.v<=1)].k", "string", "a"),
        (".items[?(@.k!='a')].k", "string", "b"), (".items[?(@.none)].k", "string", None), ("..v", "integer", 1),
        (".f", "integer", 1), (".s", "integer", None), (".s", "boolean", None), (".none", "date", None),
    ],
)  # fmt: skip
def test_cells(path: str, type_: str, wanted: object) -> None:
    assert json_path.cell(path, type_, THING, NOW) == wanted


def test_scales_are_printed_with_their_replicas() -> None:
    scale = {"metadata": {"name": "a", "creationTimestamp": "2024-01-01T00:00:00Z"}, "spec": {"replicas": 3}}
    now = datetime(2024, 1, 1, 0, 1, tzinfo=UTC)
    assert SCALE.cells(scale, now) == ["a", 3, 0, "60s"]
    assert [column.name for column in CUSTOM_SCALE.columns] == ["Name", "Desired", "Available", "Age"]
