"""Paths of the Kubernetes API: which resource, name and subresource a path means, as upstream's RequestInfo.

    /api/v1/namespaces/NS/pods/NAME/log     /apis/apps/v1/deployments      /api/v1/watch/pods (deprecated form)

A path is only split here; whether its resource exists is the resource table's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A path to a collection (no name), an object, or a subresource of it. `rest` follows a proxy subresource."""

    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watch: bool = False  # the deprecated /watch/ form


@lru_cache(maxsize=8192)
def resource_path(path: str) -> ResourcePath | None:
    """The resource a path means; None for every path outside /api/VERSION/… and /apis/GROUP/VERSION/…."""
    if path.startswith("//"):
        return None
    parts = path.strip("/").split("/")
    match parts:
        case ["api", version, _, *_]:
            return _split("", version, parts[2:])
        case ["apis", group, version, _, *_]:
            return _split(group, version, parts[3:])
    return None


def _split(group: str, version: str, parts: list[str]) -> ResourcePath | None:
    if "" in parts[:3]:
        return None
    watch = parts[0] == "watch" and len(parts) > 1
    if watch:
        parts = parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and not (group == "" and parts[2] in NAMESPACE_SUBRESOURCES):
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource, *rest = (*parts, "", "", "")[: max(3, len(parts))]
    return ResourcePath(group, version, resource, namespace, name, subresource, "/".join(rest), watch)


@dataclass(frozen=True, slots=True)
class GroupPath:
    """A discovery path: /api, /apis, /api/VERSION, /apis/GROUP, /apis/GROUP/VERSION."""

    legacy: bool
    group: str = ""
    version: str = ""


@lru_cache(maxsize=1024)
def group_path(path: str) -> GroupPath | None:
    match path.strip("/").split("/"):
        case ["api"]:
            return GroupPath(True)
        case ["api", version]:
            return GroupPath(True, "", version)
        case ["apis"]:
            return GroupPath(False)
        case ["apis", group]:
            return GroupPath(False, group)
        case ["apis", group, version]:
            return GroupPath(False, group, version)
    return None


def verb(method: str, target: ResourcePath, watch: bool) -> str:
    """The Kubernetes verb of a request; "" for a method that no resource takes."""
    match method:
        case "GET" | "HEAD":
            if watch:
                return "watch"
            return "get" if target.name else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case "DELETE":
            return "delete" if target.name else "deletecollection"
    return ""
