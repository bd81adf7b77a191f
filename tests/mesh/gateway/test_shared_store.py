"""Two gateways with an apiserver each on one etcd of three members, over real HTTPS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from kybern.store.errors import StoreUnavailable
from kybern.store.open import open_store
from kybern.testing.etcd import Etcd, binary, clusters

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[list[Etcd]]:
    if not binary():
        pytest.skip("needs etcd (apt-get install etcd-server)")
    with clusters(tmp_path) as make:
        yield make(3)


@pytest.fixture
async def two(
    etcd: list[Etcd], tmp_path: Path, fronts: Callable[..., Any], unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[list[Any]]:
    spec = "etcd://" + ",".join(member.client for member in etcd)
    async with AsyncExitStack() as stack, asyncio.timeout(60):
        found: list[Any] = []
        while len(found) < 2:
            try:
                store = await open_store(spec, timeout=2.0)
            except StoreUnavailable:
                await asyncio.sleep(0.1)
                continue
            folder = tmp_path / f"front-{len(found)}"
            found.append(await stack.enter_async_context(fronts(folder, unused_tcp_port_factory(), store=store)))
        yield found


async def ready(front: Any) -> str:
    return await (await front.admin.get("/readyz?verbose")).text()


async def until(front: Any, words: str) -> None:
    async with asyncio.timeout(30):
        while words not in await ready(front):
            await asyncio.sleep(0.1)


async def test_one_cluster_behind_two_gateways(two: list[Any]) -> None:
    one, other = two
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}
    made = await (await one.admin.post(CONFIG_MAPS, json=body)).json()
    found = await other.admin.get(f"{CONFIG_MAPS}/a")
    assert await found.json() == made
    listed = await (await other.admin.get(CONFIG_MAPS)).json()
    assert "a" in [item["metadata"]["name"] for item in listed["items"]]
    replies = [await front.admin.put(f"{CONFIG_MAPS}/a", json={**made, "data": {"by": "x"}}) for front in two]
    assert [reply.status for reply in replies] == [200, 409]
    assert (await other.admin.delete(f"{CONFIG_MAPS}/a")).status == 200
    assert (await one.admin.get(f"{CONFIG_MAPS}/a")).status == 404


async def test_readyz_follows_the_store(two: list[Any], etcd: list[Etcd]) -> None:
    front = two[0]
    await until(front, "[+]etcd ok")
    etcd[0].kill()  # two of three go on
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "b"}}
    async with asyncio.timeout(30):
        while (await front.admin.post(CONFIG_MAPS, json=body)).status not in (201, 409):
            await asyncio.sleep(0.1)
    await until(front, "[+]etcd ok")
    etcd[1].kill()  # no quorum
    await until(front, "[-]etcd failed")
    assert (await front.admin.get("/readyz")).status == 500
    assert (await front.admin.get("/livez?exclude=etcd")).status == 200
    reply = await front.admin.get(f"{CONFIG_MAPS}/b")
    assert (reply.status, "Retry-After" in reply.headers) == (500, False)
    assert (await reply.json())["reason"] == "ServerTimeout"
    for member in etcd[:2]:
        member.start(",".join(f"{other.name}=http://{other.peer}" for other in etcd))
    await until(front, "[+]etcd ok")
    assert (await front.admin.get(f"{CONFIG_MAPS}/b")).status == 200
