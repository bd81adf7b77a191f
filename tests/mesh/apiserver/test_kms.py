"""An apiserver whose KMS plugin comes after it: not ready, nothing lost, and all is readable when it is there."""

import asyncio
import os
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from kybern.apiserver.storage import health, opening
from kybern.client.resources import CONFIG_MAPS, SECRETS
from kybern.kube.status import StatusError
from kybern.protos.kms.v2 import api_pb2 as pb
from kybern.protos.kms.v2.api_pb2_grpc import add_KeyManagementServiceServicer_to_server
from kybern.store.encryption import EncryptedStore
from kybern.store.encryption.config import EncryptionConfig, ProviderConfig, ResourceConfig
from kybern.store.sqlite import SqliteStore


class Plugin:
    """A KMS with one key."""

    key = os.urandom(32)

    async def Status(self, request: Any, context: Any) -> pb.StatusResponse:
        return pb.StatusResponse(version="v2", healthz="ok", key_id="1")

    async def Encrypt(self, request: Any, context: Any) -> pb.EncryptResponse:
        return pb.EncryptResponse(ciphertext=AESGCM(self.key).encrypt(bytes(12), request.plaintext, None), key_id="1")

    async def Decrypt(self, request: Any, context: Any) -> pb.DecryptResponse:
        return pb.DecryptResponse(plaintext=AESGCM(self.key).decrypt(bytes(12), request.ciphertext, None))


async def start(socket: Path) -> grpc.aio.Server:
    server = grpc.aio.server()
    add_KeyManagementServiceServicer_to_server(Plugin(), server)  # type: ignore[arg-type]
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server


async def opened(folder: Path) -> EncryptedStore:
    provider = ProviderConfig("kms", name="vault", endpoint=f"unix://{folder}/kms.sock", timeout=1.0)
    config = EncryptionConfig((ResourceConfig(("secrets",), (provider, ProviderConfig("identity"))),))
    return EncryptedStore(await SqliteStore.open(folder / "s.db", threaded=False), config, opening.classifier())


async def test_a_plugin_that_comes_late(running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK", 0.05)
    secret = {"metadata": {"name": "s", "namespace": "default"}, "data": {"a": "eA=="}}
    plugin = await start(tmp_path / "kms.sock")
    async with running(store=await opened(tmp_path)) as cluster, cluster.client() as client:
        made = await client.create(SECRETS, secret)
    await plugin.stop(None)
    async with running(store=await opened(tmp_path)) as cluster, cluster.client() as client:
        with pytest.raises(StatusError, match="failed to decrypt DEK, error: kms plugin vault does not answer"):
            await client.get(SECRETS, "s", "default")
        with pytest.raises(StatusError) as caught:
            await client.create(SECRETS, {"metadata": {"name": "t", "namespace": "default"}})
        assert (caught.value.code, caught.value.reason) == (500, "ServerTimeout")
        await client.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}})
        checks: Any = HealthStub(client.channel)

        async def state() -> int:
            try:
                return int((await checks.Check(HealthCheckRequest(service=health.PLUGINS))).status)
            except grpc.aio.AioRpcError:  # not looked at yet
                return 0

        async with asyncio.timeout(20):
            while await state() != HealthCheckResponse.NOT_SERVING:
                await asyncio.sleep(0.05)
        plugin = await start(tmp_path / "kms.sock")
        async with asyncio.timeout(20):
            while await state() != HealthCheckResponse.SERVING:
                await asyncio.sleep(0.05)
            while True:
                try:
                    assert await client.get(SECRETS, "s", "default") == made
                    break
                except StatusError:
                    await asyncio.sleep(0.05)
        await client.create(SECRETS, {"metadata": {"name": "t", "namespace": "default"}})
    await plugin.stop(None)
