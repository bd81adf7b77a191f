"""DefaultTolerationSeconds: a pod stays 300 seconds, or what flags say, on a node that is not ready or unreachable,
unless it says.

Updates are looked at too: one that replaces the tolerations gets these back.
"""

from kybern.apiserver.admission.plugin import CREATE, UPDATE, Object, Plugin
from kybern.apiserver.registry.request import Request

TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SECONDS = 300


class DefaultTolerationSeconds(Plugin):
    """See the module's docstring."""

    name = "DefaultTolerationSeconds"
    concerns = frozenset({("", "pods")})

    def __init__(self, seconds: tuple[int, int] = (SECONDS, SECONDS)) -> None:
        """`seconds`: on nodes that are not ready, and on those that are unreachable."""
        self._seconds = dict(zip(TAINTS, seconds, strict=True))

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation not in (CREATE, UPDATE) or request.subresource:
            return
        spec = new.get("spec") or {}
        have = spec.get("tolerations") or []
        missing = [taint for taint in TAINTS if not any(_tolerates(toleration, taint) for toleration in have)]
        if missing:
            added = [
                {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": self._seconds[taint]}
                for taint in missing
            ]
            spec["tolerations"] = [*have, *added]


def _tolerates(toleration: Object, taint: str) -> bool:
    return (toleration.get("key") or taint) == taint and (toleration.get("effect") or "NoExecute") == "NoExecute"
