"""CertificateSigningRequests: the requester is recorded; approval and status are changed by their subresources."""

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube import meta


def prepare_create(request: Request, csr: Object) -> None:
    """Who asks is the caller, whatever the body says."""
    spec = csr.setdefault("spec", {})
    user = request.user
    spec["username"], spec["groups"] = user.name, list(user.groups)
    for member, value in (("uid", user.uid), ("extra", {name: list(values) for name, values in user.extra.items()})):
        if value:
            spec[member] = value
        else:
            spec.pop(member, None)


def prepare_update(request: Request, new: Object, old: Object) -> None:
    """The request itself is immutable."""
    new["spec"] = old.get("spec") or {}


def approval(request: Request, new: Object, old: Object) -> None:
    """Only the conditions may change; new ones get their times."""
    wanted = (new.get("status") or {}).get("conditions") or []
    status = {**(old.get("status") or {}), "conditions": _timed(request, wanted)}
    if not wanted:
        del status["conditions"]
    new["spec"], new["status"] = old.get("spec") or {}, status


def status_update(request: Request, new: Object, old: Object) -> None:
    """The signer writes the certificate and conditions of its own; validation sees to it that it decides nothing."""
    status = dict(new.get("status") or {})
    if status.get("conditions"):
        status["conditions"] = _timed(request, _decided(status["conditions"], old))
    new["status"] = status


def _decided(conditions: list[Object], old: Object) -> list[Object]:
    """The first of each decision as it was made."""
    made = {c.get("type"): c for c in (old.get("status") or {}).get("conditions") or ()}
    left = {kind for kind in made if kind in ("Approved", "Denied")}
    found = []
    for condition in conditions:
        kind = condition.get("type")
        found.append(made[kind] if kind in left else condition)
        left.discard(kind)
    return found


def _timed(request: Request, conditions: list[Object]) -> list[Object]:
    now = meta.format_time(request.now)
    return [{**c, "lastUpdateTime": c.get("lastUpdateTime") or now,
             "lastTransitionTime": c.get("lastTransitionTime") or now} for c in conditions]  # fmt: skip


CERTIFICATE_SIGNING_REQUESTS = Strategy(
    prepare_create=(prepare_create,),
    prepare_update=(prepare_update,),
    status_update=(status_update,),
    updates={"approval": approval},
)
