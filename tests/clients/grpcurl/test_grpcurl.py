"""grpcurl, which knows nothing of Kybern, finds its way by reflection alone."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kybern.kube.status import not_found
from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.source import FixedCertificateSource, KeyPair
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.exchange.servicer import add_objects_to_server
from kybern.rpc.grpc_transport import GrpcServer, GrpcTransport
from kybern.rpc.transport import ANYONE, Policy
from kybern.telemetry import Telemetry

PACKAGE = "github.com/fullstorydev/grpcurl/cmd/grpcurl@latest"
NAME = "apiserver.kybern"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def grpcurl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The installed grpcurl, or one built with Go."""
    found = shutil.which("grpcurl")
    if found:
        return found
    if shutil.which("go") is None:
        pytest.skip("grpcurl: neither it nor Go is installed")
    folder = tmp_path_factory.mktemp("gobin")
    built = subprocess.run(
        ["go", "install", PACKAGE], env={**os.environ, "GOBIN": str(folder)}, capture_output=True, text=True
    )
    if built.returncode:
        pytest.skip(f"grpcurl: cannot be built: {built.stderr.strip().splitlines()[-1:]}")
    return str(folder / "grpcurl")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """A certificate for both sides."""
    now = datetime.now(UTC)
    return issue(
        create_ca(tmp_path_factory.mktemp("pki"), now), Identity("alice", (), (NAME,)), timedelta(hours=1), now
    )


def get(request: pb.GetRequest, context: CallContext) -> pb.GetResponse:
    if request.name != "web":
        raise not_found("", "pods", request.name)
    return pb.GetResponse(object=context.peer.user.encode())


@pytest.fixture
async def server(pair: KeyPair) -> AsyncIterator[GrpcServer]:
    telemetry = Telemetry("apiserver")
    transport = GrpcTransport(FixedCertificateSource(pair), telemetry)
    server = transport.server("127.0.0.1:0", Policy({"/kybern.api.v1.Objects/": frozenset({ANYONE})}))
    add_objects_to_server({"get": get}, server, telemetry.log)
    await server.start()
    yield server
    await transport.close()


class Grpcurl:
    """Runs grpcurl with a client certificate."""

    def __init__(self, path: str, pair: KeyPair, folder: Path, port: int) -> None:
        self._files = ["-cacert", str(folder / "ca.crt"), "-cert", str(folder / "tls.crt"), "-key", str(folder / "key")]
        for name, content in (("ca.crt", pair.ca), ("tls.crt", pair.cert), ("key", pair.key)):
            (folder / name).write_bytes(content)
        self._path, self._target = path, f"127.0.0.1:{port}"

    async def __call__(self, *arguments: str, flags: tuple[str, ...] = ()) -> tuple[int, str]:
        command = [self._path, *self._files, "-servername", NAME, "-max-time", "10", *flags, self._target, *arguments]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()


@pytest.fixture
def run(grpcurl: str, pair: KeyPair, server: GrpcServer, tmp_path: Path) -> Grpcurl:
    return Grpcurl(grpcurl, pair, tmp_path, server.port)


async def test_list_and_describe(run: Grpcurl) -> None:
    code, output = await run("list")
    assert code == 0, output
    assert {"kybern.api.v1.Objects", "grpc.health.v1.Health"} <= set(output.split())
    code, output = await run("describe", "kybern.api.v1.Objects")
    assert code == 0, output
    assert "rpc Get ( .kybern.api.v1.GetRequest ) returns ( .kybern.api.v1.GetResponse );" in output


async def test_health(run: Grpcurl) -> None:
    code, output = await run("grpc.health.v1.Health/Check")
    assert (code, json.loads(output)) == (0, {"status": "SERVING"})


async def test_a_call(run: Grpcurl) -> None:
    code, output = await run("kybern.api.v1.Objects/Get", flags=("-d", '{"name": "web"}'))
    assert (code, json.loads(output)) == (0, {"object": "YWxpY2U="})


async def test_rich_error_details_are_read(run: Grpcurl) -> None:
    code, output = await run("kybern.api.v1.Objects/Get", flags=("-d", '{"name": "other"}'))
    assert code != 0
    assert "Code: NotFound" in output
    assert 'Message: pods "other" not found' in output
    assert "kybern.api.v1.Failure" in output
