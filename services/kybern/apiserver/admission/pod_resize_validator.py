"""PodResizeValidator: a running pod is not made larger than its node."""

from kybern.apiserver.admission.plugin import UPDATE, Object, Plugin
from kybern.apiserver.registry.request import Request
from kybern.kube.quantity import ZERO
from kybern.kube.quota.amounts import read
from kybern.kube.quota.pods import pod_amounts
from kybern.kube.status import StatusError, forbidden

OS = "kubernetes.io/os"


class PodResizeValidator(Plugin):
    """Requests above what the node has in all; whether there is room beside other pods is for the node to say."""

    name = "PodResizeValidator"
    concerns = frozenset({("", "pods")})

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if operation != UPDATE or request.subresource != "resize":
            return
        if new is None or old is None or new.get("spec") == old.get("spec"):
            return
        name = new["spec"].get("nodeName")
        if not name:
            return
        entry = request.server.table.cacher("", "nodes").get("", name)
        if entry is None:
            raise forbidden("", "pods", request.name, f'node "{name}" not found')
        system = entry.labels.get(OS, "linux")
        if system != "linux":
            why = f'pod resize is only supported on linux nodes, node "{name}" is "{system}"'
            raise _refused(request, why, "UnsupportedPlatform")
        lacking = _lacking(new, entry.decode())
        if lacking:
            why = f"node didn't have enough allocatable resources: {'; '.join(lacking)}"
            raise _refused(request, why, "NodeCapacity")


def _lacking(pod: Object, node: Object) -> list[str]:
    wanted = pod_amounts(pod, "requests", of_spec_alone=True)
    has = read((node.get("status") or {}).get("allocatable"))
    found = []
    for name, in_messages in (("cpu", "milli_value"), ("memory", "value")):
        requested, allocatable = wanted.get(name, ZERO), has.get(name, ZERO)
        if requested > allocatable:
            numbers = (getattr(amount, in_messages)() for amount in (requested, allocatable))
            found.append("{}, requested: {}, allocatable: {}".format(name, *numbers))
    return found


def _refused(request: Request, why: str, reason: str) -> StatusError:
    error = forbidden("", "pods", request.name, why)
    error.status["details"]["causes"] = [{"reason": reason}]
    return error
