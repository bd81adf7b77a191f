"""audit.k8s.io/v1 Event: one stage of one request, as a line of JSON."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from kybern.apiserver.core.audit.policy import API_VERSION, LEVELS, Recorded
from kybern.apiserver.core.user import User, user_info
from kybern.kube.rbac import Attributes

Object = dict[str, Any]

_IN_QUERY = ("gracePeriodSeconds", "propagationPolicy", "orphanDependents", "dryRun", "ignoreStoreReadErrorWith")


@dataclass(slots=True)
class Audited:
    """A request on its way through the log. `request` and `response` are JSON as it came and went."""

    recorded: Recorded
    audit_id: str
    uri: str
    user: User
    asked: Attributes
    api_version: str
    received: datetime
    impersonated: User | None = None
    source_ips: tuple[str, ...] = ()
    user_agent: str = ""
    request: bytes = b""
    started: bool = False  # ResponseStarted has been written
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] = field(default_factory=dict)
    constraint: str = ""  # under which impersonation was granted
    nobody: bool = False  # who calls could not be told: nothing but the refusal is recorded

    def saw(self, obj: Object) -> None:
        """The body of a write, decoded: what is to be recorded of it, and what it says of the object's identity."""
        found = obj.get("metadata") or {}
        asked = self.asked
        self.asked = replace(
            asked, name=asked.name or found.get("name") or "", namespace=asked.namespace or found.get("namespace") or ""
        )
        self.uid = self.uid or found.get("uid") or ""
        self.resource_version = self.resource_version or found.get("resourceVersion") or ""
        self.sent(obj)

    def sent(self, document: Any) -> None:
        """What a client has sent, once it may."""
        if self.recorded.with_request:
            self.request = document if isinstance(document, bytes) else orjson.dumps(document)

    def sent_options(self, data: bytes) -> None:
        """The body of a deletion; options in the query are in the URI already."""
        query = self.uri.partition("?")[2]
        if data and not any(f"{name}=" in query for name in _IN_QUERY):
            try:
                self.sent({**orjson.loads(data), "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/__internal"})
            except (orjson.JSONDecodeError, TypeError):
                return


def event(audited: Audited, stage: str, now: datetime, status: Object | None, response: bytes = b"") -> bytes:
    """The line of one stage, without its line break. What is not known is left out."""
    asked, recorded = audited.asked, audited.recorded
    said: Object = {
        "kind": "Event",
        "apiVersion": API_VERSION,
        "level": LEVELS[recorded.level],
        "auditID": audited.audit_id,
        "stage": stage,
        "requestURI": audited.uri,
        "verb": asked.verb,
        "user": {} if audited.nobody else user_info(audited.user),
    }
    if audited.impersonated is not None and stage != "RequestReceived":
        said["impersonatedUser"] = user_info(audited.impersonated)
    if audited.constraint and stage != "RequestReceived":
        said["authenticationMetadata"] = {"impersonationConstraint": audited.constraint}
    if audited.source_ips:
        said["sourceIPs"] = list(audited.source_ips)
    if audited.user_agent:
        said["userAgent"] = audited.user_agent
    if asked.is_resource_request:
        said["objectRef"] = _reference(audited)
    if status is not None:
        said["responseStatus"] = status
    if recorded.with_request and audited.request:
        _embed(said, "requestObject", audited.request, recorded.omit_managed_fields)
    if recorded.with_response and response:
        _embed(said, "responseObject", response, recorded.omit_managed_fields)
    said["requestReceivedTimestamp"] = micro_time(audited.received)
    said["stageTimestamp"] = micro_time(now)
    if audited.annotations and stage != "RequestReceived":
        said["annotations"] = audited.annotations
    return orjson.dumps(said)


def _reference(audited: Audited) -> Object:
    asked = audited.asked
    members = {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name,
        "uid": audited.uid,
        "apiGroup": asked.group,
        "apiVersion": audited.api_version,
        "resourceVersion": audited.resource_version,
        "subresource": asked.subresource,
    }
    return {name: value for name, value in members.items() if value}


def _embed(said: Object, member: str, data: bytes, omit_managed_fields: bool) -> None:
    """Add a document; what is no JSON is left out."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    if omit_managed_fields:
        _drop_managed_fields(document)
    said[member] = document


def _drop_managed_fields(document: Any) -> None:
    """From an object, or from the items of a list."""
    if not isinstance(document, dict):
        return
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    items = document.get("items")
    for item in items if isinstance(items, list) else ():
        _drop_managed_fields(item)


def micro_time(at: datetime) -> str:
    """RFC 3339 with microseconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
