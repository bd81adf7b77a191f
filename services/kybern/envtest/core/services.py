"""From the flags of kube-apiserver to those of Kybern's apiserver and gateway.

Most have the same name there. What is about files is settled before (`Files`); what has no meaning here is passed over,
silently where it changes nothing that a test sees.
"""

from dataclasses import dataclass
from pathlib import Path

from kybern.envtest.core.flags import Given, last

RANGE = "10.0.0.0/24"  # kube-apiserver's default
_FILES = """
    cert-dir tls-cert-file tls-private-key-file client-ca-file etcd-servers etcd-prefix proxy-client-cert-file
    proxy-client-key-file service-account-signing-key-file
"""
_WITHOUT_EFFECT = """
    allow-privileged contention-profiling delete-collection-workers enable-aggregator-routing enable-garbage-collector
    endpoint-reconciler-type etcd-compaction-interval etcd-count-metric-poll-period etcd-healthcheck-timeout
    log-flush-frequency logging-format service-account-lookup shutdown-delay-duration storage-backend
    storage-media-type v vmodule watch-cache watch-cache-sizes
"""
FILES, WITHOUT_EFFECT = frozenset(_FILES.split()), frozenset(_WITHOUT_EFFECT.split())
SETTLED = FILES | {"advertise-address", "authorization-mode", "bind-address", "secure-port"}


@dataclass(frozen=True)
class Files:
    """What the services read, in the form in which they read it."""

    pki: Path  # folder with the serving certificate and the authorities of clients
    service_account_key: str
    proxy_client: Path
    store: str  # as --store says it


@dataclass(frozen=True)
class ControlPlane:
    """The arguments of the two services, and the flags that nothing here knows."""

    apiserver: tuple[str, ...]
    gateway: tuple[str, ...]
    passed_over: tuple[str, ...]


def decide_services(
    given: Given, files: Files, host: str, of_apiserver: frozenset[str], of_gateway: frozenset[str]
) -> ControlPlane:
    """`host` is this host's address for others, "" if it has none; `of_...` are the flags that each service has."""
    bind, port = last(given, "bind-address", "0.0.0.0"), last(given, "secure-port", "6443")
    advertised = last(given, "advertise-address", bind)
    advertised = host if advertised in ("0.0.0.0", "::", "127.0.0.1", "::1") else advertised
    apiserver = ["--store", files.store, "--pki", str(files.pki), "--proxy-client", str(files.proxy_client)]
    if "authorization-config" not in given:
        apiserver += ["--authorization-mode", ",".join(given.get("authorization-mode", ("AlwaysAllow",)))]
    if files.service_account_key:
        apiserver += ["--service-account-key", files.service_account_key]
    if "service-cluster-ip-range" not in given:
        apiserver += ["--service-cluster-ip-range", RANGE]
    if advertised:
        apiserver += ["--advertise-address", f"{advertised}:{port}"]
    gateway = ["--pki", str(files.pki), "--proxy-client", str(files.proxy_client)]
    gateway += ["--bind-address", bind, "--secure-port", port]
    if "requestheader-client-ca-file" in given and "requestheader-uid-headers" not in given:
        gateway += ["--requestheader-uid-headers", ""]  # no header says a UID unless it is named
    passed_over = []
    for name, values in given.items():
        flags = [f"--{name}={value}" for value in values]
        if name in SETTLED:
            continue
        if name in of_apiserver:
            apiserver += flags
        elif name in of_gateway:
            gateway += flags
        elif name not in WITHOUT_EFFECT:
            passed_over += flags
    return ControlPlane(tuple(apiserver), tuple(gateway), tuple(passed_over))
