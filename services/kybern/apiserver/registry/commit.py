"""Commit: one object's write to the store, under the request's trace, in the caches before it is acknowledged."""

from contextlib import AbstractContextManager
from typing import Any

from kybern.apiserver.core import encoding, keys
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategies import claims as service_claims
from kybern.apiserver.storage.entry import Entry
from kybern.kube.status import StatusError, already_exists, service_unavailable, status_error
from kybern.store.contract import Delete, Put, TxnResult, Write
from kybern.store.errors import LeaseNotFoundError, TooLargeError
from kybern.telemetry.telemetry import NO_STEP, Span

Object = dict[str, Any]


class Stale(Exception):
    """The object is not any more what the write was based on."""


class Claimed(Stale):
    """The object is, but something that it claims has been taken by another: `keys`."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__(*keys)
        self.keys = keys

    def learn(self, request: Request) -> None:
        """Do not choose the same again."""
        for key in self.keys:
            service_claims.taken(request.server, key)


async def put(request: Request, obj: Object, expected: int) -> bytes:
    """Write the object; its bytes as stored, with resourceVersion. Raises Stale."""
    conversion = request.served.conversion
    if conversion is None:
        return await _put(request, obj, expected)
    stored = await conversion.convert(obj, conversion.storage)
    data = await _put(request, stored, expected)
    return (await conversion.all_data([data], request.served.info.api_version))[0]


async def _put(request: Request, obj: Object, expected: int) -> bytes:
    cacher = request.served.storage
    if request.dry_run:
        stored = encoding.encode(cacher.as_read(obj))
        if expected:
            return encoding.splice(stored, cacher.head, expected)
        given = obj["metadata"].get("resourceVersion")  # what who makes an object says that it has
        return encoding.with_given(stored, cacher.head, given) if given else stored
    stored = encoding.encode(obj)
    metadata = obj["metadata"]
    suffix = keys.suffix(metadata.get("namespace", ""), metadata["name"])
    lease = await request.server.leases.current(request.served.strategy.ttl)
    write = Put(cacher.prefix + suffix, stored, expected, lease)
    claims = _claims(request, obj, cacher.entries.get(suffix) if expected else None)
    try:
        result = await _txn(request, write, obj, claims)
    except TooLargeError as error:
        if request.applying or "managedFields" not in metadata:
            raise status_error(413, "RequestEntityTooLarge", str(error)) from None
        return await _put(request, _unmanaged(obj), expected)
    entry = cacher.entries.get(suffix)
    if entry is not None and entry.revision == result.revision:
        return entry.data
    return encoding.splice(stored, cacher.head, result.revision)


def _unmanaged(obj: Object) -> Object:
    """Of an object that is too large with what is known of its managers, the object counts."""
    return {**obj, "metadata": {name: value for name, value in obj["metadata"].items() if name != "managedFields"}}


async def remove(request: Request, entry: Entry) -> None:
    """Remove the object. Raises Stale."""
    if not request.dry_run:
        write = Delete(request.served.storage.prefix + entry.key, entry.revision)
        await _txn(request, write, None, _claims(request, None, entry))


def _claims(request: Request, new: Object | None, old: Entry | None) -> tuple[Write, ...]:
    claims = request.served.strategy.claims
    if claims is None:
        return request.along
    return (*claims(request.server, new, old.decode() if old is not None else None), *request.along)


async def _txn(request: Request, write: Write, obj: Object | None, claims: tuple[Write, ...]) -> TxnResult:
    server = request.server
    with span(request, "commit"):
        try:
            result = await server.feed.commit([write, *claims], obj, request.traceparent)
        except LeaseNotFoundError as error:
            server.leases.forget()
            raise service_unavailable(f"{error}; try again") from error
    if result.succeeded:
        return result
    current = result.current[0]
    if current is not None:
        await server.feed.reached(current.mod_revision)
    if (current.mod_revision if current is not None else 0) == write.expected:
        pairs = zip(claims, result.current[1:], strict=True)
        raise Claimed([claim.key for claim, holder in pairs if isinstance(claim, Put) and holder is not None])
    raise Stale


def span(request: Request, name: str) -> AbstractContextManager[Span]:
    """A step of a request, if that is traced; it names the object."""
    if not request.traceparent:
        return NO_STEP
    found = {"k8s.resource": request.resource, "k8s.object.name": request.name}
    if request.namespace:
        found["k8s.namespace.name"] = request.namespace
    if request.resource == "pods" and not request.group:
        found["k8s.pod.name"] = request.name
    return request.server.telemetry.span(name, request.traceparent, attributes=found)


async def create(request: Request, obj: Object) -> bytes:
    """Write a new object. Raises StatusError (409 AlreadyExists; 500 for one that says that it has been written)."""
    if request.sent_version and not request.dry_run and _is_version(request.sent_version):
        raise status_error(400, "", "resourceVersion should not be set on objects to be created")
    if request.dry_run and request.served.storage.get(request.namespace, request.name) is not None:
        raise exists(request)
    try:
        return await put(request, obj, 0)
    except Claimed:
        raise
    except Stale:
        raise exists(request) from None


DELETED = "object is being deleted: "  # opens the message about a name whose holder is on its way out


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 1 << 64


def exists(request: Request) -> StatusError:
    """409; of what is on its way out it is said."""
    error = already_exists(request.group, request.resource, request.name)
    entry = request.served.storage.get(request.namespace, request.name)
    if entry is not None and entry.decode()["metadata"].get("deletionTimestamp"):
        error.status["message"] = DELETED + error.status["message"]
    return error
