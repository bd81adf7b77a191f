"""When a request has been around for long enough: an hour once it is decided, a day while it is not."""

from base64 import b64decode
from datetime import datetime, timedelta

from kybern.controllers.certificates.core.sign import expires
from kybern.kube import meta
from kybern.kube.conditions import get_condition
from kybern.kube.meta import Object

DECIDED, PENDING = timedelta(hours=1), timedelta(hours=24)


def is_outdated(request: Object, now: datetime) -> bool:
    """Whether the cleaner takes it away."""
    certificate = (request.get("status") or {}).get("certificate")
    if certificate:
        end = expires(b64decode(certificate))
        if end is not None and end < now:
            return True
    for condition, required in (("Approved", bool(certificate)), ("Denied", True), ("Failed", True)):
        found = get_condition(request, condition)
        if found is not None and required and _older(found.get("lastUpdateTime"), DECIDED, now):
            return True
    decided = any(get_condition(request, condition) for condition in ("Approved", "Denied"))
    created = meta.metadata(request).get("creationTimestamp")
    return not certificate and not decided and _older(created, PENDING, now)


def _older(time: str | None, age: timedelta, now: datetime) -> bool:
    at = meta.parse_time(time)
    return at is not None and now - at > age
