"""What signers sign, for how long, and when requests are old."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.controllers.certificates.core.age import is_outdated
from kybern.controllers.certificates.core.request import Wanted
from kybern.controllers.certificates.core.sign import lifetime
from kybern.controllers.certificates.core.signers import CHECKS, CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY

NOW = datetime(2026, 1, 3, tzinfo=UTC)
CSR: Any = None
NODE = {"common_name": "system:node:a", "organizations": ("system:nodes",)}
CLIENT_USE, SERVER_USE = (
    (
        "digital signature",
        "client auth",
    ),
    (
        "digital signature",
        "server auth",
    ),
)


@pytest.mark.parametrize(
    ("signer", "members", "expected"),
    [
        (CLIENT, {"common_name": "a", "usages": CLIENT_USE}, ""),
        (CLIENT, {"usages": SERVER_USE}, "invalid usage for client certificate: server auth"),
        (
            CLIENT,
            {"usages": ("digital signature",)},
            "missing required usage for client certificate: client auth",
        ),
        (KUBELET_CLIENT, {**NODE, "usages": CLIENT_USE}, ""),
        (KUBELET_CLIENT, {**NODE, "usages": (*CLIENT_USE, "key encipherment")}, ""),
        (
            KUBELET_CLIENT,
            {**NODE, "usages": SERVER_USE},
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (KUBELET_CLIENT, {**NODE, "dns_names": ("a",)}, "DNS subjectAltNames are not allowed"),
        (KUBELET_CLIENT, {**NODE, "organizations": ("devs",)}, "subject organization is not system:nodes"),
        (KUBELET_CLIENT, {**NODE, "common_name": "a"}, "subject common name does not begin with system:node:"),
        (KUBELET_SERVING, {**NODE, "ips": ("192.0.2.1",), "usages": SERVER_USE}, ""),
        (KUBELET_SERVING, {**NODE, "usages": SERVER_USE}, "DNS or IP subjectAltName is required"),
        (KUBELET_SERVING, {**NODE, "dns_names": ("a",), "uris": ("u:x",)}, "URI subjectAltNames are not allowed"),
        (LEGACY, {"usages": ("any",)}, ""),
    ],
)
def test_what_signers_sign(signer: str, members: Any, expected: str) -> None:
    assert CHECKS[signer](Wanted(CSR, **members)) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(None, 365), (86400, 1), (86400 * 4000, 365), (1, 600 / 86400)])
def test_lifetime(seconds: int | None, expected: float) -> None:
    assert lifetime(seconds, timedelta(days=365)) == timedelta(days=expected)


def condition(kind: str, hours: float) -> dict[str, Any]:
    at = (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    return {"type": kind, "status": "True", "lastUpdateTime": at}


@pytest.mark.parametrize(
    ("created", "status", "expected"),
    [
        (25, {}, True),
        (23, {}, False),
        (2, {"conditions": [condition("Denied", 1.1)]}, True),
        (2, {"conditions": [condition("Denied", 0.9)]}, False),
        (2, {"conditions": [condition("Approved", 1.1)]}, False),
        (2, {"conditions": [condition("Approved", 1.1)], "certificate": "bm8="}, True),
        (2, {"conditions": [condition("Approved", 0.5), condition("Failed", 1.1)]}, True),
        (30, {"conditions": [condition("Approved", 29)]}, True),
        (30, {"conditions": [condition("Approved", 23)]}, False),
    ],
)
def test_is_outdated(created: float, status: dict[str, Any], expected: bool) -> None:
    at = (NOW - timedelta(hours=created)).isoformat().replace("+00:00", "Z")
    assert is_outdated({"metadata": {"creationTimestamp": at}, "status": status}, NOW) is expected
