"""ServiceAccounts: the token subresource issues a JWT bound to a pod, secret or node."""

from datetime import timedelta

import orjson

from kybern.apiserver.authentication.service_account import Binding
from kybern.apiserver.registry.decode import decode
from kybern.apiserver.registry.metadata import new_uid
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube import meta
from kybern.kube.field import FieldError
from kybern.kube.field import invalid as field_invalid
from kybern.kube.status import bad_request, conflict, invalid, not_found, service_unavailable

GVK = ("authentication.k8s.io", "v1", "TokenRequest")
SHORTEST, LONGEST, DEFAULT = 600, 1 << 32, 3600
KINDS = {("v1", "Pod"): "pods", ("v1", "Secret"): "secrets", ("v1", "Node"): "nodes"}


async def create_token(request: Request, data: bytes) -> bytes:
    """POST of a TokenRequest; answers with its status filled in."""
    wanted = decode(request, data, GVK)
    await request.server.admission.mutate(request, "CREATE", wanted, None)
    tokens = request.server.authenticator.service_accounts
    if tokens is None:
        raise service_unavailable("this server has no key to sign service account tokens with")
    account = request.served.storage.get(request.namespace, request.name)
    if account is None:
        raise not_found("", "serviceaccounts", request.name)
    spec = wanted.setdefault("spec", {})
    seconds = spec.setdefault("expirationSeconds", DEFAULT)
    _check(wanted, seconds)
    await request.server.admission.validate(request, "CREATE", wanted, None)
    spec["audiences"] = spec.get("audiences") or list(tokens.audiences)
    now = request.now
    bindings = _bindings(request, spec.get("boundObjectRef") or {})
    token = tokens.issue(
        request.namespace, request.name, account.uid, spec["audiences"], now, seconds,
        new_uid(request.server.random), bindings,
    )  # fmt: skip
    expires = meta.format_time(now + timedelta(seconds=seconds))
    wanted["metadata"] |= {
        "name": request.name,
        "namespace": request.namespace,
        "creationTimestamp": meta.format_time(now),
    }
    wanted["status"] = {"token": token, "expirationTimestamp": expires}
    return orjson.dumps(wanted)


def _check(wanted: Object, seconds: int) -> None:
    errors: list[FieldError] = []
    path = "spec.expirationSeconds"
    if seconds < SHORTEST:
        errors.append(field_invalid(path, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > LONGEST:
        errors.append(field_invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"))
    if errors:
        raise invalid("authentication.k8s.io", "TokenRequest", wanted["metadata"].get("name", ""), errors)


def _bindings(request: Request, ref: Object) -> list[Binding]:
    """What the token's life is tied to; a pod on a node names the node too."""
    if not ref:
        return []
    kind, name = ref.get("kind") or "", ref.get("name") or ""
    resource = KINDS.get((ref.get("apiVersion") or "", kind))
    if resource is None:
        raise bad_request(f"cannot bind token to object of type {ref.get('apiVersion', '')}, Kind={kind}")
    find = request.server.table.cacher
    entry = find("", resource).get("" if kind == "Node" else request.namespace, name)
    if entry is None:
        raise not_found("", resource, name)
    if ref.get("uid") and ref["uid"] != entry.uid:
        why = (
            f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict("", resource, name, why)
    bindings = [Binding(kind, name, entry.uid)]
    if kind == "Pod":
        account = entry.field("spec.serviceAccountName")
        if account != request.name:
            raise bad_request(
                f'cannot bind token for serviceaccount "{request.name}" to pod running with different serviceaccount '
                "name."
            )
        node = find("", "nodes").get("", entry.field("spec.nodeName"))
        if node is not None:
            bindings.append(Binding("Node", node.name, node.uid))
    return bindings


def names_alone(request: Request, account: Object) -> None:
    """Of a Secret an account tells the name, whatever else is said."""
    if account.get("secrets"):
        named = ({"name": secret["name"]} if (secret or {}).get("name") else {} for secret in account["secrets"])
        account["secrets"] = list(named)


def names_alone_again(request: Request, new: Object, old: Object) -> None:
    """As on create."""
    names_alone(request, new)


SERVICE_ACCOUNTS = Strategy(
    prepare_create=(names_alone,),
    prepare_update=(names_alone_again,),
    creates={"token": create_token},
    returns_deleted=True,
)
