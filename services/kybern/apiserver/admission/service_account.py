"""ServiceAccount: every pod runs as a service account and finds its token, the CA and its namespace in a volume."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.core.pod_references import MIRROR, SECRETS, all_references
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.kube import names
from kybern.kube.status import forbidden

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ENFORCE = "kubernetes.io/enforce-mountable-secrets"
TRUE = ("1", "t", "true")
DEFAULT = "default"
ATTEMPTS, INTERVAL = 10, (0.1, 0.2)  # times that the default account is looked for, seconds between them
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
        name = spec.get("serviceAccountName") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        entry = await _account(request, name)
        if entry is None:
            why = f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden("", "pods", request.name, why)
        account = entry.decode()
        if account["metadata"].get("annotations", {}).get(ENFORCE, "").lower() in TRUE:
            _check_secrets(request, spec, name, account)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]
        if _wants_token(spec, account):
            _mount_token(request, spec)


async def _account(request: Request, name: str) -> Entry | None:
    """The account; a new namespace is given its default one within a moment, which is waited for."""
    find = partial(request.server.table.cacher("", "serviceaccounts").get, request.namespace, name)
    entry = find()
    if entry is None and name == DEFAULT:
        interval = request.server.random.uniform(*INTERVAL)
        for _ in range(ATTEMPTS - 1):
            await asyncio.sleep(interval)
            entry = find()
            if entry is not None:
                break
    return entry


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


def _check_secrets(request: Request, spec: Object, name: str, account: Object) -> None:
    """An account that says so limits its pods to the secrets that it names. Raises StatusError (403)."""
    known = {one.get("name") for one in account.get("secrets") or ()}
    for what, secret in _mounted(spec):
        if secret and secret not in known:
            why = f'secret.secretName="{secret}" is not allowed because service account {name} does not reference that'
            raise forbidden("", "pods", request.name, f"{what} {why} secret")
    pulling = {one.get("name") for one in account.get("imagePullSecrets") or ()}
    for index, one in enumerate(spec.get("imagePullSecrets") or ()):
        if one.get("name") not in pulling:
            what = f'imagePullSecrets[{index}].name="{one.get("name")}"'
            why = f"is not allowed because service account {name} does not reference that imagePullSecret"
            raise forbidden("", "pods", request.name, f"{what} {why}")


def _mounted(spec: Object) -> Iterator[tuple[str, str]]:
    """How a pod uses each of its secrets, and their names."""
    for volume in spec.get("volumes") or ():
        yield "volume with", (volume.get("secret") or {}).get("secretName") or ""
    for group, kind in (("initContainers", "init container"), ("containers", "container")):
        for container in spec.get(group) or ():
            what = f"{kind} {container.get('name', '')} with"
            for variable in container.get("env") or ():
                secret = ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name") or ""
                yield f"{what} envVar {variable.get('name', '')} referencing", secret
            for source in container.get("envFrom") or ():
                yield f"{what} envFrom referencing", (source.get("secretRef") or {}).get("name") or ""


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
