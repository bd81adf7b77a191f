"""Many watches of the same: each is sent every event once and in order, whenever it began."""

import asyncio
import json
from typing import Any

PATH = "/api/v1/namespaces/default/configmaps"


async def create(gateway: Any, name: str, size: int = 10) -> str:
    body = {"metadata": {"name": name}, "data": {"text": "x" * size}}
    async with gateway.admin.post(PATH, json=body) as response:
        assert response.status == 201
        version: str = (await response.json())["metadata"]["resourceVersion"]
        return version


async def follow(
    gateway: Any, since: str, last: str, query: str = "", found: list[str] | None = None, accept: str = ""
) -> list[str]:
    """Names of created objects after a revision, until the one named `last`."""
    found = [] if found is None else found
    path = f"{PATH}?watch=true&resourceVersion={since}{query}"
    headers = {"Accept": accept or "application/json"}
    async with gateway.client("admin", "system:masters") as session, session.get(path, headers=headers) as response:
        assert response.status == 200
        async for line in response.content:
            event = json.loads(line)
            found.append(event["object"]["metadata"]["name"])
            if found[-1] == last:
                return found
    raise AssertionError(f"the watch ended after {found}")


async def test_each_sees_everything_from_where_it_began(gateway: Any) -> None:
    names = [f"a{number:03}" for number in range(60)]
    versions, watches = [await create(gateway, "begin")], []
    async with asyncio.TaskGroup() as tasks:
        for index, name in enumerate(names):
            if index % 4 == 0:
                watches += [
                    (since, tasks.create_task(follow(gateway, versions[since], names[-1]))) for since in (0, index)
                ]
            versions.append(await create(gateway, name))
    for since, task in watches:
        assert task.result() == names[since:]


async def test_one_that_leaves_or_selects_otherwise_disturbs_nobody(gateway: Any) -> None:
    begin = await create(gateway, "begin")
    names = [f"b{number}" for number in range(20)]
    async with asyncio.TaskGroup() as tasks:
        whole = [tasks.create_task(follow(gateway, begin, names[-1])) for _ in range(5)]
        brief = [tasks.create_task(follow(gateway, begin, names[5])) for _ in range(5)]
        one = tasks.create_task(follow(gateway, begin, names[7], f"&fieldSelector=metadata.name%3D{names[7]}"))
        for name in names:
            await create(gateway, name)
    assert [task.result() for task in whole] == [names] * 5
    assert [task.result() for task in brief] == [names[:6]] * 5
    assert one.result() == [names[7]]


async def test_a_crowd_of_different_forms_sees_everything(gateway: Any) -> None:
    begin = await create(gateway, "begin")
    names = [f"d{number:02}" for number in range(40)]
    metadata = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    async with asyncio.TaskGroup() as tasks:
        watches = [
            tasks.create_task(follow(gateway, begin, names[-1], accept=accept))
            for accept in ("", metadata)
            for _ in range(12)
        ]
        await asyncio.sleep(0.2)
        await asyncio.gather(*(create(gateway, name) for name in names[:-1]))
        await create(gateway, names[-1])
    first = watches[0].result()
    assert sorted(first) == names
    assert all(watch.result() == first for watch in watches), "all in the same order"


async def test_a_client_that_reads_nothing_holds_up_nobody(gateway: Any) -> None:
    begin = await create(gateway, "begin")
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.port, ssl=gateway.tls("admin", "system:masters")
    )
    writer.write(f"GET {PATH}?watch=true&resourceVersion={begin} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()
    names = [f"c{number:02}" for number in range(60)]
    found: list[str] = []
    quick = asyncio.create_task(follow(gateway, begin, names[-1], found=found))
    for index, name in enumerate(names):
        await create(gateway, name, 450_000)
        while len(found) < index - 5 and not quick.done():
            await asyncio.sleep(0.005)
    assert await asyncio.wait_for(quick, 20) == names
    writer.transport.resume_reading()
    seen, end = 0, b""
    async with asyncio.timeout(20):
        while not end.endswith(b"\r\n0\r\n\r\n"):  # a proper end, to resume from where it was
            data = await reader.read(1 << 16)
            seen += data.count(b'"type":"ADDED"')
            end = end[-10:] + data
    assert 0 < seen < len(names), "it was cut off"
    writer.close()
