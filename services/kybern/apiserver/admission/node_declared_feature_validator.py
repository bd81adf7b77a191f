"""NodeDeclaredFeatureValidator: a bound pod is not changed in a way that its node does not say it can follow."""

from kybern.apiserver.admission.plugin import UPDATE, Object, Plugin
from kybern.apiserver.registry.request import Request
from kybern.kube.status import forbidden

POD_LEVEL = "InPlacePodLevelResourcesVerticalScaling"
INIT_CONTAINERS = "InPlacePodVerticalScalingInitContainers"


class NodeDeclaredFeatureValidator(Plugin):
    """What a change takes is compared with the node's `status.declaredFeatures`."""

    name = "NodeDeclaredFeatureValidator"
    concerns = frozenset({("", "pods")})

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if operation != UPDATE or request.subresource not in ("", "resize") or new is None or old is None:
            return
        node, needed = new["spec"].get("nodeName"), required(old["spec"], new["spec"])
        if not node or not needed:
            return
        entry = request.server.table.cacher("", "nodes").get("", node)
        if entry is None:
            raise forbidden("", "pods", request.name, f'node "{node}" not found')
        declared = (entry.decode().get("status") or {}).get("declaredFeatures") or ()
        if lacking := [feature for feature in needed if feature not in declared]:
            features = ", ".join(lacking)
            why = f'pod update requires features {features} which are not available on node "{node}"'
            raise forbidden("", "pods", request.name, why)


def required(old: Object, new: Object) -> list[str]:
    """The features that a change of a pod's spec takes, by name."""
    found = []
    if old.get("resources") != new.get("resources"):
        found.append(POD_LEVEL)
    before, after = old.get("initContainers") or (), new.get("initContainers") or ()
    for was, now in zip(before, after, strict=False):
        if was.get("restartPolicy") != "Always" and (was.get("resources") or {}) != (now.get("resources") or {}):
            found.append(INIT_CONTAINERS)
            break
    return found
