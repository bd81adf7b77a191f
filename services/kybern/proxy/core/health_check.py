"""Health check node ports: what load balancers are told of a Service that only nodes with endpoints serve. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from kybern.proxy.core.ports import Object, is_followed, is_ready, wants_proxy


@dataclass(frozen=True)
class HealthCheck:
    """The answer at one port: how many endpoints of a Service are ready on this node."""

    port: int
    service: str  # namespace/name
    local_endpoints: int


def compute_health_check(service: Object, slices: Iterable[Object], node_name: str) -> HealthCheck | None:
    """The health check of a Service; None for one without. Endpoints that terminate do not count."""
    spec, metadata = service.get("spec", {}), service["metadata"]
    port = spec.get("healthCheckNodePort")
    if not port or spec.get("externalTrafficPolicy") != "Local" or not wants_proxy(service):
        return None
    local = {
        endpoint["addresses"][0]
        for endpoint_slice in slices
        if is_followed(endpoint_slice)
        for endpoint in endpoint_slice.get("endpoints") or []
        if endpoint.get("nodeName") == node_name and is_ready(endpoint)
    }
    return HealthCheck(port, f"{metadata['namespace']}/{metadata['name']}", len(local))


def answer(check: HealthCheck) -> bytes:
    """A whole HTTP response: 200 where there are endpoints, 503 elsewhere."""
    namespace, _, name = check.service.partition("/")
    body = json.dumps(
        {
            "service": {"namespace": namespace, "name": name},
            "localEndpoints": check.local_endpoints,
            "serviceProxyHealthy": True,
        },
        indent="\t",
    ).encode()
    status = "200 OK" if check.local_endpoints else "503 Service Unavailable"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
        f"X-Load-Balancing-Endpoint-Weight: {check.local_endpoints}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
