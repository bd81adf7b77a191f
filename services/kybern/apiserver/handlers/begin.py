"""What every verb starts with: find the resource, authenticate, authorize, see whether the verb is served."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kybern.apiserver.core import fields as field_labels
from kybern.apiserver.flowcontrol.width import WRITES, list_width, watched, watchers_of
from kybern.apiserver.registry.request import UNKNOWN, Request, attributes, nameless, namespace_of
from kybern.apiserver.registry.resource_table import Served, supports
from kybern.apiserver.server import ApiServer
from kybern.apiserver.storage.selection import Selection, renamed
from kybern.kube import field_selectors, selected, selectors
from kybern.kube.field_selectors import FieldSelector
from kybern.kube.rbac import Attributes
from kybern.kube.selected import forgiving
from kybern.kube.selectors import Selector, SelectorError
from kybern.kube.status import StatusError, bad_request, unknown_resource
from kybern.protos.api.v1.objects_pb2 import DeleteCollectionRequest, ListRequest, Resource, WatchRequest
from kybern.rpc.exchange.context import CallContext

Selecting = ListRequest | WatchRequest | DeleteCollectionRequest


def begin(
    server: ApiServer,
    call: CallContext,
    verb: str,
    resource: Resource,
    name: str = "",
    listing: ListRequest | None = None,
    selecting: Selecting | None = None,
) -> Request:
    """The request, allowed. Raises StatusError (401, 403, 404, 405, 429), MustWait."""
    served = server.table.served.get((resource.group, resource.version, resource.resource))
    if served is None:
        where = (resource.group, resource.resource, resource.subresource, resource.namespace, name)
        asked = Attributes(verb, *where, version=resource.version)
        server.authorizer.check(server.authenticator.authenticate(call, "", asked), asked)
        raise unknown_resource()
    namespace = namespace_of(served, resource)
    subresource = resource.subresource
    if name:
        asked = attributes(served, verb, subresource, namespace, name)
    else:
        asked = nameless(served, verb, subresource, namespace)
    passages = server.passages
    passages.begin(call)
    user = server.authenticator.authenticate(call, "", asked)
    passages.passed(call, 0)
    if selecting is not None and (server.authorizer.selects or user.node):
        fields, labels = selecting.field_selector, selecting.label_selector
        asked = replace(asked, fields=forgiving(selected.fields, fields), labels=forgiving(selected.labels, labels))
    if call.seat is None:
        width, after, watchers = 1, 0.0, -1
        if listing is not None:
            width = list_width(served, namespace, listing)
        elif verb in WRITES:
            watchers = watchers_of(served, subresource, namespace, name)
            width, after = watched(watchers)
        server.flow.enter(call, user, asked, width, after, watchers)
    passages.passed(call, 1)
    server.authorizer.check(user, asked)
    passages.passed(call, 2)
    wrong = supports(served, verb, subresource)
    if wrong is not None:
        raise wrong
    request = Request(server, user, verb, served, namespace, name, subresource, call.traceparent)
    request.deadline = call.deadline
    if call.audit is not None:
        request.audit, request.audit_annotations = call.audit, call.audit.annotations
    if call.requester is not None:
        request.user_agent = call.requester.user_agent or UNKNOWN
    return request


def need_namespace(request: Request) -> None:
    """Writes and reads by name need a namespace. Raises StatusError (400)."""
    if request.served.info.namespaced and not request.namespace:
        raise bad_request("an empty namespace may not be set when a resource name is provided")


@contextmanager
def selectors_first(message: Selecting) -> Iterator[None]:
    """What is wrong with a selector is told before what is wrong with the other options. Raises StatusError (400)."""
    try:
        yield
    except StatusError:
        _read(message.label_selector, message.field_selector)
        raise


def _read(labels: str, field_text: str) -> tuple[Selector, FieldSelector]:
    try:
        return selectors.parse(labels), field_selectors.parse(field_text)
    except SelectorError as error:
        raise bad_request(str(error)) from None


def selection(served: Served, namespace: str, labels: str, field_text: str, name: str = "") -> Selection:
    """What a list or watch selects. Raises StatusError (400)."""
    by_label, by_field = _read(labels, field_text)
    for requirement in by_field.requirements:
        if requirement.field not in served.selectable:
            if served.custom is not None:
                raise bad_request(f"field label not supported: {requirement.field}")
            raise bad_request(
                field_labels.unsupported(served.group, served.resource, served.info.kind, requirement.field)
            )
    return Selection(namespace, name, by_label, renamed(by_field, served.aliases))
