"""Operations: every verb on every path of a resource, before they are written in either OpenAPI version."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kybern.kube.schema import ResourceInfo, SubresourceInfo

GVK = tuple[str, str, str]
_META = ("", "v1")
STATUS: GVK = (*_META, "Status")
DELETE_OPTIONS: GVK = (*_META, "DeleteOptions")
PATCH: GVK = (*_META, "Patch")

LIST_PARAMETERS = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_DELETE = ("dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents",
           "propagationPolicy")  # fmt: skip
_COLLECTION = (*_DELETE, *(name for name in LIST_PARAMETERS if name not in ("allowWatchBookmarks", "watch")))


@dataclass(frozen=True)
class Operation:
    """One HTTP method on one path; `gvk` is the kind acted on, `body` and `answer` are kinds or None for plain text."""

    path: str
    method: str
    action: str
    id: str
    gvk: GVK
    parameters: tuple[str, ...] = ()
    body: GVK | None = None
    answer: GVK | None = None


def root(group: str, version: str) -> str:
    """`/api/v1` or `/apis/<group>/<version>`."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def operations(infos: Iterable[ResourceInfo]) -> Iterator[Operation]:
    """Every operation on the resources and their subresources."""
    for info in infos:
        yield from _collection(info)
        yield from _item(info)
        for subresource in info.subresources.values():
            yield from _subresource(info, subresource)


def _title(info: ResourceInfo) -> str:
    """The group and version part of an operation id: `AppsV1`, `RbacAuthorizationV1`."""
    group = info.group.removesuffix(".k8s.io") or "core"
    words = group.replace("-", ".").split(".")
    return "".join(word[:1].upper() + word[1:] for word in words) + info.version[:1].upper() + info.version[1:]


def _scoped(info: ResourceInfo) -> str:
    return f"Namespaced{info.kind}" if info.namespaced else info.kind


def _base(info: ResourceInfo) -> str:
    scope = "/namespaces/{namespace}" if info.namespaced else ""
    return f"{root(info.group, info.version)}{scope}/{info.resource}"


def _collection(info: ResourceInfo) -> Iterator[Operation]:
    base, title, scoped, gvk = _base(info), _title(info), _scoped(info), info.gvk
    listed = (info.group, info.version, info.list_kind)
    if "list" in info.verbs:
        yield Operation(base, "get", "list", f"list{title}{scoped}", gvk, LIST_PARAMETERS, None, listed)
        if info.namespaced:
            path = f"{root(info.group, info.version)}/{info.resource}"
            name = f"list{title}{info.kind}ForAllNamespaces"
            yield Operation(path, "get", "list", name, gvk, LIST_PARAMETERS, None, listed)
    if "create" in info.verbs:
        yield Operation(base, "post", "post", f"create{title}{scoped}", gvk, _WRITE, gvk, gvk)
    if "deletecollection" in info.verbs:
        name = f"delete{title}Collection{scoped}"
        yield Operation(base, "delete", "deletecollection", name, gvk, _COLLECTION, DELETE_OPTIONS, STATUS)


def _item(info: ResourceInfo) -> Iterator[Operation]:
    path, title, scoped, gvk = f"{_base(info)}/{{name}}", _title(info), _scoped(info), info.gvk
    if "get" in info.verbs:
        yield Operation(path, "get", "get", f"read{title}{scoped}", gvk, (), None, gvk)
    if "update" in info.verbs:
        yield Operation(path, "put", "put", f"replace{title}{scoped}", gvk, _WRITE, gvk, gvk)
    if "patch" in info.verbs:
        yield Operation(path, "patch", "patch", f"patch{title}{scoped}", gvk, (*_WRITE, "force"), PATCH, gvk)
    if "delete" in info.verbs:
        yield Operation(path, "delete", "delete", f"delete{title}{scoped}", gvk, _DELETE, DELETE_OPTIONS, STATUS)


_CONNECT = frozenset({"exec", "attach", "portforward", "proxy"})


def _subresource(info: ResourceInfo, sub: SubresourceInfo) -> Iterator[Operation]:
    path, title = f"{_base(info)}/{{name}}/{sub.name}", _title(info)
    name = _scoped(info) + sub.name[:1].upper() + sub.name[1:]
    gvk = (sub.group, sub.version, sub.kind)
    if sub.name in _CONNECT:
        for method, verb in (("get", "get"), ("post", "create")):
            if verb in sub.verbs:
                yield Operation(path, method, "connect", f"connect{title}{method.capitalize()}{name}", gvk)
        return
    if "get" in sub.verbs:
        answer = None if sub.name == "log" else gvk
        yield Operation(path, "get", "get", f"read{title}{name}", gvk, (), None, answer)
    if "create" in sub.verbs:
        yield Operation(path, "post", "post", f"create{title}{name}", gvk, _WRITE, gvk, gvk)
    if "update" in sub.verbs:
        yield Operation(path, "put", "put", f"replace{title}{name}", gvk, _WRITE, gvk, gvk)
    if "patch" in sub.verbs:
        yield Operation(path, "patch", "patch", f"patch{title}{name}", gvk, (*_WRITE, "force"), PATCH, gvk)
