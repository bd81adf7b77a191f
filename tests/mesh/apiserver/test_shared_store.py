"""Two apiservers on one etcd: what one writes the other reads, watches and builds upon."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kybern.client.resources import CONFIG_MAPS, SERVICES
from kybern.kube.status import StatusError
from kybern.store.errors import StoreUnavailable
from kybern.store.open import open_store

CLIENTS, PEERS = "127.0.0.1:23791", "127.0.0.1:23792"


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[str]:
    if shutil.which("etcd") is None:
        pytest.skip("needs etcd (apt-get install etcd-server)")
    flags = [f"--data-dir={tmp_path}", f"--listen-client-urls=http://{CLIENTS}", f"--listen-peer-urls=http://{PEERS}"]
    flags += [f"--advertise-client-urls=http://{CLIENTS}", "--unsafe-no-fsync"]
    process = await asyncio.create_subprocess_exec("etcd", *flags, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    store = await open_store(f"etcd://{CLIENTS}")
                    await store.revision()
                    await store.close()
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
        yield f"etcd://{CLIENTS}"
    finally:
        process.terminate()
        await process.wait()


async def test_two_apiservers_are_one(etcd: str, running: Any) -> None:
    async with (
        running(store=await open_store(etcd)) as one,
        running(store=await open_store(etcd)) as other,
    ):
        a, b = one.client(), other.client()
        version = (await b.list(CONFIG_MAPS, "default")).resource_version
        watch = b.watch(CONFIG_MAPS, "default", resource_version=version)
        made = await a.create(CONFIG_MAPS, {"metadata": {"name": "x", "namespace": "default"}, "data": {}})
        assert await b.get(CONFIG_MAPS, "x", "default") == made
        assert [item["metadata"]["name"] for item in (await b.list(CONFIG_MAPS, "default")).items] == ["x"]
        seen: list[Any] = []
        async with asyncio.timeout(5):
            while not seen:
                seen = await anext(watch)
        assert seen[0].object == made
        await watch.aclose()
        patches = ((a, b)[n % 2].patch(CONFIG_MAPS, "x", "default", patch={"data": {f"k{n}": "v"}}) for n in range(20))
        await asyncio.gather(*patches)
        assert len((await a.get(CONFIG_MAPS, "x", "default"))["data"]) == 20
        service = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
        address = (await a.create(SERVICES, service))["spec"]["clusterIP"]
        await b.get(SERVICES, "s", "default")
        service = {"metadata": {"name": "t", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
        service["spec"]["clusterIP"] = address  # type: ignore[index]
        with pytest.raises(StatusError, match="already allocated"):
            await b.create(SERVICES, service)
