"""Operations: every verb on every path of a resource, before they are written in either OpenAPI version."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kybern.kube.schema import ResourceInfo, SubresourceInfo, load

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
    """One HTTP method on one path; `gvk` is the kind acted on, `body` and `answer` are kinds or None for plain text.

    `said` is what it does, in a few words; `custom`: the kind is one that a definition brings.
    """

    path: str
    method: str
    action: str
    id: str
    gvk: GVK
    parameters: tuple[str, ...] = ()
    body: GVK | None = None
    answer: GVK | None = None
    said: str = ""
    tag: str = ""
    custom: bool = False


def root(group: str, version: str) -> str:
    """`/api/v1` or `/apis/<group>/<version>`."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def operations(infos: Iterable[ResourceInfo]) -> Iterator[Operation]:
    """Every operation on the resources and their subresources."""
    known = load().names
    for info in infos:
        custom, tag = info.gvk not in known, f"{_camel(info)}_{info.version}"
        found = [*_collection(info, custom), *_item(info, custom)]
        for subresource in info.subresources.values():
            found += _subresource(info, subresource, custom)
        for operation in found:
            yield replace(operation, tag=tag, custom=custom)


def _words(info: ResourceInfo) -> list[str]:
    return [word for word in (info.group.removesuffix(".k8s.io") or "core").replace("-", ".").split(".") if word]


def _title(info: ResourceInfo) -> str:
    """The group and version part of an operation id: `AppsV1`, `RbacAuthorizationV1`."""
    words = _words(info)
    return "".join(word[:1].upper() + word[1:] for word in words) + info.version[:1].upper() + info.version[1:]


def _camel(info: ResourceInfo) -> str:
    """A group as tags name it: `apps`, `rbacAuthorization`."""
    first, *others = _words(info)
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def _scoped(info: ResourceInfo) -> str:
    return f"Namespaced{info.kind}" if info.namespaced else info.kind


def _a(kind: str) -> str:
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def _base(info: ResourceInfo) -> str:
    scope = "/namespaces/{namespace}" if info.namespaced else ""
    return f"{root(info.group, info.version)}{scope}/{info.resource}"


def _collection(info: ResourceInfo, custom: bool) -> Iterator[Operation]:
    base, title, scoped, gvk = _base(info), _title(info), _scoped(info), info.gvk
    listed = (info.group, info.version, info.list_kind)
    if "list" in info.verbs:
        said = f"list {'' if custom else 'or watch '}objects of kind {info.kind}"
        yield Operation(base, "get", "list", f"list{title}{scoped}", gvk, LIST_PARAMETERS, None, listed, said)
        if info.namespaced:
            path = f"{root(info.group, info.version)}/{info.resource}"
            name = f"list{title}{info.kind}ForAllNamespaces"
            yield Operation(path, "get", "list", name, gvk, LIST_PARAMETERS, None, listed, said)
    if "create" in info.verbs:
        yield Operation(
            base, "post", "post", f"create{title}{scoped}", gvk, _WRITE, gvk, gvk, f"create {_a(info.kind)}"
        )
    if "deletecollection" in info.verbs:
        name, said = f"delete{title}Collection{scoped}", f"delete collection of {info.kind}"
        body = None if custom else DELETE_OPTIONS
        parameters = LIST_PARAMETERS if custom else _COLLECTION
        yield Operation(base, "delete", "deletecollection", name, gvk, parameters, body, STATUS, said)


def _item(info: ResourceInfo, custom: bool) -> Iterator[Operation]:
    path, title, scoped, gvk = f"{_base(info)}/{{name}}", _title(info), _scoped(info), info.gvk
    kind, force = info.kind, (*_WRITE, "force")
    if "get" in info.verbs:
        said = f"read the specified {kind}"
        yield Operation(path, "get", "get", f"read{title}{scoped}", gvk, _read(custom), None, gvk, said)
    if "update" in info.verbs:
        said = f"replace the specified {kind}"
        yield Operation(path, "put", "put", f"replace{title}{scoped}", gvk, _WRITE, gvk, gvk, said)
    if "patch" in info.verbs:
        said = f"partially update the specified {kind}"
        yield Operation(path, "patch", "patch", f"patch{title}{scoped}", gvk, force, PATCH, gvk, said)
    if "delete" in info.verbs:
        name, said = f"delete{title}{scoped}", f"delete {_a(kind)}"
        yield Operation(path, "delete", "delete", name, gvk, _DELETE, DELETE_OPTIONS, STATUS, said)


def _read(custom: bool) -> tuple[str, ...]:
    return ("resourceVersion",) if custom else ()


_CONNECT = frozenset({"exec", "attach", "portforward", "proxy"})


def _subresource(info: ResourceInfo, sub: SubresourceInfo, custom: bool) -> Iterator[Operation]:
    path, title = f"{_base(info)}/{{name}}/{sub.name}", _title(info)
    name = _scoped(info) + sub.name[:1].upper() + sub.name[1:]
    body = (sub.group, sub.version, sub.kind)
    gvk, of = info.gvk if custom else body, f"{sub.name} of"
    if sub.name in _CONNECT:
        for method, verb in (("get", "get"), ("post", "create")):
            if verb in sub.verbs:
                said = f"connect {method.upper()} requests to {sub.name} of {info.kind}"
                yield Operation(path, method, "connect", f"connect{title}{method.capitalize()}{name}", gvk, said=said)
        return
    if "get" in sub.verbs:
        answer, said = None if sub.name == "log" else body, f"read {of} the specified {info.kind}"
        yield Operation(path, "get", "get", f"read{title}{name}", gvk, _read(custom), None, answer, said)
    if "create" in sub.verbs:
        said = f"create {of} {_a(info.kind)}"
        yield Operation(path, "post", "post", f"create{title}{name}", gvk, _WRITE, body, body, said)
    if "update" in sub.verbs:
        said = f"replace {of} the specified {info.kind}"
        yield Operation(path, "put", "put", f"replace{title}{name}", gvk, _WRITE, body, body, said)
    if "patch" in sub.verbs:
        said = f"partially update {of} the specified {info.kind}"
        yield Operation(path, "patch", "patch", f"patch{title}{name}", gvk, (*_WRITE, "force"), PATCH, body, said)
