"""Event: one object behind two APIs; events.k8s.io asks for more, and lets nothing but the series change later."""

from typing import Any

from kybern.kube.field import FieldError, Struct, invalid, required
from kybern.kube.validation.fields import Errors, Object, child, immutable, text
from kybern.kube.validation.names import qualified_name

_LONGEST, _LONGEST_NOTE = 128, 1024
_EVERYWHERE = ("default", "kube-system")  # where events of what lies in no namespace are kept
_BEFORE = ("", "default")  # those without an eventTime
_REFERENCE = {"Kind": "kind", "Namespace": "namespace", "Name": "name", "UID": "uid", "APIVersion": "apiVersion",
              "ResourceVersion": "resourceVersion", "FieldPath": "fieldPath"}  # fmt: skip
_FIXED = ("involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "reason", "type",
          "eventTime", "action", "related", "reportingComponent", "reportingInstance")  # fmt: skip
_DEPRECATED = ("firstTimestamp", "lastTimestamp", "count", "source")


def validate_core_event(obj: Object) -> Errors:
    """As it is written through the core API."""
    yield from _event(obj, "reportingComponent")


def validate_event(obj: Object) -> Errors:
    """As it is written through events.k8s.io for the first time."""
    yield from _event(obj, "reportingController")
    yield from _series(obj.get("series"))
    if not obj.get("eventTime"):
        yield required("eventTime")
    kind = obj.get("type") or ""
    if kind not in ("Normal", "Warning"):
        yield invalid("type", "", f"has invalid value: {kind}")
    for name in _DEPRECATED:
        if obj.get(name):
            yield invalid(name, "", "needs to be unset")


def validate_event_update(obj: Object, old: Object) -> Errors:
    """Through events.k8s.io only the series may go on."""
    yield from _event(obj, "reportingController")
    yield from _series(obj.get("series"))
    for name in _FIXED:
        path = "reportingController" if name == "reportingComponent" else name
        yield from immutable(_shown(name, obj.get(name)), _shown(name, old.get(name)), path)


def _event(obj: Object, controller: str) -> Errors:
    namespace = child(obj, "metadata").get("namespace") or ""
    involved = child(obj, "involvedObject").get("namespace") or ""
    if not involved:
        if namespace not in (_EVERYWHERE if obj.get("eventTime") else _BEFORE):
            yield _elsewhere(involved)
    elif not obj.get("eventTime") and namespace != involved:
        yield _elsewhere(involved)
    if not obj.get("eventTime"):
        return
    reporter = obj.get("reportingComponent") or ""
    if not reporter:
        yield required(controller)
    yield from text(reporter, controller, qualified_name)
    for name in ("reportingInstance", "action", "reason"):
        value = obj.get(name) or ""
        if not value:
            yield required(name)
        if len(value.encode()) > _LONGEST:
            yield invalid(name, "", f"can have at most {_LONGEST} characters")
    if len((obj.get("message") or "").encode()) > _LONGEST_NOTE:
        yield invalid("message", "", f"can have at most {_LONGEST_NOTE} characters")


def _elsewhere(namespace: str) -> FieldError:
    return invalid("involvedObject.namespace", namespace, "does not match event.namespace")


def _series(series: Object | None) -> Errors:
    if series is None:
        return
    if (series.get("count") or 0) < 2:
        yield invalid("series.count", "", "should be at least 2")
    if not series.get("lastObservedTime"):
        yield required("series.lastObservedTime")


def _shown(name: str, value: Any) -> Any:
    """A value as upstream's internal type prints it."""
    if name == "source":
        return Struct({member: (value or {}).get(member.lower()) or "" for member in ("Component", "Host")})
    if name == "involvedObject" or (name == "related" and value is not None):
        return Struct({member: (value or {}).get(field) or "" for member, field in _REFERENCE.items()})
    return value if value is not None or name in ("related", "eventTime", *_DEPRECATED) else ""
