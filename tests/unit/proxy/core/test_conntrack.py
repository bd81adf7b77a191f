"""UDP flows to endpoints that no longer serve."""

import pytest

from kybern.proxy.core.conntrack import Flow, compute_frontends, stale_flows
from kybern.proxy.core.ports import ServicePort, compute_service_ports

CLIENT, SERVING, GONE = ("10.244.0.9", 5000), ("10.244.0.5", 53), ("10.244.0.6", 53)


def port(protocol: str = "udp", *serving: tuple[str, int], name: str = "dns") -> ServicePort:
    given = ("d/s", name, protocol, 53, ("10.96.0.9",), ("192.0.2.9",), 30053, 0, False, False)
    return ServicePort(*given, (), frozenset(serving))


@pytest.mark.parametrize(
    ("destination", "answers", "found"),
    [
        (("10.96.0.9", 53), SERVING, False),
        (("10.96.0.9", 53), GONE, True),
        (("10.96.0.9", 53), (SERVING[0], 54), True),  # the target port has changed
        (("10.96.0.9", 53), ("10.96.0.9", 53), True),  # it came before there were rules
        (("192.0.2.9", 53), GONE, True),
        (("10.0.0.1", 30053), GONE, True),
        (("10.0.0.1", 30053), SERVING, False),
        (("10.0.0.1", 53), GONE, False),
        (("10.96.0.10", 53), GONE, False),
    ],
)
def test_stale_flows(destination: tuple[str, int], answers: tuple[str, int], found: bool) -> None:
    flow = Flow(CLIENT, destination, answers)
    assert stale_flows([flow], compute_frontends([port("udp", SERVING)])) == ([flow] if found else [])


def test_tcp_and_services_without_endpoints_are_left_alone() -> None:
    assert not compute_frontends([port("tcp", SERVING), port("udp")])


@pytest.mark.parametrize("label", ["service.kubernetes.io/headless", "service.kubernetes.io/service-proxy-name"])
def test_slices_that_are_not_for_this_proxy(label: str) -> None:
    endpoint_slice = {
        "metadata": {"labels": {label: ""}},
        "ports": [{"name": "", "port": 53, "protocol": "UDP"}],
        "endpoints": [{"addresses": ["10.244.0.5"]}],
    }
    spec = {"clusterIP": "10.96.0.9", "ports": [{"port": 53, "protocol": "UDP"}]}
    (found,) = compute_service_ports({"metadata": {"namespace": "d", "name": "s"}, "spec": spec}, [endpoint_slice], "n")
    assert not found.endpoints


def test_endpoints_that_terminate_keep_their_flows() -> None:
    conditions = {"ready": False, "serving": True, "terminating": True}
    endpoint_slice = {
        "ports": [{"name": "", "port": 53, "protocol": "UDP"}],
        "endpoints": [{"addresses": ["10.244.0.5"]}, {"addresses": ["10.244.0.6"], "conditions": conditions}],
    }
    spec = {"clusterIP": "10.96.0.9", "ports": [{"port": 53, "protocol": "UDP"}]}
    service = {"metadata": {"namespace": "d", "name": "s"}, "spec": spec}
    (found,) = compute_service_ports(service, [endpoint_slice], "n")
    assert [endpoint.ip for endpoint in found.endpoints] == ["10.244.0.5"]
    assert found.serving == {SERVING, GONE}
