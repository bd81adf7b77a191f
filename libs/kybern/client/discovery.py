"""Discovery: which collections the API serves, custom resources included."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import grpc

from kybern.client.resources import Resource
from kybern.protos.api.v1 import discovery_pb2 as pb
from kybern.protos.api.v1.discovery_pb2_grpc import DiscoveryStub
from kybern.rpc.errors import status_error

WATCH_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ServedResource:
    """A collection and what can be done with it."""

    resource: Resource
    verbs: frozenset[str]


def read_table(table: pb.ResourceTable) -> list[ServedResource]:
    """Every collection once, in the most preferred version that has it."""
    served: dict[tuple[str, str], ServedResource] = {}
    for group in table.groups:
        for version in group.versions:
            for info in version.resources:
                resource = Resource(group.name, version.version, info.name, info.kind, info.namespaced)
                served.setdefault((group.name, info.name), ServedResource(resource, frozenset(info.verbs)))
    return [*served.values()]


def with_verbs(served: Iterable[ServedResource], *verbs: str) -> list[Resource]:
    """The collections that know all these verbs."""
    return [entry.resource for entry in served if entry.verbs.issuperset(verbs)]


async def get_resources(channel: Any, timeout: float = 30.0) -> list[ServedResource]:
    """What is served now. Raises StatusError."""
    stub: Any = DiscoveryStub(channel)
    try:
        response = await stub.GetResources(pb.GetResourcesRequest(), timeout=timeout)
    except grpc.RpcError as error:
        raise status_error(error) from error
    return read_table(response.table)


async def watch_resources(channel: Any) -> AsyncIterator[list[ServedResource]]:
    """What is served, now and after each change, for an hour at most. Raises StatusError."""
    stub: Any = DiscoveryStub(channel)
    call = stub.WatchResources(pb.WatchResourcesRequest(), timeout=WATCH_SECONDS)
    try:
        async for response in call:
            yield read_table(response.table)
    except grpc.RpcError as error:
        raise status_error(error) from error
    finally:
        call.cancel()
