"""Request: one call on its way through the layers, with what each of them may need."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kybern.apiserver.core.audit.event import Audited
from kybern.apiserver.core.user import User
from kybern.apiserver.registry.reinvocation import Reinvocation
from kybern.apiserver.registry.resource_table import Served
from kybern.kube import field_selectors, meta
from kybern.kube.managed_fields import wrong_name
from kybern.kube.rbac import Attributes
from kybern.kube.selectors import SelectorError
from kybern.kube.status import invalid
from kybern.protos.api.v1.objects_pb2 import Resource, WriteOptions
from kybern.store.contract import Write

if TYPE_CHECKING:
    from kybern.apiserver.registry.delete import DeleteOptions
    from kybern.apiserver.server import ApiServer

Object = dict[str, Any]
UNKNOWN = "unknown"  # the program of whoever does not name it


@dataclass
class Request:
    """`verb` is authorization's: get, list, watch, create, update, patch, delete, deletecollection."""

    server: "ApiServer"
    user: User
    verb: str
    served: Served
    namespace: str
    name: str = ""
    subresource: str = ""
    traceparent: str = ""
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    warnings: list[str] = field(default_factory=list)
    user_agent: str = ""
    audit: Audited | None = None  # what the audit log keeps of it, if anything
    audit_annotations: dict[str, str] = field(default_factory=dict)
    reinvocation: Reinvocation = field(default_factory=Reinvocation)
    unasked: bool = False  # of the server's own start: no webhook and no policy of the cluster's stands in its way
    sent_version: str = ""  # the resourceVersion in a new object's body
    sent_metadata: Object | None = None  # of a PUT, as it came
    unsent: tuple[str, ...] = ()  # what the server knows of an object's metadata and a PUT does not say
    has_empty: bool = False  # the body has empty lists that are none when stored, but whose sender manages them
    name_generated: bool = False  # from generateName, before admission
    validating: bool = False  # mutating admission is over
    applying: bool = False  # server-side: what is known of managers is the point of it
    of_collection: bool = False  # a deletion of many: admission is told of each, but no name
    deletion: "DeleteOptions | None" = None
    on_settled: list[Callable[[], None]] = field(default_factory=list)
    strict_errors: tuple[str, ...] = ()  # of the body as it came in
    stamped: str = ""
    deadline: float | None = None  # in loop.time(), if the request has one
    along: tuple[Write, ...] = ()  # what is written in the same transaction, beyond the strategy's claims

    @property
    def now(self) -> datetime:
        return self.server.clock.now()

    @property
    def timestamp(self) -> str:
        """When it was first asked for, as metadata has it."""
        if not self.stamped:
            self.stamped = meta.format_time(self.now)
        return self.stamped

    @property
    def group(self) -> str:
        return self.served.info.group

    @property
    def resource(self) -> str:
        return self.served.info.resource

    @property
    def key(self) -> str:
        """How logs and spans name the object."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def attributes(self, verb: str = "", subresource: str = "") -> Attributes:
        """What authorization judges."""
        return attributes(self.served, verb or self.verb, subresource or self.subresource, self.namespace, self.name)

    def check(self, verb: str, subresource: str = "") -> None:
        """Authorize something beyond the request itself. Raises StatusError (403)."""
        self.server.authorizer.check(self.user, self.attributes(verb, subresource))

    def settle(self) -> None:
        """The write has been made, or never will be: tell who waits to know."""
        while self.on_settled:
            self.on_settled.pop()()

    def take(self, options: WriteOptions) -> None:
        """The options of a write. Raises StatusError (422)."""
        self.field_manager = options.field_manager
        errors = wrong_name(self.field_manager)
        if errors:
            raise invalid("meta.k8s.io", f"{self.verb.capitalize()}Options", "", errors)
        self.dry_run = options.dry_run
        self.field_validation = options.field_validation
        if options.strict_errors:
            self.strict_errors = tuple(options.strict_errors)


def attributes(served: Served, verb: str, subresource: str, namespace: str, name: str) -> Attributes:
    """Attributes of a resource request; a namespace lies in itself, as upstream has it."""
    info = served.info
    if info.resource == "namespaces" and not info.group:
        namespace = name
    return Attributes(verb, info.group, info.resource, subresource, namespace, name, version=info.version)


@lru_cache(maxsize=1024)
def nameless(served: Served, verb: str, subresource: str, namespace: str) -> Attributes:
    """The same of a request that names no object."""
    return attributes(served, verb, subresource, namespace, "")


def pinned_name(field_selector: str) -> str:
    """The name that a list or watch is limited to: authorization judges it as a request for that object."""
    if "metadata.name" not in field_selector:
        return ""
    try:
        return field_selectors.parse(field_selector).exact("metadata.name") or ""
    except SelectorError:
        return ""


def namespace_of(served: Served, resource: Resource) -> str:
    """The namespace a call is about: none for cluster-scoped resources."""
    return resource.namespace if served.info.namespaced else ""
