"""Reviews: questions asked by POST and answered in status; nothing is stored."""

import orjson

from kybern.apiserver.authentication.service_account import TokenInvalid, TokenUnknown
from kybern.apiserver.core.user import User, user_info
from kybern.apiserver.registry import metadata
from kybern.apiserver.registry.decode import decode
from kybern.apiserver.registry.field_managers import track_create
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.reviewed import admit
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube import meta, selected
from kybern.kube.defaults import apply_defaults
from kybern.kube.rbac import Attributes
from kybern.kube.status import bad_request, invalid
from kybern.kube.validation.reviews import validate_access_review


async def _read(request: Request, data: bytes) -> Object:
    """The review that admission has let pass. Raises StatusError."""
    review = decode(request, data, request.served.info.gvk)
    apply_defaults(request.served.info, review)
    metadata.place(request, review)
    request.name = review["metadata"].get("name") or request.name
    for member in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        review["metadata"].pop(member, None)
    track_create(request, review)
    await admit(request, review)
    return review


def _check(request: Request, review: Object, *, subject: bool) -> None:
    """Raises StatusError (400, 422), which names no kind, as upstream's does not."""
    errors = list(validate_access_review(review, subject=subject, local=request.served.info.namespaced))
    if errors:
        raise invalid(request.group, "", "", errors)


def _asked(spec: Object) -> Attributes:
    """The attributes in a review's spec."""
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(path.get("verb") or "", path=path.get("path") or "")
    resource = spec.get("resourceAttributes") or {}
    return Attributes(
        resource.get("verb") or "",
        resource.get("group") or "",
        resource.get("resource") or "*",
        resource.get("subresource") or "",
        resource.get("namespace") or "",
        resource.get("name") or "",
        fields=selected.reviewed_fields(resource.get("fieldSelector"))[0],
        labels=selected.reviewed_labels(resource.get("labelSelector"))[0],
        version=resource.get("version") or "*",
    )


def _unread(spec: Object) -> list[str]:
    """What is said of selectors that could not be read."""
    resource = spec.get("resourceAttributes") or {}
    found = {
        "fieldSelector": selected.reviewed_fields(resource.get("fieldSelector")),
        "labelSelector": selected.reviewed_labels(resource.get("labelSelector")),
    }
    return [selected.ignored(name, kept) for name, (kept, whole) in found.items() if not whole]


def _answer(request: Request, review: Object, user: User, asked: Attributes) -> bytes:
    opinion = request.server.authorizer.opinion(user, asked)
    status: Object = {"allowed": opinion.allowed}
    if opinion.denied:
        status["denied"] = True
    if opinion.reason:
        status["reason"] = opinion.reason
    errors = [*([opinion.error] if opinion.error else []), *_unread(review.get("spec") or {})]
    if errors:
        status["evaluationError"] = "; ".join(errors)
    review["status"] = status
    return orjson.dumps(review)


async def self_access(request: Request, data: bytes) -> bytes:
    """May I?"""
    review = await _read(request, data)
    _check(request, review, subject=False)
    return _answer(request, review, request.user, _asked(review.get("spec") or {}))


async def access(request: Request, data: bytes) -> bytes:
    """May that user? LocalSubjectAccessReview: in this namespace."""
    review = await _read(request, data)
    _check(request, review, subject=True)
    spec = review.get("spec") or {}
    extra = {name: tuple(values or ()) for name, values in (spec.get("extra") or {}).items()}
    user = User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)
    return _answer(request, review, user, _asked(spec))


async def self_rules(request: Request, data: bytes) -> bytes:
    """What may I do in a namespace?"""
    review = await _read(request, data)
    namespace = (review.get("spec") or {}).get("namespace") or ""
    if not namespace:
        raise bad_request("no namespace on request")
    resources, others = [], []
    index = request.server.authorizer.index
    for rule in index.rules(request.user, namespace):
        if rule.get("nonResourceURLs"):
            others.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
        else:
            resources.append({m: rule[m] for m in ("verbs", "apiGroups", "resources", "resourceNames") if m in rule})
    errors = ["node authorizer does not support user rule resolution"] if request.user.node else []
    if request.server.settings.authorization.webhooks:
        errors.append("webhook authorizer does not support user rule resolution")
    incomplete = bool(errors)
    unresolved = request.server.authorizer.unresolved(request.user, namespace)
    if unresolved:
        errors.append(unresolved)
    status: Object = {"resourceRules": resources, "nonResourceRules": others, "incomplete": incomplete}
    if errors:
        status["evaluationError"] = ", ".join(errors)
    return orjson.dumps({**_bare(review), "spec": {}, "status": status})


def _bare(review: Object) -> Object:
    """The answer of those that answer anew."""
    return {"kind": review["kind"], "apiVersion": review["apiVersion"], "metadata": {}}


async def token(request: Request, data: bytes) -> bytes:
    """Whose token is this?"""
    review = await _read(request, data)
    spec = review.get("spec") or {}
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    authenticator, audiences = request.server.authenticator, tuple(spec.get("audiences") or ())
    words = f"Bearer {spec['token']}".strip().split(" ", 2)  # as it would come in a header
    try:
        if len(words) > 1 and words[1]:
            found = authenticator.verify(words[1], audiences)
        else:
            found = authenticator.nobody(audiences)
        status: Object = {"authenticated": True, "user": user_info(found.user)}
        if found.audiences:
            status["audiences"] = list(found.audiences)
    except TokenUnknown:
        status = {"user": {}, "error": "invalid bearer token"}
    except TokenInvalid as error:
        status = {"user": {}, "error": f"[invalid bearer token, {error}]"}
    review["status"] = status
    return orjson.dumps(review)


async def self_subject(request: Request, data: bytes) -> bytes:
    """Who am I?"""
    review = await _read(request, data)
    metadata = {"creationTimestamp": meta.format_time(request.now)}
    return orjson.dumps({**_bare(review), "metadata": metadata, "status": {"userInfo": user_info(request.user)}})


REVIEWS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): Strategy(creates={"": self_access}),
    ("authorization.k8s.io", "subjectaccessreviews"): Strategy(creates={"": access}),
    ("authorization.k8s.io", "localsubjectaccessreviews"): Strategy(creates={"": access}),
    ("authorization.k8s.io", "selfsubjectrulesreviews"): Strategy(creates={"": self_rules}),
    ("authentication.k8s.io", "tokenreviews"): Strategy(creates={"": token}),
    ("authentication.k8s.io", "selfsubjectreviews"): Strategy(creates={"": self_subject}),
}
