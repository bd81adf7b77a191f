"""Services and EndpointSlices as one node sees them."""

from typing import Any

import pytest

from kybern.proxy.core.ports import Endpoint, compute_service_ports


def service(**spec: Any) -> dict[str, Any]:
    base = {"type": "ClusterIP", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"]}
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {"metadata": {"namespace": "default", "name": "web"}, "spec": {**base, "ports": ports, **spec}}


def endpoint(ip: str, node: str = "other", **conditions: bool) -> dict[str, Any]:
    return {"addresses": [ip], "nodeName": node, "conditions": conditions or {"ready": True}}


def endpoint_slice(*endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {"addressType": "IPv4", "ports": ports, "endpoints": list(endpoints), **more}


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "None", "clusterIPs": ["None"]},
        {"type": "ExternalName", "clusterIP": ""},
    ],
    ids=["headless", "external name"],
)
def test_services_without_virtual_addresses_have_no_ports(spec: dict[str, Any]) -> None:
    assert compute_service_ports(service(**spec), [endpoint_slice(endpoint("10.244.0.5"))], "me") == []


def test_another_proxys_service_is_left_alone() -> None:
    labelled = service()
    labelled["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "mine"}
    assert compute_service_ports(labelled, [], "me") == []


def test_endpoints_of_several_slices_are_merged_sorted_and_once() -> None:
    slices = [endpoint_slice(endpoint("10.244.0.7"), endpoint("10.244.0.5")), endpoint_slice(endpoint("10.244.0.5"))]
    [port] = compute_service_ports(service(), slices, "me")
    assert port.endpoints == (Endpoint("10.244.0.5", 8080), Endpoint("10.244.0.7", 8080))


def test_local_endpoints_are_known() -> None:
    slices = [endpoint_slice(endpoint("10.244.0.5", node="me"), endpoint("10.244.1.5"))]
    [port] = compute_service_ports(service(), slices, "me")
    assert port.local_endpoints == (Endpoint("10.244.0.5", 8080, local=True),)


def test_terminating_endpoints_serve_only_when_nothing_is_ready() -> None:
    leaving = endpoint("10.244.0.5", ready=False, serving=True, terminating=True)
    [port] = compute_service_ports(service(), [endpoint_slice(leaving)], "me")
    assert [e.ip for e in port.endpoints] == ["10.244.0.5"]
    [port] = compute_service_ports(service(), [endpoint_slice(leaving, endpoint("10.244.0.6"))], "me")
    assert [e.ip for e in port.endpoints] == ["10.244.0.6"]


def test_an_unready_endpoint_does_not_serve() -> None:
    slices = [endpoint_slice(endpoint("10.244.0.5", ready=False, serving=False, terminating=False))]
    [port] = compute_service_ports(service(), slices, "me")
    assert port.endpoints == ()


def test_ipv6_slices_and_addresses_are_left_out() -> None:
    slices = [endpoint_slice(endpoint("fd00::5"), addressType="IPv6")]
    [port] = compute_service_ports(service(clusterIPs=["10.96.0.9", "fd00::9"]), slices, "me")
    assert port.cluster_ips == ("10.96.0.9",)
    assert port.endpoints == ()


def test_traffic_policies_and_affinity() -> None:
    spec = {
        "type": "NodePort",
        "externalTrafficPolicy": "Local",
        "internalTrafficPolicy": "Local",
        "sessionAffinity": "ClientIP",
    }
    [port] = compute_service_ports(service(**spec), [], "me")
    assert (port.external_local, port.internal_local, port.affinity_seconds) == (True, True, 10800)
