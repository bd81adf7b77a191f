"""`kybern reencrypt [RESOURCE.GROUP …]`: write objects anew, so that they are stored with the present encryption key.

Every object is put back as it was read. The apiserver writes it if its stored form is out of date, and does nothing
otherwise; who changed an object in between has written it anew already.
"""

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import ClusterFailed, UsageError
from kybern.cli.progress import Progress
from kybern.cli.running import require_running

if TYPE_CHECKING:
    from kybern.client.objects import Client
    from kybern.client.resources import Resource

PAGE, WRITERS = 500, 16
DONE = ("Conflict", "NotFound")  # somebody else has written or deleted it


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern reencrypt`."""
    parser.add_argument(
        "resources", metavar="RESOURCE.GROUP", nargs="*", default=["secrets"], help="default: secrets; `*.*` is all"
    )


def run(options: argparse.Namespace, layout: Layout) -> int:
    """0 when all objects are stored with the present key."""
    require_running(layout)
    from kybern.kube.status import StatusError

    try:
        asyncio.run(reencrypt(options.resources, layout))
    except StatusError as error:
        raise ClusterFailed(error.message) from None
    return 0


async def reencrypt(wanted: list[str], layout: Layout) -> None:
    """One resource after the other."""
    from kybern.client.objects import Client
    from kybern.pki.source import FileCertificateSource
    from kybern.protos.api.v1.discovery_pb2 import GetResourcesRequest
    from kybern.protos.api.v1.discovery_pb2_grpc import DiscoveryStub
    from kybern.rpc.grpc_transport import GrpcTransport
    from kybern.telemetry import Telemetry

    progress = Progress()
    transport = GrpcTransport(FileCertificateSource(layout.pki / "admin"), Telemetry("kybern"))
    channel = transport.channel(layout.socket("apiserver"), "apiserver.kybern")
    try:
        discovery: Any = DiscoveryStub(channel)  # type: ignore[call-overload]  # any transport's channel
        table = (await discovery.GetResources(GetResourcesRequest(), timeout=10)).table
        async with Client(channel) as client:
            for resource in choose(wanted, table):
                written, total = await rewrite(client, resource, progress)
                if total or wanted != ["*.*"]:
                    progress.step(f"{resource}: {written} of {total} written anew")
    finally:
        await transport.close()


def choose(wanted: list[str], table: Any) -> "list[Resource]":
    """The resources that are named, each in its preferred version. Raises UsageError for one that is not served."""
    from kybern.client.resources import Resource

    found: dict[str, Resource] = {}
    for group in table.groups:
        for version in group.versions:
            for info in () if version.remote else version.resources:
                resource = Resource(group.name, version.version, info.name, info.kind, info.namespaced)
                if {"list", "update"} <= set(info.verbs):
                    found.setdefault(str(resource), resource)
    if wanted == ["*.*"]:
        return list(found.values())
    for name in wanted:
        if name not in found:
            raise UsageError(
                f"{name!r} is no resource that is stored; name it as in `kubectl api-resources`: secrets, …"
            )
    return [found[name] for name in wanted]


async def rewrite(client: "Client", resource: "Resource", progress: Progress) -> tuple[int, int]:
    """(written anew, looked at) of all objects of a resource."""
    from kybern.kube.status import StatusError

    written = total = 0
    places = asyncio.Semaphore(WRITERS)

    async def put(obj: dict[str, object]) -> None:
        nonlocal written
        async with places:
            try:
                after = await client.update(resource, obj)
            except StatusError as error:
                if error.reason not in DONE:
                    raise
                return
            before = obj["metadata"]
            assert isinstance(before, dict)
            written += after["metadata"]["resourceVersion"] != before["resourceVersion"]

    token = ""
    while True:
        page = await client.list(resource, limit=PAGE, continue_token=token)
        outcomes = await asyncio.gather(*map(put, page.items), return_exceptions=True)
        for failed in (outcome for outcome in outcomes if isinstance(outcome, BaseException)):
            raise failed
        total += len(page.items)
        progress.waiting(f"{resource}: {total}")
        token = page.continue_token
        if not token:
            return written, total
