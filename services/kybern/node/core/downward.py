"""The downward API: a pod's own fields, as environment variables and files."""

import re
from collections.abc import Mapping

from kybern.kube.meta import Object

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class UnknownField(Exception):
    """A fieldPath that the downward API does not offer."""


def format_map(values: Mapping[str, str]) -> str:
    """Labels or annotations as lines `key="value"`, sorted, quoted as Go does."""
    return "\n".join(f"{key}={quote(value)}" for key, value in sorted(values.items()))


def quote(text: str) -> str:
    escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    return '"' + "".join(escapes.get(c, c if c.isprintable() else f"\\u{ord(c):04x}") for c in text) + '"'


def pod_field(pod: Object, path: str, *, node_name: str, host_ips: list[str], pod_ips: list[str]) -> str:
    """The value of a fieldRef. Raises UnknownField."""
    meta, spec = pod["metadata"], pod["spec"]
    if match := _SUBSCRIPT.fullmatch(path):
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    simple = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": node_name,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "",
        "status.hostIP": host_ips[0] if host_ips else "",
        "status.hostIPs": ",".join(host_ips),
        "status.podIP": pod_ips[0] if pod_ips else "",
        "status.podIPs": ",".join(pod_ips),
    }
    if path in simple:
        return str(simple[path])
    if path in ("metadata.labels", "metadata.annotations"):
        return format_map(meta.get(path.removeprefix("metadata.")) or {})
    raise UnknownField(f"unsupported fieldPath: {path}")


def needs_pod_ip(container: Object) -> bool:
    """Whether a container's environment can only be made once the sandbox has an address."""
    return any(
        ((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath", "").startswith("status.podIP")
        for variable in container.get("env") or []
    )
