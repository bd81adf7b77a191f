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


async def test_changes_while_lists_are_sent(gateway: Any) -> None:
    """Every list is whole and consistent: each object says how many changes came before it."""
    await fill(gateway)
    path, as_patch = f"{PATH}/big-", {"Content-Type": "application/merge-patch+json"}
    seen: list[dict[str, int]] = []

    async def lists(count: int) -> None:
        for _ in range(count):
            async with gateway.admin.get(PATH) as response:
                document = json.loads(await response.read())
            items = {item["metadata"]["name"]: int(item["data"].get("change", 0)) for item in document["items"]}
            newest = max(int(item["metadata"]["resourceVersion"]) for item in document["items"])
            assert newest <= int(document["metadata"]["resourceVersion"])
            seen.append(items)

    async def changes() -> None:
        for number in range(1, 40):
            patch = json.dumps({"data": {"change": str(number)}})
            async with gateway.admin.patch(f"{path}{number % COUNT:02}", data=patch, headers=as_patch) as response:
                assert response.status == 200

    await asyncio.gather(lists(8), lists(8), changes())
    for items in seen:
        last = max(items.values())
        for number in range(COUNT):
            expected = max((change for change in range(1, last + 1) if change % COUNT == number), default=0)
            assert items[f"big-{number:02}"] == expected


async def test_from_large_to_small_and_back(gateway: Any) -> None:
    await fill(gateway)
    assert len((await names(gateway))[0]) == COUNT
    for number in range(2, COUNT):
        await gateway.admin.delete(f"{PATH}/big-{number:02}")
    assert (await names(gateway))[0] == ["big-00", "big-01"]
    for number in range(2, COUNT):
        body = {"metadata": {"name": f"big-{number:02}"}, "data": {"text": "x" * SIZE}}
        await gateway.admin.post(PATH, json=body)
        found, _ = await names(gateway)
        assert found == [f"big-{each:02}" for each in range(number + 1)]


@pytest.mark.parametrize("query", ["?pretty=true", ""], ids=["pretty", "HTTP/1.0"])
async def test_a_held_list_in_other_forms(gateway: Any, query: str) -> None:
    await fill(gateway)
    await names(gateway)
    async with gateway.admin.get(PATH) as response:
        document = json.loads(await response.read())
    if query:
        async with gateway.admin.get(f"{PATH}{query}") as response:
            text = await response.text()
        assert text.startswith('{\n  "')
    else:
        text = await old_http(gateway)
    assert json.loads(text)["items"] == document["items"]


async def old_http(gateway: Any) -> str:
    """The list by HTTP/1.0, which ends with the connection."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.port, ssl=gateway.tls("admin", "system:masters")
    )
    writer.write(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b" 200 " in head[:16]
    assert b"chunked" not in head
    return body.decode()
