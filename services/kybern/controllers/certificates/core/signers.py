"""The four signers of Kubernetes: what a request to each of them may ask for."""

from collections.abc import Callable

from kybern.controllers.certificates.core.request import NODE_PREFIX, NODES, Wanted

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
SIGN, ENCIPHER, CLIENT_AUTH, SERVER_AUTH = "digital signature", "key encipherment", "client auth", "server auth"


def check_client(wanted: Wanted) -> str:
    """A client of the API, of whatever name."""
    if CLIENT_AUTH not in wanted.usages or wanted.usages - {SIGN, ENCIPHER, CLIENT_AUTH}:
        return f"invalid usage for client certificate: {', '.join(sorted(wanted.usages))}"
    return ""


def check_kubelet_client(wanted: Wanted) -> str:
    """A node's agent as a client of the API."""
    if wanted.dns_names:
        return "DNS subjectAltNames are not allowed"
    if wanted.emails:
        return "Email subjectAltNames are not allowed"
    if wanted.ips:
        return "IP subjectAltNames are not allowed"
    if wanted.uris:
        return "URI subjectAltNames are not allowed"
    return _check_node(wanted, CLIENT_AUTH)


def check_kubelet_serving(wanted: Wanted) -> str:
    """A node's agent as a server."""
    if not wanted.dns_names and not wanted.ips:
        return "DNS or IP subjectAltName is required"
    if wanted.emails:
        return "Email subjectAltNames are not allowed"
    if wanted.uris:
        return "URI subjectAltNames are not allowed"
    return _check_node(wanted, SERVER_AUTH)


def _check_node(wanted: Wanted, purpose: str) -> str:
    if wanted.organizations != (NODES,):
        return f"subject organization is not {NODES}"
    if not wanted.common_name.startswith(NODE_PREFIX):
        return f"subject common name does not begin with {NODE_PREFIX}"
    if wanted.usages not in ({SIGN, purpose}, {SIGN, ENCIPHER, purpose}):
        return "usages did not match"
    return ""


CHECKS: dict[str, Callable[[Wanted], str]] = {
    CLIENT: check_client,
    KUBELET_CLIENT: check_kubelet_client,
    KUBELET_SERVING: check_kubelet_serving,
    LEGACY: lambda wanted: "",
}


def is_own(wanted: Wanted, username: str) -> bool:
    """Whether a node's agent asks for itself."""
    return wanted.common_name == username
