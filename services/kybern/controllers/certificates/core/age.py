"""When a request has been around for long enough: an hour once it is decided, a day while it is not."""

from base64 import b64decode
from datetime import datetime, timedelta

from kybern.controllers.certificates.core.sign import expires
from kybern.kube import meta
from kybern.kube.meta import Object

DECIDED, PENDING = timedelta(hours=1), timedelta(hours=24)


def is_outdated(request: Object, now: datetime) -> bool:
    """Whether the cleaner takes it away."""
    certificate = (request.get("status") or {}).get("certificate")
    if certificate:
        end = expires(b64decode(certificate))
        if end is not None and end < now:
            return True
    limits = {"Approved": DECIDED if certificate else PENDING, "Denied": DECIDED, "Failed": DECIDED}
    conditions = (request.get("status") or {}).get("conditions") or ()
    for condition in conditions:
        limit = limits.get(condition.get("type") or "")
        if limit is not None and _older(condition.get("lastUpdateTime"), limit, now):
            return True
    return not conditions and _older(meta.metadata(request).get("creationTimestamp"), PENDING, now)


def _older(time: str | None, age: timedelta, now: datetime) -> bool:
    at = meta.parse_time(time)
    return at is not None and now - at > age
