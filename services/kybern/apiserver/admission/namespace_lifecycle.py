"""NamespaceLifecycle: nothing is created in a namespace that is missing or ending; three namespaces never go."""

from kybern.apiserver.admission.plugin import CREATE, DELETE, Object, Plugin
from kybern.apiserver.registry.request import Request
from kybern.kube.status import forbidden, not_found

IMMORTAL = ("default", "kube-system", "kube-public")
ALLOWED = ("localsubjectaccessreviews",)  # ask about a namespace, put nothing into it


class NamespaceLifecycle(Plugin):
    """See the module's docstring."""

    name = "NamespaceLifecycle"

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        _check(request, operation)

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        _check(request, operation)


def _check(request: Request, operation: str) -> None:
    if operation == DELETE and request.served.group_resource == ("", "namespaces"):
        if request.name in IMMORTAL:
            raise forbidden("", "namespaces", request.name, "this namespace may not be deleted")
        return
    if operation != CREATE or request.subresource or not request.served.info.namespaced or request.resource in ALLOWED:
        return
    namespace = request.server.table.cacher("", "namespaces").get("", request.namespace)
    if namespace is None:
        raise not_found("", "namespaces", request.namespace)
    if namespace.fields["status.phase"] != "Terminating":
        return
    why = f"unable to create new content in namespace {request.namespace} because it is being terminated"
    error = forbidden(request.group, request.resource, request.name, why)
    error.status["details"]["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {request.namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    raise error
