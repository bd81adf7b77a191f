"""How many pods a second get a node, end to end: an apiserver and a scheduler in processes of their own, real mTLS.

1,000 nodes and 5,000 pods exist; then the scheduler starts, and the time counts until the apiserver has committed the
last bind and told a watcher. Then as many pods again are created while the scheduler runs.
kube-scheduler 1.36 on like hardware: 409 pods/s, its API server and etcd on the same two cores.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cluster import process_cpu_seconds

from kybern.client.objects import Client
from kybern.client.resources import NODES, PODS
from kybern.clock import SystemClock
from kybern.kube.status import StatusError
from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.pki.source import FileCertificateSource
from kybern.rpc.grpc_transport import GrpcTransport
from kybern.telemetry import Telemetry

IDENTITIES = {
    "apiserver": Identity("system:kybern:apiserver", (), ["apiserver.kybern"]),
    "scheduler": Identity("system:kube-scheduler", (), ["scheduler.kybern"]),
    "admin": Identity("admin", ("system:masters",)),
}
AT_ONCE = 256
PATIENCE = 120.0


@contextmanager
def service(name: str, folder: Path, *flags: str) -> Iterator[Callable[[], float]]:
    """A service in a process of its own; how many seconds of CPU it has used."""
    command = [sys.executable, "-m", f"kybern.{name}", "--address", f"unix:{folder}/{name}.sock"]
    command += ["--pki", str(folder / name), "--apiserver", f"unix:{folder}/apiserver.sock", "--log-level", "warning"]
    process = subprocess.Popen([*command, *flags])
    try:
        yield lambda: process_cpu_seconds(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def node(index: int) -> dict[str, Any]:
    name = f"node-{index}"
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{index % 3}"}
    amounts = {"cpu": "4", "memory": "32Gi", "pods": "110"}
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": amounts, "capacity": amounts}}


def pod(name: str) -> dict[str, Any]:
    container = {"name": "c", "image": "pause", "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}
    metadata = {"name": name, "namespace": "default", "labels": {"app": "bench"}}
    return {"metadata": metadata, "spec": {"containers": [container], "automountServiceAccountToken": False}}


async def together(work: Iterable[Awaitable[Any]]) -> None:
    """Everything, at most AT_ONCE at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(each: Awaitable[Any]) -> None:
        async with room:
            await each

    await asyncio.gather(*(one(each) for each in work))


async def add_node(client: Client, index: int) -> None:
    created = await client.create(NODES, node(index))
    await client.update_status(NODES, {**created, "status": node(index)["status"]})
    created = await client.get(NODES, created["metadata"]["name"])
    if created["spec"].get("taints"):  # not ready, says admission
        await client.update(NODES, {**created, "spec": {}})


async def all_bound(client: Client, wanted: int) -> None:
    """Until so many pods have a node."""
    listed = await client.list(PODS)
    bound = {p["metadata"]["name"] for p in listed.items if p["spec"].get("nodeName")}
    if len(bound) >= wanted:
        return
    async for events in client.watch(PODS, resource_version=listed.resource_version):
        bound |= {e.object["metadata"]["name"] for e in events if e.object.get("spec", {}).get("nodeName")}
        if len(bound) >= wanted:
            return


async def ready(client: Client) -> None:
    """Until the apiserver answers."""
    for _ in range(300):
        try:
            await client.list(NODES, limit=1)
            return
        except StatusError:
            await asyncio.sleep(0.1)
    raise SystemExit("the apiserver does not answer")


async def run(folder: Path, nodes: int, pods: int, apiserver: Callable[[], float]) -> None:
    transport = GrpcTransport(FileCertificateSource(folder / "admin"), Telemetry("bench", SystemClock()))
    async with Client(transport.channel(f"unix:{folder}/apiserver.sock", "apiserver.kybern"), timeout=120.0) as client:
        await ready(client)
        await together(add_node(client, index) for index in range(nodes))
        await together(client.create(PODS, pod(f"before-{index}")) for index in range(pods))
        start, used = time.perf_counter(), apiserver()
        with service("scheduler", folder) as scheduler:
            async with asyncio.timeout(PATIENCE):
                await all_bound(client, pods)
            seconds = time.perf_counter() - start
            report(
                "waiting pods, start of the scheduler included", nodes, pods, seconds, scheduler(), apiserver() - used
            )
            start, used, mine = time.perf_counter(), apiserver(), scheduler()
            await together(client.create(PODS, pod(f"after-{index}")) for index in range(pods))
            created = time.perf_counter() - start
            async with asyncio.timeout(PATIENCE):
                await all_bound(client, 2 * pods)
            seconds = time.perf_counter() - start
            report("pods as they are created", nodes, pods, seconds, scheduler() - mine, apiserver() - used)
            print(json.dumps({"what": "their creation alone", "pods_per_second": round(pods / created)}))
    await transport.close()


def report(what: str, nodes: int, pods: int, seconds: float, scheduler: float, apiserver: float) -> None:
    rate = {"pods_per_second": round(pods / seconds)}
    cpu = {
        "scheduler_cpu_us_per_pod": round(scheduler / pods * 1e6),
        "apiserver_cpu_us_per_pod": round(apiserver / pods * 1e6),
    }
    print(json.dumps({"what": what, "nodes": nodes, "pods": pods, **rate, **cpu}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=5000)
    args = parser.parse_args()
    with TemporaryDirectory(prefix="kybern-bench-") as name:
        folder, now = Path(name), datetime.now(UTC)
        ca = create_ca(folder, now)
        for who, identity in IDENTITIES.items():
            write_bundle(folder / who, issue(ca, identity, timedelta(days=1), now))
        with service("apiserver", folder, "--store", f"sqlite:{folder}/kybern.db") as apiserver:
            asyncio.run(run(folder, args.nodes, args.pods, apiserver))


if __name__ == "__main__":
    main()
