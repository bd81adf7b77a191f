"""Claims, templates, slices and classes of devices: every member odd, selectors, request policies, status of claims.

Apart: `requests` of capacity that is an empty map (shown as null here), owners in a template's metadata, and what nulls
of `timeAdded` do to the generation.
"""

import json
from typing import Any

import pytest
from bad_values import Asked
from mutations import mutations
from same import Both, differences, readable

from kybern.kube import schema

Object = dict[str, Any]
GROUP = "resource.k8s.io"
SELECTORS = [{"cel": {"expression": "device.driver == 'd'"}}]
ASKED = {
    "deviceClassName": "c", "selectors": SELECTORS, "allocationMode": "ExactCount", "count": 2,
    "tolerations": [{"key": "a", "operator": "Equal", "value": "v", "effect": "NoExecute", "tolerationSeconds": 5}],
    "capacity": {"requests": {"a.b/c": "1"}},
}  # fmt: skip
DEVICES = {
    "requests": [{"name": "r", "exactly": ASKED}, {"name": "f", "firstAvailable": [{"name": "s", **ASKED}]}],
    "constraints": [
        {"requests": ["r"], "matchAttribute": "a.b/c"}, {"requests": ["f/s"], "distinctAttribute": "a.b/d"}],
    "config": [{"requests": ["r"], "opaque": {"driver": "d", "parameters": {"a": "b"}}}],
}  # fmt: skip
POOL = {"name": "p", "generation": 1, "resourceSliceCount": 1}
NODES = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}
POLICY = {"default": "1Gi", "validRange": {"min": "1Gi", "max": "4Gi", "step": "1Gi"}}
DEVICE = {
    "name": "d", "attributes": {"a": {"string": "x"}}, "allowMultipleAllocations": True, "bindsToNode": True,
    "capacity": {"m": {"value": "4Gi", "requestPolicy": POLICY}},
    "taints": [{"key": "k", "value": "v", "effect": "NoSchedule", "timeAdded": "2020-01-01T00:00:00Z"}],
    "bindingConditions": ["a.b/x"], "bindingFailureConditions": ["a.b/y"],
    "consumesCounters": [{"counterSet": "cs", "counters": {"c": {"value": "1"}}}],
}  # fmt: skip
SLICE = {"driver": "d", "pool": POOL}
COUNTERS = [{"name": "cs", "counters": {"c": {"value": "1"}}}]
CONFIG = [{"opaque": {"driver": "d", "parameters": {"a": "b"}}}]
BASES: list[tuple[str, Object]] = [
    ("DeviceClass", {"selectors": SELECTORS, "config": CONFIG, "extendedResourceName": "a.b/c"}),
    ("ResourceClaim", {"devices": DEVICES}),
    ("ResourceClaimTemplate", {"metadata": {"labels": {"a": "b"}}, "spec": {"devices": DEVICES}}),
    ("ResourceSlice", {**SLICE, "nodeName": "n", "devices": [DEVICE]}),
    ("ResourceSlice", {**SLICE, "nodeSelector": NODES, "sharedCounters": COUNTERS}),
    ("ResourceSlice", {**SLICE, "perDeviceNodeSelection": True, "devices": [{"name": "x", "nodeSelector": NODES}]}),
]


def _apart(line: str) -> bool:
    """What the module says of."""
    shown = line.replace("\\", "")
    return '"Requests":{}' in shown or '"ownerReferences":[' in shown or line.startswith(".body.metadata.generation")


@pytest.mark.parametrize(("kind", "spec"), BASES, ids=lambda value: value if isinstance(value, str) else "")
def test_odd_members(both: Both, namespace: str, kind: str, spec: Object) -> None:
    info = schema.kind(GROUP, "v1", kind)
    assert info is not None
    prefix = f"/apis/{GROUP}/v1"
    path = f"{prefix}/namespaces/{namespace}/{info.resource}" if info.namespaced else f"{prefix}/{info.resource}"
    own, wrong = f"x{namespace}", []
    both.same("POST", path, {"metadata": {"name": own}, "spec": spec})
    for odd in mutations((GROUP, "v1", kind), {"spec": spec}):
        for method, at, name in (("POST", path, "new"), ("PUT", f"{path}/{own}", own)):
            pair = both.ask(method, f"{at}?dryRun=All", {**odd, "metadata": {"name": name}})
            found = [line for line in differences(readable(pair.kube), readable(pair.kybern)) if not _apart(line)]
            if found:
                wrong.append("\n".join([f"{method} {json.dumps(odd)[:400]}", *found]))
    both.same("DELETE", f"{path}/{own}")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:10])


