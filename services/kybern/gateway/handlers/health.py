"""/healthz, /livez, /readyz and the checks below them."""

from __future__ import annotations

from typing import Protocol

from kybern.gateway.health_metrics import HealthMetrics
from kybern.gateway.http.message import NOSNIFF, TEXT, Request, Response

NOT_FOUND = Response(b"404 page not found\n", 404, TEXT, NOSNIFF)
ENDPOINTS = ("/healthz", "/livez", "/readyz")
# What the apiserver has done, and its followers have seen, by the time it first answers; under upstream's names, in its
# order. What Kybern does elsewhere or has no need of is done by then, too.
STARTED = (
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/peer-endpoint-reconciler-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/storage-readiness",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/aggregator-reload-proxy-client-cert",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
)
SERVING = "loopback-serving-certificate"
PATHS = (
    *ENDPOINTS,
    *(f"{endpoint}/{name}" for endpoint in ENDPOINTS for name in ("ping", "log", "etcd", *STARTED)),
    *(f"{endpoint}/{SERVING}" for endpoint in ("/healthz", "/livez")),
    *(f"/readyz/{name}" for name in ("etcd-readiness", "informer-sync", "shutdown")),
)


class Readiness(Protocol):
    """What the checks ask."""

    checks: dict[str, bool]

    def ready(self) -> bool:
        """Whether the apiserver is connected."""
        ...


class Health:
    """The same checks everywhere, except that liveness does not ask whether the apiserver answers now."""

    def __init__(self, front: Readiness, slis: HealthMetrics) -> None:
        self._front, self._slis = front, slis
        self._started = False

    def handle(self, request: Request) -> Response:
        endpoint, slash, check = request.path[1:].partition("/")
        results = self._checks(endpoint)
        if slash:
            return self._one(endpoint, check, results)
        excluded = set(request.query.get("exclude", ())) if request.raw_query else set()
        for name, good in results.items():
            if name not in excluded:
                self._slis.observe(name, endpoint, good)
        failed = [name for name, good in results.items() if not good and name not in excluded]
        verbose = "verbose" in request.query if request.raw_query else False
        if not failed and not verbose:
            return Response(b"ok", 200, TEXT, NOSNIFF)
        lines = [_line(name, good, name in excluded) for name, good in results.items()]
        if unknown := sorted(excluded - results.keys()):
            listed = ",".join(f'"{name}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}")
        lines.append(f"{endpoint} check {'failed' if failed else 'passed'}")
        return Response("\n".join((*lines, "")).encode(), 500 if failed else 200, TEXT, NOSNIFF)

    def _one(self, endpoint: str, check: str, results: dict[str, bool]) -> Response:
        if check not in results:
            return NOT_FOUND
        self._slis.observe(check, endpoint, results[check])
        if results[check]:
            return Response(b"ok", 200, TEXT, NOSNIFF)
        return Response(f"internal server error: {check} failed: reason withheld\n".encode(), 500, TEXT, NOSNIFF)

    def _checks(self, endpoint: str) -> dict[str, bool]:
        """The checks in order; whether the apiserver answers is told when it does not."""
        ready = self._front.ready()
        self._started = self._started or ready
        readyz = endpoint == "readyz"
        found = {"ping": True, "log": True, **({} if readyz else {SERVING: True}), **self._front.checks}
        if readyz:
            found |= {"etcd-readiness": found.get("etcd", True), "informer-sync": ready}
        found |= dict.fromkeys(STARTED, self._started)
        if readyz:
            found["shutdown"] = True
        return found if ready or endpoint == "livez" else {**found, "apiserver": False}


def _line(name: str, good: bool, excluded: bool) -> str:
    if excluded:
        return f"[+]{name} excluded: ok"
    return f"[+]{name} ok" if good else f"[-]{name} failed: reason withheld"
