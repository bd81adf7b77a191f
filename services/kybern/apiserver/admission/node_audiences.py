"""Audiences of tokens that node agents ask for: one that a volume of the pod wants, or that the agent may ask for."""

from typing import Any

from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.kube.go_values import quoted
from kybern.kube.rbac import Attributes

Object = dict[str, Any]
VERB = "request-serviceaccounts-token-audience"


class NotThere(Exception):
    """What a volume refers to is not there; the message is Kubernetes'."""


def refused_audience(request: Request, spec: Object, pod: Object) -> str:
    """Why a node agent may not have a token for the pod with these audiences, "" if it may."""
    audiences = spec.get("audiences") or []
    if len(audiences) > 1:
        return "node may only request 0 or 1 audiences"
    audience = audiences[0] if audiences else ""
    missing: dict[str, None] = {}
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        try:
            if audience in _projected(volume) or audience in _of_driver(request, _driver(request, pod, volume)):
                return ""
        except NotThere as error:
            missing[str(error)] = None
    if missing:
        told = ", ".join(missing)
        return f"error validating audience {quoted(audience)}: {f'[{told}]' if len(missing) > 1 else told}"
    asked = Attributes(VERB, "", audience, "", request.namespace, request.name, version="v1")
    if audience and request.server.authorizer.may(request.user, asked):
        return ""
    who = f"{request.user.name} is not authorized to request tokens for this audience"
    return f"audience {quoted(audience)} not found in pod spec volume, {who}"


def _projected(volume: Object) -> list[str]:
    sources = (volume.get("projected") or {}).get("sources") or ()
    return [
        token.get("audience") or "" for source in sources if (token := source.get("serviceAccountToken")) is not None
    ]


def _driver(request: Request, pod: Object, volume: Object) -> str:
    """The CSI driver of a volume, "" if it has none. Raises NotThere."""
    if (volume.get("ephemeral") or {}).get("volumeClaimTemplate") is not None:
        claim = f"{pod['metadata']['name']}-{volume['name']}"
    elif volume.get("persistentVolumeClaim") is not None:
        claim = volume["persistentVolumeClaim"].get("claimName") or ""
    else:
        return (volume.get("csi") or {}).get("driver") or ""
    bound = _find(request, "", "persistentvolumeclaims", claim, "persistentvolumeclaim", request.namespace)
    name = (bound.decode().get("spec") or {}).get("volumeName") or ""
    found = _find(request, "", "persistentvolumes", name, "persistentvolume")
    return ((found.decode().get("spec") or {}).get("csi") or {}).get("driver") or ""


def _of_driver(request: Request, driver: str) -> list[str]:
    """The audiences that a CSI driver wants tokens for. Raises NotThere."""
    if not driver:
        return []
    found = _find(request, "storage.k8s.io", "csidrivers", driver, "csidriver.storage.k8s.io")
    return [one.get("audience") or "" for one in (found.decode().get("spec") or {}).get("tokenRequests") or ()]


def _find(request: Request, group: str, resource: str, name: str, kind: str, namespace: str = "") -> Entry:
    entry = request.server.table.cacher(group, resource).get(namespace, name)
    if entry is None:
        raise NotThere(f"{kind} {quoted(name)} not found")
    return entry
