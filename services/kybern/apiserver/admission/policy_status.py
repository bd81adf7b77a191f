"""The status of ValidatingAdmissionPolicies: each is type-checked against the kinds it is about, once per change."""

from typing import TYPE_CHECKING, Any

from kybern.apiserver.core.user import APISERVER
from kybern.apiserver.reconciler import Reconciler
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.registry.update import change
from kybern.kube.status import allowing

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer
    from kybern.kube.cel.shapes import Shape

Object = dict[str, Any]
GROUP, VERSION, RESOURCE = "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies"
MANAGER = "kube-controller-manager"


class PolicyStatusController(Reconciler):
    """See the module's docstring."""

    def __init__(self, server: "ApiServer") -> None:
        super().__init__(server, server.table.cacher(GROUP, RESOURCE))

    async def reconcile(self, name: str) -> bool:
        """Type-check a policy that is not checked in its present generation."""
        entry = self._cacher.get("", name)
        if entry is None:
            return False
        policy = entry.decode()
        generation = policy["metadata"].get("generation") or 0
        if (policy.get("status") or {}).get("observedGeneration") == generation:
            return False
        checked = self._check(policy)

        async def produce(current: Object) -> Object:
            if (current["metadata"].get("generation") or 0) != generation:
                return current  # it has changed meanwhile and will be looked at again
            status = {**(current.get("status") or {}), "observedGeneration": generation, "typeChecking": checked}
            return {**current, "status": status}

        served = self.server.table.find(GROUP, VERSION, RESOURCE)
        request = Request(
            self.server, APISERVER, "update", served, "", name, subresource="status", field_manager=MANAGER
        )
        with allowing(404):
            await change(request, produce)
        return False

    def _check(self, policy: Object) -> Object:
        from kybern.kube.cel import type_checks  # CEL is loaded when first needed

        kinds = []
        for group, version, resource in type_checks.resources_named(policy):
            served = self.server.table.served.get((group, version, resource))
            shape = None if served is None else _shape(served)
            if served is not None and shape is not None:
                kinds.append((served.info.gvk, shape))
        param, kind = None, (policy.get("spec") or {}).get("paramKind")
        if kind:
            served = self.server.table.of_kind(kind.get("apiVersion") or "", kind.get("kind") or "")
            param = None if served is None else _shape(served)
        warnings = type_checks.expression_warnings(policy, kinds, param)
        return {"expressionWarnings": warnings} if warnings else {}


def _shape(served: Served) -> "Shape | None":
    from kybern.kube.cel import type_checks
    from kybern.kube.structural.declared import declare

    if served.custom is None:
        return type_checks.shape_of(served.info.gvk)
    declared = declare(served.custom.schema, True)
    return None if declared is None else declared.shape
