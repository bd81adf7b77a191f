"""The status of ValidatingAdmissionPolicies: each is type-checked against the kinds it is about, once per change."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from kybern.apiserver.core.user import APISERVER
from kybern.apiserver.reconciler import Reconciler
from kybern.apiserver.registry.apply import apply
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.kube.status import allowing

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer
    from kybern.kube.cel.shapes import Shape

Object = dict[str, Any]
GROUP, VERSION, RESOURCE = "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies"
MANAGER = "validatingadmissionpolicy-status"


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
        if generation <= ((policy.get("status") or {}).get("observedGeneration") or 0):
            return False
        checked = self._check(policy, entry.revision)
        config = {
            "apiVersion": f"{GROUP}/{VERSION}", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "status": {"observedGeneration": generation, "typeChecking": checked},
        }  # fmt: skip
        served = self.server.table.find(GROUP, VERSION, RESOURCE)
        request = Request(
            self.server, APISERVER, "patch", served, "", name, subresource="status", field_manager=MANAGER
        )
        with allowing(404):
            await apply(request, orjson.dumps(config), force=True)
        return False

    def _check(self, policy: Object, mark: int) -> Object:
        from kybern.kube.cel import type_checks  # CEL is loaded when first needed

        kinds = {}
        for served in self._named(policy):
            shape = _shape(served)
            if shape is not None:
                kinds[served.info.gvk] = shape
        param, kind = None, (policy.get("spec") or {}).get("paramKind")
        if kind:
            found = self.server.table.of_kind(kind.get("apiVersion") or "", kind.get("kind") or "")
            param = None if found is None else _shape(found)
        warnings = type_checks.expression_warnings(policy, [*kinds.items()], param, mark)
        return {"expressionWarnings": warnings} if warnings else {}

    def _named(self, policy: Object) -> Iterator[Served]:
        """What the rules of a policy name, as far as it is served; none after a rule that names very many."""
        from kybern.kube.cel import type_checks

        table = self.server.table.served
        for resources in type_checks.resources_named(policy):
            found = 0
            for group, version, resource in resources:
                for at, served in table.items():
                    if at[1:] == (version, resource) and group in ("", at[0]):
                        found += 1
                        yield served
                        if found == type_checks.MOST_KINDS:
                            return


def _shape(served: Served) -> "Shape | None":
    from kybern.kube.cel import type_checks
    from kybern.kube.structural.declared import declare

    if served.custom is None:
        return type_checks.shape_of(served.info.gvk)
    declared = declare(served.custom.schema, True)
    return None if declared is None else type_checks.with_metadata(declared.shape)
