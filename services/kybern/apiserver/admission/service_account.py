"""ServiceAccount: every pod runs as a service account and finds its token, the CA and its namespace in a volume."""

from typing import Any

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.core.pod_references import MIRROR, SECRETS, all_references
from kybern.apiserver.registry.request import Request
from kybern.kube import names
from kybern.kube.status import forbidden

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
EXPIRATION = 3607  # seconds, upstream's default for the projected token


class ServiceAccount(Plugin):
    """See the module's docstring."""

    name = "ServiceAccount"
    concerns = frozenset({("", "pods")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE or request.subresource:
            return
        spec = new.get("spec")
        if not isinstance(spec, dict):
            return
        if MIRROR in (new["metadata"].get("annotations") or {}):
            _check_mirror(request, new)
            return
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        entry = request.server.table.cacher("", "serviceaccounts").get(request.namespace, name)
        if entry is None:
            why = f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden("", "pods", request.name, why)
        account = entry.decode()
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]
        if _wants_token(spec, account):
            _mount_token(request, spec)


def _check_mirror(request: Request, pod: Object) -> None:
    """What shows a static pod has no account, and leads to no secret."""
    why, spec = "", pod["spec"]
    if spec.get("serviceAccountName"):
        why = "a mirror pod may not reference service accounts"
    elif any(resource == SECRETS for resource, _, _ in all_references(pod)):
        why = "a mirror pod may not reference secrets"
    else:
        projected = [(volume.get("projected") or {}).get("sources") or () for volume in spec.get("volumes") or ()]
        if any(source.get("serviceAccountToken") for sources in projected for source in sources):
            why = "a mirror pod may not use ServiceAccountToken volume projections"
    if why:
        raise forbidden("", "pods", request.name, why)


def _wants_token(spec: Object, account: Object) -> bool:
    for holder in (spec, account):
        if holder.get("automountServiceAccountToken") is not None:
            return bool(holder["automountServiceAccountToken"])
    return True


def _mount_token(request: Request, spec: Object) -> None:
    """Add the volume once, and a mount to every container that has none at that path."""
    containers = [c for group in ("initContainers", "containers") for c in spec.get(group) or () if isinstance(c, dict)]
    volumes = spec.get("volumes") or []
    existing = next((v["name"] for v in volumes if str(v.get("name", "")).startswith("kube-api-access-")), "")
    lacking = [c for c in containers if all(m.get("mountPath") != MOUNT for m in c.get("volumeMounts") or ())]
    if not lacking:
        return
    name = existing or f"kube-api-access-{names.random_suffix(request.server.random)}"
    for container in lacking:
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
    if not existing:
        spec["volumes"] = [*volumes, token_volume(name)]


def token_volume(name: str) -> dict[str, Any]:
    """The projected volume, as upstream lays it out."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": EXPIRATION, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
            "defaultMode": 420,
        },
    }
