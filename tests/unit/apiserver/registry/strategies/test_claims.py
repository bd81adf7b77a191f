"""What a Service's spec holds of addresses and ports."""

from typing import Any

import pytest

from kybern.apiserver.registry.strategies.claims import used


@pytest.mark.parametrize(
    ("spec", "addresses", "ports"),
    [
        ({}, set(), set()),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, set(), set()),
        ({"clusterIP": "10.0.0.1"}, {"10.0.0.1"}, set()),  # stored before there were two
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]}, {"10.0.0.1", "fd00::1"}, set()),
        ({"ports": [{"nodePort": 30001}, {"port": 80}], "healthCheckNodePort": 5}, set(), {("TCP", 30001), ("TCP", 5)}),
    ],
)
def test_used(spec: dict[str, Any], addresses: set[str], ports: set[tuple[str, int]]) -> None:
    assert used(spec) == (addresses, ports)
