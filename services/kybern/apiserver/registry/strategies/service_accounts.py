"""ServiceAccounts: the token subresource issues a JWT bound to a pod, secret or node."""

from datetime import timedelta

import orjson

from kybern.apiserver.authentication.service_account import Binding
from kybern.apiserver.registry.decode import decode
from kybern.apiserver.registry.field_managers import track_body
from kybern.apiserver.registry.metadata import check_key, new_uid, ordered, place
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube import meta
from kybern.kube.field import FieldError
from kybern.kube.field import invalid as field_invalid
from kybern.kube.managed_fields import gvk_text
from kybern.kube.status import bad_request, conflict, invalid, not_found, service_unavailable

GVK = ("authentication.k8s.io", "v1", "TokenRequest")
SHORTEST, LONGEST, DEFAULT = 600, 1 << 32, 3600
MOUNTED, YEAR = 3607, 365 * 24 * 3600  # seconds that admission asks for tokens in pods, and that those are good for
MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"
KINDS = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


async def create_token(request: Request, data: bytes) -> bytes:
    """POST of a TokenRequest; answers with its status filled in."""
    wanted = decode(request, data, GVK)
    wanted.pop("status", None)
    spec = wanted.setdefault("spec", {})
    seconds = spec.setdefault("expirationSeconds", DEFAULT)
    spec.setdefault("boundObjectRef", None)
    place(request, wanted)
    if request.audit is not None:
        unset = {"status": {"token": "", "expirationTimestamp": None}}
        request.audit.saw({**wanted, "spec": {"audiences": None, **spec}, **unset})
    track_body(request, wanted, GVK)
    await request.server.admission.mutate(request, "CREATE", wanted, None)
    spec = wanted.setdefault("spec", {})
    seconds = spec.setdefault("expirationSeconds", DEFAULT)
    spec.setdefault("boundObjectRef", None)
    tokens = request.server.authenticator.service_accounts
    if tokens is None:
        raise service_unavailable("this server has no key to sign service account tokens with")
    _place(request, wanted)
    account = request.served.storage.get(request.namespace, request.name)
    if account is None:
        raise not_found("", "serviceaccounts", request.name)
    uid = wanted["metadata"].setdefault("uid", account.uid)
    if uid != account.uid:
        why = f"the UID in the token request ({uid}) does not match the UID of the service account ({account.uid})"
        raise conflict(GVK[0], GVK[2], request.name, why)
    _check(seconds)
    await request.server.admission.validate(request, "CREATE", wanted, None)
    spec["audiences"] = spec.get("audiences") or list(tokens.audiences)
    now = request.now
    bindings = _bindings(request, spec.get("boundObjectRef"))
    token_id = new_uid(request.server.random)
    longest = tokens.issuing.longest
    if longest and seconds > longest:
        request.warnings.append(f"requested expiration of {seconds} seconds shortened to {longest} seconds")
        seconds = spec["expirationSeconds"] = longest
    mounted = seconds == MOUNTED and any(bound.kind == "Pod" for bound in bindings)
    extended = tokens.issuing.extends and mounted and set(spec["audiences"]) <= set(tokens.audiences)
    lives, warn_after = (YEAR, seconds) if extended else (seconds, 0)
    token = tokens.issue(
        request.namespace, request.name, account.uid, spec["audiences"], now, lives, token_id, bindings, warn_after
    )
    request.audit_annotations["authentication.kubernetes.io/issued-credential-id"] = f"JTI={token_id}"
    expires = meta.format_time(now + timedelta(seconds=seconds))
    wanted["metadata"] = ordered({**wanted["metadata"], "creationTimestamp": meta.format_time(now)})
    wanted["status"] = {"token": token, "expirationTimestamp": expires}
    return orjson.dumps(wanted)


def _place(request: Request, wanted: Object) -> None:
    """The account's name, which the body may say too. Raises StatusError (422)."""
    metadata = wanted["metadata"]
    given = metadata.get("name") or request.name
    if given != request.name:
        detail = "must match the service account name if specified"
        raise invalid(GVK[0], GVK[2], request.name, [field_invalid("metadata.name", given, detail)])
    metadata["name"] = request.name


def _check(seconds: int) -> None:
    errors: list[FieldError] = []
    path = "spec.expirationSeconds"
    if seconds < SHORTEST:
        errors.append(field_invalid(path, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > LONGEST:
        errors.append(field_invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"))
    if errors:
        raise invalid("authentication.k8s.io", "TokenRequest", "", errors)


def _bindings(request: Request, ref: Object | None) -> list[Binding]:
    """What the token's life is tied to; a pod on a node names the node too."""
    if ref is None:
        return []
    kind, name = ref.get("kind") or "", ref.get("name") or ""
    resource = KINDS.get(kind)
    if resource is None or "/" in (ref.get("apiVersion") or ""):
        raise bad_request(f"cannot bind token to object of type {gvk_text(ref)}")
    check_key(name)
    find = request.server.table.cacher
    entry = find("", resource).get("" if kind == "Node" else request.namespace, name)
    if entry is None:
        raise not_found("", resource, name)
    if ref.get("uid") and ref["uid"] != entry.uid:
        why = (
            f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict("", kind, name, why)
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


def warn(new: Object, old: Object | None) -> list[str]:
    """Of an annotation that is no longer recommended, when it comes."""
    if MOUNTABLE not in meta.annotations(new) or (old is not None and MOUNTABLE in meta.annotations(old)):
        return []
    advice = "prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{MOUNTABLE}]: deprecated in v1.32+; {advice}"]


SERVICE_ACCOUNTS = Strategy(
    warn=warn,
    prepare_create=(names_alone,),
    prepare_update=(names_alone_again,),
    creates={"token": create_token},
    returns_deleted=True,
)
