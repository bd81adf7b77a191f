"""Slices: complete, small, stable, and written as rarely as possible."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.controllers.endpointslice.core import MAX_ENDPOINTS, SliceChanges, compute_slices
from kybern.kube import meta


def service(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "s", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}], **spec},
    }


def pod(name: str, ip: str = "", *, ready: bool = True, port: int = 8080, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **more.get("metadata", {})},
        "spec": {"nodeName": "n1", "containers": [{"ports": [{"name": "http", "containerPort": port}]}]},
        "status": {
            "phase": more.get("phase", "Running"),
            "podIP": ip or f"10.0.0.{name}",
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


class Slices:
    """The slices that exist."""

    def __init__(self) -> None:
        self.slices: dict[str, dict[str, Any]] = {}
        self.made = 0

    def apply(self, changes: SliceChanges) -> None:
        for slice_ in changes.create:
            self.made += 1
            name = f"{slice_['metadata']['generateName']}{self.made}"
            self.slices[name] = {**slice_, "metadata": {**slice_["metadata"], "name": name}}
        for slice_ in changes.update:
            assert meta.name(slice_) in self.slices
            self.slices[meta.name(slice_)] = slice_
        for slice_ in changes.delete:
            del self.slices[meta.name(slice_)]

    def sync(self, service: dict[str, Any], pods: list[dict[str, Any]]) -> SliceChanges:
        changes = compute_slices(service, pods, {}, [*self.slices.values()])
        self.apply(changes)
        return changes

    def addresses(self) -> list[tuple[int | None, str]]:
        return sorted(
            (slice_["ports"][0]["port"] if slice_["ports"] else None, endpoint["addresses"][0])
            for slice_ in self.slices.values()
            for endpoint in slice_["endpoints"]
        )


def test_a_service_without_pods_has_one_empty_slice_that_is_used_later() -> None:
    slices = Slices()
    slices.sync(service(), [])
    assert [(s["endpoints"], s["ports"]) for s in slices.slices.values()] == [([], [])]
    changes = slices.sync(service(), [pod("1")])
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)
    made = next(iter(slices.slices.values()))
    assert made["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert made["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert made["metadata"]["ownerReferences"][0]["controller"] is True


@pytest.mark.parametrize(
    ("case", "ready", "deleting", "publish", "conditions"),
    [
        ("ready", True, False, False, (True, True, False)),
        ("not ready", False, False, False, (False, False, False)),
        ("not ready, published all the same", False, False, True, (True, False, False)),
        ("draining", True, True, False, (False, True, True)),
        ("going", False, True, False, (False, False, True)),
    ],
)
def test_conditions(case: str, ready: bool, deleting: bool, publish: bool, conditions: tuple[bool, ...]) -> None:
    slices = Slices()
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    slices.sync(service(publishNotReadyAddresses=publish), [pod("1", ready=ready, metadata=metadata)])
    endpoint = next(iter(slices.slices.values()))["endpoints"][0]
    assert tuple(endpoint["conditions"][name] for name in ("ready", "serving", "terminating")) == conditions


def test_pods_with_other_ports_get_slices_of_their_own() -> None:
    slices = Slices()
    slices.sync(service(), [pod("1"), pod("2", port=9090), pod("3")])
    assert slices.addresses() == [(8080, "10.0.0.1"), (8080, "10.0.0.3"), (9090, "10.0.0.2")]
    assert len(slices.slices) == 2


def test_ended_pods_and_pods_without_address_are_left_out() -> None:
    slices = Slices()
    without = pod("1")
    without["status"]["podIP"] = ""
    slices.sync(service(), [without, pod("2", phase="Failed"), pod("3", phase="Succeeded")])
    assert slices.addresses() == []


def test_headless_dual_stack_and_zone() -> None:
    slices = Slices()
    dual = pod("1")
    dual["status"]["podIPs"] = [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]
    dual["spec"] |= {"hostname": "web-0", "subdomain": "web"}
    headless = service(clusterIP="None", ipFamilies=["IPv4", "IPv6"])
    node = {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z"}}}
    slices.apply(compute_slices(headless, [dual], {"n1": node}, []))
    assert {s["addressType"] for s in slices.slices.values()} == {"IPv4", "IPv6"}
    for slice_ in slices.slices.values():
        assert slice_["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
        assert (slice_["endpoints"][0]["zone"], slice_["endpoints"][0]["hostname"]) == ("z", "web-0")


def test_a_change_of_one_pod_writes_one_slice() -> None:
    slices = Slices()
    pods = [pod(str(n), f"10.1.{n // 250}.{n % 250}") for n in range(350)]
    slices.sync(service(), pods)
    assert sorted(len(s["endpoints"]) for s in slices.slices.values()) == [50, 100, 100, 100]
    pods[120] = pod("120", "10.1.0.120", ready=False)
    changes = slices.sync(service(), pods)
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)


PODS = st.lists(
    st.tuples(st.integers(0, 260), st.sampled_from([8080, 9090]), st.booleans()), unique_by=lambda p: p[0], max_size=260
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PODS, min_size=1, max_size=6))
def test_slices_always_hold_exactly_the_pods(rounds: list[list[tuple[int, int, bool]]]) -> None:
    slices = Slices()
    for chosen in rounds:
        pods = [pod(str(n), f"10.0.{n // 250}.{n % 250}", ready=ready, port=port) for n, port, ready in chosen]
        slices.sync(service(), pods)
        wanted = sorted((port, f"10.0.{n // 250}.{n % 250}") for n, port, _ in chosen)
        assert slices.addresses() == wanted
        assert all(len(s["endpoints"]) <= MAX_ENDPOINTS for s in slices.slices.values())
        assert slices.sync(service(), pods) == SliceChanges()
        assert len(slices.slices) >= 1
        if wanted:
            assert all(s["endpoints"] for s in slices.slices.values())
