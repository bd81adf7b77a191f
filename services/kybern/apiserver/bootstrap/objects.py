"""Everything else a new cluster has: namespaces, priority classes, flow schemas, the kubernetes Service's endpoints."""

from copy import deepcopy
from functools import cache
from importlib.resources import files
from ipaddress import ip_address
from typing import Any

import orjson

Object = dict[str, Any]
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
FLOW = "flowcontrol.apiserver.k8s.io"
FLOW_MANAGER = "api-priority-and-fairness-config-producer-v1"


def namespaces() -> list[Object]:
    """The four that always are."""
    return [{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}} for name in NAMESPACES]


def default_account() -> Object:
    """The account of pods in `default`: the controllers make one for every namespace, but a moment later."""
    return {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default", "namespace": "default"}}


def fixed() -> list[tuple[str, str, Object]]:
    """(group, resource, object) of what is made once and then left to the administrator."""
    found: list[tuple[str, str, Object]] = []
    for row in _read_flow()["priorityclasses"]:
        metadata = {"name": row["name"]}
        rest = {member: value for member, value in row.items() if member != "name"}
        about = (
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
        )
        if row["name"] == "system-node-critical":
            about = "Used for system critical pods that must not be moved from their current node."
        obj = {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": metadata, **rest}
        found.append(("scheduling.k8s.io", "priorityclasses", {**obj, "description": about}))
    return found


# Kybern's services have certificates of their own where upstream's are service accounts of kube-system.
OWN_SERVICES: Object = {
    "name": "kybern-services",
    "spec": {
        "priorityLevelConfiguration": {"name": "workload-high"},
        "matchingPrecedence": 850,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [
            {
                "subjects": [
                    {"kind": "User", "user": {"name": name}}
                    for name in ("system:kube-proxy", "system:kybern:dns", "system:kybern:simulated-nodes")
                ],
                "resourceRules": [
                    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
                ],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            }
        ],
    },
}


def flow_objects() -> list[tuple[str, str, Object]]:
    """(group, resource, object) of the default priority levels and flow schemas, and one schema for Kybern's own."""
    raw = _read_flow()
    found: list[tuple[str, str, Object]] = []
    for resource, kind, rows in (
        ("prioritylevelconfigurations", "PriorityLevelConfiguration", raw["prioritylevelconfigurations"]),
        ("flowschemas", "FlowSchema", [*raw["flowschemas"], OWN_SERVICES]),
    ):
        for row in rows:
            metadata = {"name": row["name"], "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}
            obj = {"kind": kind, "apiVersion": f"{FLOW}/v1", "metadata": metadata, "spec": deepcopy(row["spec"])}
            found.append((FLOW, resource, obj))
    return found


@cache
def _read_flow() -> dict[str, list[Object]]:
    data = (files("kybern.apiserver.bootstrap") / "data" / "flow.json").read_bytes()
    raw: dict[str, list[Object]] = orjson.loads(data)
    return raw


def kubernetes_service(address: str) -> Object:
    """`kubernetes` in `default`, at the first address of the Service network."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}
    spec = {"clusterIP": address, "ipFamilyPolicy": "SingleStack", "ports": [port], "type": "ClusterIP"}
    metadata = {"name": "kubernetes", "namespace": "default", "labels": labels}
    return {"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": spec}


def service_cidr(cidrs: list[str]) -> Object:
    """`kubernetes`: the ranges that the flags name."""
    metadata, spec = {"name": "kubernetes"}, {"cidrs": cidrs}
    return {"kind": "ServiceCIDR", "apiVersion": "networking.k8s.io/v1", "metadata": metadata, "spec": spec}


def second_range(current: Object, wanted: Object) -> Object | None:
    """A second family joins the first; no other change of the flags is one of the ranges that have been given out."""
    has, wants = current["spec"].get("cidrs") or [], wanted["spec"]["cidrs"]
    if len(has) == 1 and len(wants) == 2 and has[0] == wants[0]:
        return {**current, "spec": {**current["spec"], "cidrs": wants}}
    return None


def kubernetes_endpoints(host: str, port: int) -> list[tuple[str, str, Object]]:
    """Endpoints and EndpointSlice of the API itself."""
    family = "IPv6" if ip_address(host).version == 6 else "IPv4"
    metadata = {"name": "kubernetes", "namespace": "default"}
    endpoints = {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {**metadata, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": host}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
    }
    slices = {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": family,
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    return [("", "endpoints", endpoints), ("discovery.k8s.io", "endpointslices", slices)]


PROXY_CLIENT = "front-proxy-client"  # common name of the certificate that extension API servers are shown


def authentication_config(ca: str, proxy_ca: str = "") -> Object:
    """kube-system/extension-apiserver-authentication, which aggregated API servers read."""
    metadata = {"name": "extension-apiserver-authentication", "namespace": "kube-system"}
    data = {"client-ca-file": ca}
    if proxy_ca:
        headers = {
            "allowed-names": PROXY_CLIENT,
            "extra-headers-prefix": "X-Remote-Extra-",
            "group-headers": "X-Remote-Group",
            "uid-headers": "X-Remote-Uid",
            "username-headers": "X-Remote-User",
        }
        data["requestheader-client-ca-file"] = proxy_ca
        data |= {f"requestheader-{name}": orjson.dumps([value]).decode() for name, value in headers.items()}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": data}
