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
    for usage in wanted.usages:
        if usage not in (SIGN, ENCIPHER, CLIENT_AUTH):
            return f"invalid usage for client certificate: {usage}"
    return "" if CLIENT_AUTH in wanted.usages else f"missing required usage for client certificate: {CLIENT_AUTH}"


def check_kubelet_client(wanted: Wanted) -> str:
    """A node's agent as a client of the API."""
    names = (("DNS", wanted.dns_names), ("Email", wanted.emails), ("IP", wanted.ips), ("URI", wanted.uris))
    return _organization(wanted) or _no_names(*names) or _common_name(wanted) or _usages(wanted, CLIENT_AUTH)


def check_kubelet_serving(wanted: Wanted) -> str:
    """A node's agent as a server."""
    nowhere = "" if wanted.dns_names or wanted.ips else "DNS or IP subjectAltName is required"
    names = (("Email", wanted.emails), ("URI", wanted.uris))
    why = _organization(wanted) or nowhere or _no_names(*names)
    return why or _usages(wanted, SERVER_AUTH) or _common_name(wanted)


def _organization(wanted: Wanted) -> str:
    return "" if wanted.organizations == (NODES,) else f"subject organization is not {NODES}"


def _common_name(wanted: Wanted) -> str:
    fits = wanted.common_name.startswith(NODE_PREFIX)
    return "" if fits else f"subject common name does not begin with {NODE_PREFIX}"


def _no_names(*names: tuple[str, tuple[str, ...]]) -> str:
    return next((f"{kind} subjectAltNames are not allowed" for kind, found in names if found), "")


def _usages(wanted: Wanted, purpose: str) -> str:
    required = {SIGN, ENCIPHER, purpose}
    if set(wanted.usages) in (required, {SIGN, purpose}):
        return ""
    return f"usages did not match [{' '.join(sorted(required))}]"


CHECKS: dict[str, Callable[[Wanted], str]] = {
    CLIENT: check_client,
    KUBELET_CLIENT: check_kubelet_client,
    KUBELET_SERVING: check_kubelet_serving,
    LEGACY: lambda wanted: "",
}


def is_own(wanted: Wanted, username: str) -> bool:
    """Whether a node's agent asks for itself."""
    return wanted.common_name == username
