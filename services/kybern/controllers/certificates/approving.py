"""csrapproving: a node agent's request for its own client certificate is granted, if RBAC lets it have one."""

from kybern.client.resources import CERTIFICATE_SIGNING_REQUESTS, SUBJECT_ACCESS_REVIEWS
from kybern.controllers.certificates.core.request import Wanted, is_approved, key, read, signer
from kybern.controllers.certificates.core.signers import KUBELET_CLIENT, check_kubelet_client, is_own
from kybern.controllers.context import Context
from kybern.kube.conditions import is_condition_true, set_condition
from kybern.kube.meta import Object
from kybern.kube.status import allowing

NAME = "certificatesigningrequest-approving-controller"
OWN, OTHER = "selfnodeclient", "nodeclient"
MESSAGES = {
    OWN: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    OTHER: "Auto approving kubelet client certificate after SubjectAccessReview.",
}


class Approver:
    """One key is one request."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._requests = context.informer(CERTIFICATE_SIGNING_REQUESTS)
        self._loop = context.controller(NAME, CERTIFICATE_SIGNING_REQUESTS, self.reconcile)

    async def run(self) -> None:
        await self._context.synced(CERTIFICATE_SIGNING_REQUESTS)
        await self._loop.run()

    async def reconcile(self, name: str) -> None:
        request = self._requests.get(name)
        if request is None or signer(request) != KUBELET_CLIENT or (request.get("status") or {}).get("certificate"):
            return
        if is_approved(request) or is_condition_true(request, "Denied"):
            return
        try:
            wanted = read(request)
        except ValueError as error:
            self._context.telemetry.log.info("%s: %s: unreadable request: %s", NAME, key(request), error)
            return
        if check_kubelet_client(wanted):
            return
        for permission in self._permissions(request, wanted):
            if await self._may(request, permission):
                await self._approve(request, MESSAGES[permission])
                return

    def _permissions(self, request: Object, wanted: Wanted) -> list[str]:
        return [OWN, OTHER] if is_own(wanted, request["spec"].get("username") or "") else [OTHER]

    async def _may(self, request: Object, subresource: str) -> bool:
        spec = request["spec"]
        attributes = {
            "group": "certificates.k8s.io",
            "resource": "certificatesigningrequests",
            "verb": "create",
            "subresource": subresource,
            "version": "*",
        }
        who = {"user": spec.get("username"), "groups": spec.get("groups") or [], "resourceAttributes": attributes}
        extra = {member: spec[member] for member in ("uid", "extra") if spec.get(member)}
        review = await self._context.client.create(SUBJECT_ACCESS_REVIEWS, {"spec": {**who, **extra}})
        return bool((review.get("status") or {}).get("allowed"))

    async def _approve(self, request: Object, message: str) -> None:
        conditions = [*((request.get("status") or {}).get("conditions") or ())]
        now = self._context.clock.now()
        set_condition(conditions, "Approved", "True", now=now, reason="AutoApproved", message=message)
        approved = {**request, "status": {**(request.get("status") or {}), "conditions": conditions}}
        with allowing(404):
            await self._context.client.update(CERTIFICATE_SIGNING_REQUESTS, approved, subresource="approval")
