"""ComponentStatus: the old view of the control plane's health; every service has health checks of its own."""

from typing import Any

from kybern.kube.status import not_found

NAMES = ("controller-manager", "etcd-0", "scheduler")


def get(server: object, name: str) -> dict[str, Any]:
    """One component. Raises StatusError (404)."""
    if name not in NAMES:
        raise not_found("", "componentstatuses", name)
    return {
        "kind": "ComponentStatus",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "conditions": [{"type": "Healthy", "status": "True", "message": "ok"}],
    }
