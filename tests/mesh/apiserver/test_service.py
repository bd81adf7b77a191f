"""The service as a process: flags, mTLS, restart, SIGTERM, kill -9; discovery, events that end."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, EVENTS, NAMESPACES
from kybern.kube.status import StatusError
from kybern.pki.authority import Authority, Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.pki.source import FileCertificateSource
from kybern.protos.api.v1.discovery_pb2 import GetOpenAPIRequest, GetResourcesRequest
from kybern.protos.api.v1.discovery_pb2_grpc import DiscoveryStub
from kybern.rpc.grpc_transport import GrpcTransport
from kybern.runtime.processes import SAID_WHY
from kybern.telemetry import Telemetry


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="kybern-"))  # short: it holds a socket
    yield path
    shutil.rmtree(path)


def certificate(ca: Authority, directory: Path, user: str, *groups: str) -> Path:
    directory.mkdir(parents=True)
    identity = Identity(user, groups, (f"{directory.name}.kybern",), ())
    write_bundle(directory, issue(ca, identity, timedelta(hours=1), datetime.now(UTC)))
    return directory


def start(home: Path) -> "subprocess.Popen[bytes]":
    flags = ["--address", f"unix:{home}/s", "--pki", str(home / "apiserver"), "--store", f"sqlite:{home}/db"]
    return subprocess.Popen([sys.executable, "-m", "kybern.apiserver", *flags], stderr=subprocess.DEVNULL)


@asynccontextmanager
async def process(home: Path) -> AsyncIterator[tuple["subprocess.Popen[bytes]", Client]]:
    """A real apiserver process, ready, with an administrator's client."""
    running = await asyncio.to_thread(start, home)
    transport = GrpcTransport(FileCertificateSource(home / "admin"), Telemetry("test"))
    client = Client(transport.channel(f"unix:{home}/s", "apiserver.kybern"), timeout=5)
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    await client.list(NAMESPACES)
                    break
                except StatusError:
                    assert running.poll() is None
                    await asyncio.sleep(0.05)
        yield running, client
    finally:
        await transport.close()
        if running.poll() is None:
            running.kill()
        running.wait(10)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_process_ends_and_another_goes_on(home: Path, how: signal.Signals) -> None:
    ca = create_ca(home / "ca", datetime.now(UTC))
    certificate(ca, home / "apiserver", "system:kybern:apiserver")
    certificate(ca, home / "admin", "admin", "system:masters")
    written: list[str] = []
    enough = asyncio.Event()

    async def write(client: Client) -> None:
        for n in range(100_000):
            name = f"c{n:06}"
            await client.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}})
            written.append(name)
            if n == 20:
                enough.set()

    async with process(home) as (running, client):
        writers = asyncio.create_task(write(client))
        await enough.wait()
        watch = client.watch(NAMESPACES, resource_version="0")
        await anext(watch)
        os.kill(running.pid, how)
        killed = asyncio.get_running_loop().time()
        with pytest.raises(StatusError):
            await writers
        code = await asyncio.to_thread(running.wait, 10)
        assert asyncio.get_running_loop().time() - killed < 4  # open watches hold nothing up
        await watch.aclose()
        assert code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    async with process(home) as (_, client):
        kept = {item["metadata"]["name"] for item in (await client.list(CONFIG_MAPS, "default")).items}
        assert set(written) <= kept
        assert len(kept - set(written)) <= 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--store", "mysql:x"], "expected sqlite:PATH"),
        (["--store", "sqlite:/nonexistent/x"], "cannot open the store /nonexistent/x"),
        (["--store", "sqlite::memory:", "--service-account-key", "/nonexistent"], "--service-account-key /nonexistent"),
        (["--store", "sqlite::memory:", "--service-cluster-ip-range", "x"], "--service-cluster-ip-range x"),
    ],
)
def test_wrong_flags_are_one_sentence(home: Path, flags: list[str], words: str) -> None:
    ca = create_ca(home / "ca", datetime.now(UTC))
    certificate(ca, home / "apiserver", "system:kybern:apiserver")
    command = [
        sys.executable,
        "-m",
        "kybern.apiserver",
        "--address",
        f"unix:{home}/s",
        "--pki",
        str(home / "apiserver"),
    ]
    ended = subprocess.run([*command, *flags], stderr=subprocess.PIPE, timeout=30, check=False)
    assert ended.returncode == SAID_WHY
    assert words in ended.stderr.decode()
    assert "Traceback" not in ended.stderr.decode()


async def test_discovery(cluster: Any) -> None:
    stub: Any = DiscoveryStub(cluster.channel("system:kybern:gateway"))
    table = (await stub.GetResources(GetResourcesRequest())).table
    assert table.groups[0].name == ""
    core = {resource.name: resource for resource in table.groups[0].versions[0].resources}
    assert core["pods"].kind == "Pod"
    assert core["pods"].namespaced
    assert {sub.name for sub in core["pods"].subresources} >= {"status", "log", "exec", "binding", "eviction"}
    assert next(sub for sub in core["pods"].subresources if sub.name == "eviction").group == "policy"
    again = (await stub.GetResources(GetResourcesRequest())).table
    assert again.etag == table.etag
    wanted = GetOpenAPIRequest(group="apps", version="v1", openapi_version="v3")
    answer = await stub.GetOpenAPI(wanted)
    assert orjson.loads(answer.document)["openapi"].startswith("3.")
    apps = next(group for group in table.groups if group.name == "apps")
    assert answer.hash == apps.versions[0].openapi_hash
    with pytest.raises(Exception, match="not found"):
        await stub.GetOpenAPI(GetOpenAPIRequest(group="none", version="v1", openapi_version="v3"))


async def test_events_end_by_themselves(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kybern.apiserver.storage import leases

    monkeypatch.setattr(leases, "SHARED", 0.1)
    async with running(event_ttl=0.2) as cluster, cluster.client() as admin:
        about = {"kind": "Pod", "name": "p", "namespace": "default"}
        watch = admin.watch(EVENTS, "default", resource_version=(await admin.list(EVENTS)).resource_version)
        await admin.create(EVENTS, {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": about})
        types: list[str] = []
        async with asyncio.timeout(5):
            while len(types) < 2:
                types += [event.type for event in await anext(watch)]
        assert types == ["ADDED", "DELETED"]
        assert (await admin.list(EVENTS)).items == []
        await watch.aclose()


async def test_metrics(admin: Client, cluster: Any) -> None:
    await admin.list(NAMESPACES)
    with pytest.raises(StatusError):
        await admin.get(NAMESPACES, "none")
    value = cluster.telemetry.registry.get_sample_value
    shape = {"group": "", "resource": "namespaces", "subresource": ""}
    assert value("apiserver_request_total", {**shape, "verb": "LIST", "code": "200"}) == 1
    assert value("apiserver_request_total", {**shape, "verb": "GET", "code": "404"}) == 1
    assert value("apiserver_request_duration_seconds_count", {**shape, "verb": "GET"}) == 1
