"""Taints and tolerations as controllers need them."""

from collections.abc import Iterable

from kybern.kube.meta import Object
from kybern.kube.tolerations import covers

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "NoExecute"


def tolerating(tolerations: Iterable[Object], taint: Object) -> list[Object]:
    """The tolerations that cover a taint."""
    key, value, effect = taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
    return [toleration for toleration in tolerations if covers(toleration, key, value, effect)]
