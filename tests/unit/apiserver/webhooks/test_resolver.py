"""From a Service's port to the addresses behind it."""

from typing import Any

import pytest

from kybern.apiserver.webhooks.resolver import NoEndpoint, endpoints_of

PORTS = [{"name": "web", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": "tls"}]
SERVICE: dict[str, Any] = {"metadata": {"name": "s"}, "spec": {"ports": PORTS}}


def part(*addresses: str, ready: bool | None = True, port: int = 8443, name: str = "https") -> dict[str, Any]:
    conditions = {} if ready is None else {"ready": ready}
    endpoints = [{"addresses": [address], "conditions": conditions} for address in addresses]
    return {"endpoints": endpoints, "ports": [{"name": name, "port": port}]}


def test_ready_endpoints_of_all_slices() -> None:
    slices = [part("10.0.0.1", "10.0.0.2"), part("10.0.0.3", ready=False), part("10.0.0.4", ready=None, port=9443)]
    assert endpoints_of(SERVICE, slices, 443) == [("10.0.0.1", 8443), ("10.0.0.2", 8443), ("10.0.0.4", 9443)]
    assert endpoints_of(SERVICE, [part("10.0.0.1"), part("10.0.0.9", name="web", port=8080)], 80) == [
        ("10.0.0.9", 8080)
    ]


def test_an_external_name_is_called_itself() -> None:
    service = {"metadata": {"name": "s"}, "spec": {"type": "ExternalName", "externalName": "x.example.com"}}
    assert endpoints_of(service, [], 8443) == [("x.example.com", 8443)]


def test_one_unnamed_port() -> None:
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 443}]}}
    slices = [{"endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 4443}]}]
    assert endpoints_of(service, slices, 443) == [("10.0.0.1", 4443)]


def test_the_first_family_is_preferred() -> None:
    service = {**SERVICE, "spec": {**SERVICE["spec"], "ipFamilies": ["IPv6", "IPv4"]}}
    four, six = {**part("10.0.0.1"), "addressType": "IPv4"}, {**part("fd00::1"), "addressType": "IPv6"}
    assert endpoints_of(service, [four, six], 443) == [("fd00::1", 8443)]
    assert endpoints_of(service, [four], 443) == [("10.0.0.1", 8443)]


NONE: dict[str, tuple[list[dict[str, Any]], int, str]] = {
    "no port": ([part("10.0.0.1")], 1, 'no service port 1 found for service "s"'),
    "no slice": ([], 443, 'no endpoints available for service "s"'),
    "none ready": ([part("10.0.0.1", ready=False)], 443, 'no endpoints available for service "s"'),
}


@pytest.mark.parametrize("name", NONE)
def test_nowhere(name: str) -> None:
    slices, port, expected = NONE[name]
    with pytest.raises(NoEndpoint) as caught:
        endpoints_of(SERVICE, slices, port)
    assert str(caught.value) == expected
