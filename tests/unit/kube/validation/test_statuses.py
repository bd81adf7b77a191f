"""What the status subresources of pods, claims, namespaces, Services and Ingresses refuse."""

from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.validation import validate_subresource_update

Object = dict[str, Any]
GUESTS = {"resources": {"requests": {"cpu": "1", "a.b/gpu": "1"}, "claims": [{"name": "rc", "request": "r"}]}}
POD = {
    "containers": [{"name": "c", "image": "i", **GUESTS}],
    "resourceClaims": [{"name": "rc", "resourceClaimName": "x"}],
}
BALANCER = {"type": "LoadBalancer"}
ONE_OF_A_FAMILY = "may specify no more than one IP for each IP family"


def container(**members: Any) -> list[Object]:
    return [{"name": "c", **members}]


def given(*names: str) -> list[Object]:
    return container(allocatedResourcesStatus=[{"name": name} for name in names])


def entry(*points: Object) -> Object:
    return {"loadBalancer": {"ingress": list(points)}}


# kind, spec, status, (field, beginning of the message) of each error
CASES: dict[str, tuple[str, Object, Object, list[tuple[str, str]]]] = {
    "a condition without a type": ("Pod", POD, {"conditions": [{"type": "!", "observedGeneration": -1}]}, [
        ("status.conditions[0].observedGeneration", "Invalid value: -1: must be a non-negative integer"),
        ("status.conditions[0].Type", 'Invalid value: "!": name part must consist of')]),
    "two addresses of a family": ("Pod", POD, {"podIPs": [{"ip": "1.2.3.4"}, {"ip": "1.2.3.5"}]}, [
        ("status.podIPs", f'Invalid value: [{{"IP":"1.2.3.4"}},{{"IP":"1.2.3.5"}}]: {ONE_OF_A_FAMILY}')]),
    "both families": ("Pod", POD, {"podIPs": [{"ip": "1.2.3.4"}, {"ip": "fd::1"}]}, []),
    "no address": ("Pod", POD, {"podIPs": [{"ip": "1.2.3.4"}, {"ip": "x"}]}, [
        ("status.podIPs[1]", 'Invalid value: "x": must be a valid IP address'),
        ("status.podIPs", "Internal error: failed to check for dual stack with error:invalid IP[1]: x"),
        ("status.podIPs", "Invalid value: [")]),
    "leading zeros": ("Pod", POD, {"podIPs": [{"ip": "01.2.3.4"}]}, [
        ("status.podIPs[0]", 'Invalid value: "01.2.3.4": must not have leading 0s')]),
    "another host": ("Pod", POD, {"hostIP": "1.2.3.4", "hostIPs": [{"ip": "1.2.3.5"}]}, [
        ("status.hostIPs[0].ip", 'Invalid value: "1.2.3.5": must be equal to `hostIP`')]),
    "a user below zero": ("Pod", POD, {"containerStatuses": container(user={"linux": {"uid": -1, "gid": 1 << 31}})}, [
        ("status.containerStatuses[0].user.linux.uid", "Invalid value: -1: must be between 0 and 2147483647"),
        ("status.containerStatuses[0].user.linux.gid", "Invalid value: 2147483648: must be between")]),
    "what a container has": ("Pod", POD, {"containerStatuses": given("cpu", "a.b/gpu", "claim:rc/r")}, []),
    "what it does not have": ("Pod", POD, {"containerStatuses": given("memory", "claim:rc")}, [
        ("status.containerStatuses[0].allocatedResourcesStatus[0].name",
         'Invalid value: "memory": must match one of the container\'s resource requests'),
        ("status.containerStatuses[0].allocatedResourcesStatus[1].name", 'Invalid value: "claim:rc": must match one')]),
    "an ephemeral container has nothing": ("Pod", POD, {"ephemeralContainerStatuses": given("cpu")}, [
        ("status.ephemeralContainerStatuses[0].allocatedResourcesStatus",
         "Forbidden: must not be specified in container status")]),
    "claims of others": ("Pod", POD, {"resourceClaimStatuses": [
        {"name": "rc", "resourceClaimName": "!"}, {"name": "rc"}, {"name": "x"}]}, [
        ("status.resourceClaimStatuses[0].resourceClaimName", 'Invalid value: "!": a lowercase'),
        ("status.resourceClaimStatuses[1].name", 'Duplicate value: "rc"'),
        ("status.resourceClaimStatuses[2].name", 'Invalid value: "x": must match the name of an entry in')]),
    "an empty extended claim": ("Pod", POD, {"extendedResourceClaimStatus": {}}, [
        ("status.extendedResourceClaimStatus.requestMappings", "Required value: at least one request mapping"),
        ("status.extendedResourceClaimStatus.resourceClaimName", "Required value")]),
    "sizes of a claim": ("PersistentVolumeClaim", {}, {
        "capacity": {"storage": "-1"}, "allocatedResources": {"cpu": "-1", "storage": "-2.5", "a.b/c": "1"},
        "allocatedResourceStatuses": {"storage": "NodeResizePending", "x": "y"}}, [
        ("status.capacity[storage]", "Invalid value: -1: must be a valid resource quantity"),
        ("status.allocatedResourceStatuses", 'Unsupported value: "x": supported values: "storage"'),
        ("status.allocatedResourceStatuses", 'Unsupported value: "x": supported values: "ControllerResizeInProgress"'),
        ("status.allocatedResources", 'Unsupported value: "cpu": supported values: "storage"'),
        ("status.allocatedResources[storage]", "Invalid value: -3: must be a valid resource quantity")]),
    "a namespace that ends": ("Namespace", {}, {"phase": "Terminating"}, [
        ("status.Phase", "Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty")]),
    "a Service without a balancer": ("Service", {"type": "ClusterIP"}, entry({"ip": "1.2.3.4"}), [
        ("status.loadBalancer.ingress", "Forbidden: may only be used when `spec.type` is 'LoadBalancer'")]),
    "no mode": ("Service", BALANCER, entry({"ip": "1.2.3.4"}, {"hostname": "h", "ipMode": "VIP"}), [
        ("status.loadBalancer.ingress[0].ipMode", "Required value: must be specified when `ip` is set"),
        ("status.loadBalancer.ingress[1].ipMode", "Forbidden: may not be specified when `ip` is not set")]),
    "an address as a host": ("Ingress", {}, entry({"hostname": "1.2.3.4"}, {"ip": "::ffff:1.2.3.4"}), [
        ("status.loadBalancer.ingress[0].hostname", 'Invalid value: "1.2.3.4": must be a DNS name, not an IP address'),
        ("status.loadBalancer.ingress[1].ip", 'Invalid value: "::ffff:1.2.3.4": must not be an IPv4-mapped')]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_status(case: str) -> None:
    kind, spec, status, wanted = CASES[case]
    info = schema.kind("networking.k8s.io" if kind == "Ingress" else "", "v1", kind)
    assert info is not None
    old: Object = {"metadata": {"name": "x"}, "spec": spec, "status": {}}
    found = validate_subresource_update(info, "status", {**old, "status": status}, old)
    assert [error.field for error in found] == [field for field, _ in wanted]
    for error, (_, message) in zip(found, wanted, strict=True):
        assert error.body.startswith(message), error


def test_what_was_there_is_not_judged_again() -> None:
    info = schema.kind("", "v1", "Pod")
    assert info is not None
    old: Object = {"metadata": {"name": "x"}, "spec": POD, "status": {"podIPs": [{"ip": "01.2.3.4"}]}}
    assert validate_subresource_update(info, "status", old, old) == []


def test_finalizers_of_a_namespace_have_names() -> None:
    info = schema.kind("", "v1", "Namespace")
    assert info is not None
    old: Object = {"metadata": {"name": "x"}, "spec": {}}
    new = {**old, "spec": {"finalizers": ["kubernetes", "a.b/c", "x"]}}
    assert [error.field for error in validate_subresource_update(info, "finalize", new, old)] == ["spec.finalizers[2]"]
