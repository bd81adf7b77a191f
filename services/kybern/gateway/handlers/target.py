"""A resource request after routing: what it names, whether the API has it, and what a handler gets."""

from __future__ import annotations

from dataclasses import dataclass

from kybern.gateway.core import options
from kybern.gateway.core.resources import Resources, Served
from kybern.gateway.core.router import ResourcePath, verb
from kybern.gateway.http.message import Request
from kybern.kube.status import (
    StatusError,
    bad_request,
    method_not_allowed,
    not_found,
    status_error,
    unknown_resource,
)
from kybern.protos.api.v1.objects_pb2 import Resource

BODY_KINDS = {"scale": "Scale", "binding": "Binding", "eviction": "Eviction", "token": "TokenRequest"}
BODY_VERSIONS = {
    "scale": "autoscaling/v1",
    "binding": "v1",
    "eviction": "policy/v1",
    "token": "authentication.k8s.io/v1",
}
OF_ONE = ("get", "update", "patch", "delete")  # the verbs of a single object
CONNECT = frozenset({"log", "exec", "attach", "portforward", "proxy"})


@dataclass(frozen=True, slots=True)
class Target:
    """A request for a resource that exists, with a verb that it takes."""

    served: Served
    path: ResourcePath
    verb: str

    def resource(self) -> Resource:
        return resource_of(self.path)

    @property
    def kind(self) -> str:
        """The kind of a body."""
        return BODY_KINDS.get(self.path.subresource, self.served.kind)

    @property
    def api_version(self) -> str:
        """The apiVersion of a body."""
        return BODY_VERSIONS.get(self.path.subresource, self.served.api_version)

    @property
    def connects(self) -> bool:
        return self.path.subresource in CONNECT


def resource_of(path: ResourcePath) -> Resource:
    """What a path names, whether the API has it or not."""
    return Resource(
        group=path.group,
        version=path.version,
        resource=path.resource,
        subresource=path.subresource,
        namespace=path.namespace,
    )


def not_allowed() -> StatusError:
    error = status_error(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    error.status["details"] = {}
    return error


def find(request: Request, path: ResourcePath, resources: Resources) -> Target:
    """The target of a request. Raises StatusError: 404 for what the API does not have, 405 for a wrong method."""
    served = resources.find(path.group, path.version, path.resource)
    if served is None or (path.namespace and not served.namespaced):
        raise unknown_resource()
    if served.custom:
        return _find_custom(request, path, served)
    if path.subresource and path.subresource not in served.subresources:
        raise unknown_resource()
    if path.rest and path.subresource != "proxy":
        raise unknown_resource()
    wanted = verb(request.method, path, watches(request, path))
    if served.namespaced and not path.namespace:
        if path.name:
            raise unknown_resource()
        if wanted not in ("list", "watch"):
            raise not_allowed()
    if path.name and not path.subresource and not any(served.allows(one, "") for one in OF_ONE):
        raise unknown_resource()
    if not _takes(served, wanted, path) or (request.method == "HEAD" and path.subresource != "proxy"):
        raise not_allowed()
    if path.name in (".", ".."):
        raise bad_request(f"Name parameter invalid: \"{path.name}\": may not be '{path.name}'")
    return Target(served, path, wanted)


def _find_custom(request: Request, path: ResourcePath, served: Served) -> Target:
    """Of a custom resource; what it does not take is answered by name, and HEAD is GET without the body."""
    wanted = verb(request.method, path, watches(request, path))
    if served.namespaced and not path.namespace and (path.name or wanted not in ("list", "watch")):
        raise unknown_resource()
    if path.subresource and path.subresource not in served.subresources:
        raise not_found(path.group, path.resource, path.name)
    if wanted in ("update", "patch") and not path.name:
        raise bad_request("name must be provided")
    takes = served.allows(wanted, path.subresource) if path.subresource else bool(wanted)
    if not takes or (request.method == "HEAD" and wanted == "watch"):
        raise method_not_allowed(path.group, path.resource, wanted)
    if path.name in (".", ".."):
        raise bad_request(f"Name parameter invalid: \"{path.name}\": may not be '{path.name}'")
    return Target(served, path, wanted)


def watches(request: Request, path: ResourcePath) -> bool:
    """Whether a request asks for a watch."""
    if path.watch:
        return True
    return b"watch" in request.raw_query and not path.name and options.boolean(request.query, "watch")


def _takes(served: Served, wanted: str, path: ResourcePath) -> bool:
    if path.subresource == "proxy":
        return True
    if path.subresource == "log":
        return wanted == "get"
    if path.subresource in CONNECT:
        return wanted in ("get", "create")
    if wanted == "create" and path.name and not path.subresource:
        return False
    if wanted in ("update", "patch") and not path.name:
        return False
    return bool(wanted) and served.allows(wanted, path.subresource)