EXPRESSIONS = [
    "", " ", "device.driver", "1", "dyn(1)", "null", "device.attributes['a'].b", "device.attributes[1]", "device.foo",
    "device.attributes", "device.capacity['a'].b > 1", "device.capacity['a'].b", "device.allowMultipleAllocations",
    "device.attributes.all(k, device.attributes.all(j, device.attributes.all(l, device.attributes.all(m, m==l))))",
    "device.attributes['a'].?b.orValue(true)", "cel.bind(x, device.attributes['a'], x.b == 1)", "object.x",
    "has(device.attributes.a)", "device.attributes['a'].b.matches('[')", "true" * 3000, "device == device",
    "semver('1.0.0').isLessThan(device.attributes['a'].v)", "device.driver + 1 == 'x'", "authorizer.x()",
]  # fmt: skip
POLICIES: list[Object] = [
    {}, {"default": "1"}, {"default": "5Gi"}, {"validValues": ["1"]}, {"default": "1", "validValues": ["2", "1"]},
    {"default": "1", "validValues": ["1", "1"]}, {"default": "1", "validValues": ["1", "2", "8Gi"]},
    {"default": "1", "validValues": ["2"]}, {"default": "1", "validValues": [str(i) for i in range(1, 14)]},
    {"default": "1", "validValues": ["1"], "validRange": {"min": "1"}}, {"default": "1", "validRange": {}},
    {"validRange": {"min": "1"}}, {"default": "1", "validRange": {"min": "2"}},
    {"default": "3", "validRange": {"min": "3", "max": "2"}}, {"default": "2", "validRange": {"min": "8Gi"}},
    {"default": "2", "validRange": {"min": "1", "max": "4", "step": "2"}},
    {"default": "1", "validRange": {"min": "1", "step": "8Gi"}},
    {"default": "5Gi", "validRange": {"min": "6Gi", "max": "5Gi", "step": "1Gi"}},
]  # fmt: skip


def test_selectors_and_policies(both: Both) -> None:
    ask = Asked(both)
    for text in EXPRESSIONS:
        body = {"metadata": {"name": "x"}, "spec": {"selectors": [{"cel": {"expression": text}}]}}
        ask(text[:60], "POST", f"/apis/{GROUP}/v1/deviceclasses?dryRun=All", body)
    for policy in POLICIES:
        capacity = {"m": {"value": "4Gi", "requestPolicy": policy}}
        device = {"name": "d", "allowMultipleAllocations": True, "capacity": capacity}
        body = {"metadata": {"name": "x"}, "spec": {**SLICE, "nodeName": "n", "devices": [device]}}
        ask(str(policy), "POST", f"/apis/{GROUP}/v1/resourceslices?dryRun=All", body)
    ask.check()


RESULT = {"request": "r", "driver": "d", "pool": "p", "device": "x"}
USED = {"driver": "d", "pool": "p", "device": "x"}
CONSUMER = {"resource": "pods", "name": "p", "uid": "u"}


def _allocated(*results: Object, **more: Any) -> Object:
    return {"allocation": {"devices": {"results": [*results], **more}}}


STATUSES: list[Object] = [
    _allocated(RESULT), _allocated({}), *(_allocated({**RESULT, **more}) for more in (
        {"request": "x"}, {"request": "r/x"}, {"driver": ""}, {"pool": "a/B"}, {"pool": "a" * 254}, {"device": "A"},
        {"adminAccess": True}, {"bindingConditions": ["a", "a"]}, {"bindingFailureConditions": ["a"]},
        {"bindingConditions": ["a"], "bindingFailureConditions": ["a"]}, {"shareID": "x"},
        {"shareID": "2F4e0b1c-0000-4000-8000-000000000000"}, {"consumedCapacity": {"a": "1"}})),
    _allocated(*[RESULT] * 33), _allocated(RESULT, config=[{}]), _allocated(RESULT, config=[{"source": "FromClaim"}]),
    {"allocation": {}}, {"allocation": {"nodeSelector": {}}}, {"reservedFor": [CONSUMER]},
    {**_allocated(RESULT), "reservedFor": [CONSUMER]}, {**_allocated(RESULT), "reservedFor": [{}]},
    {**_allocated(RESULT), "reservedFor": [CONSUMER] * 2}, {"devices": [USED]}, *(
        {**_allocated(RESULT), "devices": [{**USED, **more}]} for more in (
            {}, {"device": "y"}, {"conditions": [{}]}, {"data": [1]}, {"data": {"a": "x" * 10241}}, {"shareID": "x"},
            {"networkData": {"interfaceName": "x" * 257, "ips": ["1.1.1.1", "1.1.1.1/24", "1.1.1.1/24", "::0/64"]}})),
]  # fmt: skip


def test_status_of_claims(both: Both, namespace: str) -> None:
    at = f"/apis/{GROUP}/v1/namespaces/{namespace}/resourceclaims"
    ask, requests = Asked(both), [{"name": "r", "exactly": {"deviceClassName": "c"}}]
    both.same("POST", at, {"metadata": {"name": "x"}, "spec": {"devices": {"requests": requests}}})
    for status in STATUSES:
        ask(json.dumps(status)[:200], "PATCH", f"{at}/x/status?dryRun=All", {"status": status})
    both.same("PATCH", f"{at}/x/status", {"status": {**_allocated(RESULT), "reservedFor": [CONSUMER]}})
    for status in STATUSES:
        ask(f"later {json.dumps(status)[:200]}", "PATCH", f"{at}/x/status?dryRun=All", {"status": status})
    both.same("DELETE", f"{at}/x")
    ask.check()
