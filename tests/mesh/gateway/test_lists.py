"""Lists too large for one message: whole, and those of now, also when the gateway has sent the same before."""

import asyncio
import gzip
import json
from typing import Any

import pytest

PATH = "/api/v1/namespaces/default/configmaps"
COUNT, SIZE = 12, 200_000


async def fill(gateway: Any) -> None:
    for number in range(COUNT):
        body = {"metadata": {"name": f"big-{number:02}"}, "data": {"text": str(number) * SIZE}}
        async with gateway.admin.post(PATH, json=body) as response:
            assert response.status == 201


async def names(gateway: Any, path: str = PATH, **headers: str) -> tuple[list[str], int]:
    async with gateway.admin.get(path, headers=headers) as response:
        assert response.status == 200
        data = await response.read()
        if response.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
    document = json.loads(data)
    assert document["kind"] == "ConfigMapList"
    found = [item["metadata"]["name"] for item in document["items"]]
    return [name for name in found if name.startswith("big")], int(document["metadata"]["resourceVersion"])


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_the_list_is_that_of_now(gateway: Any, encoding: str) -> None:
    await fill(gateway)
    headers = {"Accept-Encoding": encoding}
    everything = [f"big-{number:02}" for number in range(COUNT)]
    first, revision = await names(gateway, **headers)
    assert first == everything
    assert (await names(gateway, **headers)) == (everything, revision)
    await gateway.admin.post("/api/v1/namespaces/default/secrets", json={"metadata": {"name": "elsewhere"}})
    again, later = await names(gateway, **headers)
    assert (again, later > revision) == (everything, True), "unchanged items, at the present revision"
    await gateway.admin.delete(f"{PATH}/big-03")
    assert (await names(gateway, **headers))[0] == [name for name in everything if name != "big-03"]
    patch = {"metadata": {"labels": {"picked": "yes"}}}
    as_patch = {"Content-Type": "application/merge-patch+json"}
    for _ in range(2):
        assert (await names(gateway, f"{PATH}?labelSelector=picked%3Dyes", **headers))[0] == []
    await gateway.admin.patch(f"{PATH}/big-05", data=json.dumps(patch), headers=as_patch)
    assert (await names(gateway, f"{PATH}?labelSelector=picked%3Dyes", **headers))[0] == ["big-05"]


async def test_a_list_that_was_sent_is_not_for_everybody(gateway: Any) -> None:
    await fill(gateway)
    for _ in range(2):
        await names(gateway)
    async with gateway.client("carol") as session, session.get(PATH) as response:
        assert response.status == 403


async def test_many_at_once(gateway: Any) -> None:
    await fill(gateway)
    lists = await asyncio.gather(*(names(gateway) for _ in range(6)))
    assert {len(found) for found, _ in lists} == {COUNT}
