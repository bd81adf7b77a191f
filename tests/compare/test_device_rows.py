"""The claims, slices, classes and statuses of `device_rows.txt`: made, changed, and in each state of a claim.

Apart: lists that are empty are shown as null where what was refused is shown.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from bad_values import Asked
from same import Both

Object = dict[str, Any]
V1 = "/apis/resource.k8s.io/v1"
_TEXT = (Path(__file__).parent / "device_rows.txt").read_text()
CLAIMS, SLICES, CLASSES, STATUSES = (
    [json.loads(line) for line in part.split("\n")[1:] if line] for part in ("\n" + _TEXT).split("\n# ")[1:]
)
ASKED = {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}
CHOICE = {"name": "f", "firstAvailable": [{"name": name, "deviceClassName": "c"} for name in ("a", "b")]}
DEVICE = {"driver": "d", "pool": "p", "device": "x"}
ALLOCATED = {"devices": {"results": [{"request": "r", **DEVICE}]}}
POOL = {"name": "p", "generation": 1, "resourceSliceCount": 1}
MANY: list[Object] = [
    {"devices": [{"name": f"d{number}"} for number in range(count)]} for count in (128, 129)
] + [
    {"devices": [{"name": f"d{number}", "taints": [{"key": "k", "effect": "NoSchedule"}]} for number in range(65)]},
    {"devices": [{"name": "d", "attributes": {f"a{number}": {"int": 1} for number in range(33)}}]},
    {"sharedCounters": [{"name": "a", "counters": {f"c{number}": {"value": "1"} for number in range(33)}}]},
]  # fmt: skip


@pytest.fixture
def namespaces(both: Both) -> list[str]:
    """Those that allow access as an administrator, do not, or say so wrongly."""
    found = ["allowing", "default", "unsure"]
    for name, value in (("allowing", "true"), ("unsure", "x")):
        labels = {"resource.kubernetes.io/admin-access": value}
        both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    return found


def test_new(both: Both, namespaces: list[str]) -> None:
    ask, metadata = Asked(both), {"name": "x"}
    for spec in CLAIMS:
        shown = json.dumps(spec)
        for namespace in namespaces if "adminAccess" in shown else namespaces[1:2]:
            at = f"{V1}/namespaces/{namespace}"
            ask(shown, "POST", f"{at}/resourceclaims?dryRun=All", {"metadata": metadata, "spec": spec})
            inner = {"metadata": metadata, "spec": {"spec": spec}}
            ask(f"template {shown}", "POST", f"{at}/resourceclaimtemplates?dryRun=All", inner)
    for kind, specs in (("resourceslices", SLICES), ("deviceclasses", CLASSES)):
        for spec in specs:
            ask(json.dumps(spec), "POST", f"{V1}/{kind}?dryRun=All", {"metadata": metadata, "spec": spec})
    for more in MANY:
        spec = {"driver": "d", "pool": POOL, "nodeName": "n", **more}
        ask(json.dumps(spec)[:80], "POST", f"{V1}/resourceslices?dryRun=All", {"metadata": metadata, "spec": spec})
    ask.check()


def test_changes(both: Both, namespace: str) -> None:
    ask, at = Asked(both), f"{V1}/namespaces/{namespace}"
    metadata = {"metadata": {"name": f"b{namespace}"}}
    slice_ = {"driver": "d", "pool": POOL, "nodeName": "n", "devices": [{"name": "d"}]}
    templates = [{"spec": spec} for spec in CLAIMS]
    for path, spec, changes in (
        (f"{at}/resourceclaims", {"devices": ASKED}, CLAIMS), (f"{V1}/resourceslices", slice_, SLICES),
        (f"{at}/resourceclaimtemplates", {"spec": {"devices": ASKED}}, templates), (f"{V1}/deviceclasses", {}, CLASSES),
    ):  # fmt: skip
        ask("made", "POST", path, {**metadata, "spec": spec})
        for change in changes:
            ask(json.dumps(change), "PATCH", f"{path}/b{namespace}?dryRun=All", {"spec": change})
        ask("gone", "DELETE", f"{path}/b{namespace}")
    ask.check()


def test_statuses(both: Both, namespace: str) -> None:
    """Of a claim that is not allocated, one that is, one that is reserved, one that is being deleted."""
    ask, at = Asked(both), f"{V1}/namespaces/{namespace}/resourceclaims"
    requests = [*ASKED["requests"], CHOICE]
    ask("made", "POST", at, {"metadata": {"name": "m"}, "spec": {"devices": {"requests": requests}}})
    reserved = {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}], "devices": [DEVICE]}
    steps: list[tuple[Any, ...]] = [
        ("PATCH", f"{at}/m/status", {"status": {"allocation": ALLOCATED}}),
        ("PATCH", f"{at}/m/status", {"status": {"allocation": ALLOCATED, **reserved}}),
        ("PATCH", f"{at}/m", {"metadata": {"finalizers": ["a.b/c"]}}), ("DELETE", f"{at}/m"),
    ]  # fmt: skip
    for step in [None, *steps]:
        if step is not None:
            ask(str(step), *step)
        for status in STATUSES:
            ask(f"{step}: {json.dumps(status)}", "PATCH", f"{at}/m/status?dryRun=All", {"status": status})
    ask("released", "PATCH", f"{at}/m", {"metadata": {"finalizers": None}})
    ask.check()
