"""The short way of a POST leaves what the long way leaves, and takes nobody for somebody else."""

import asyncio
import json
from typing import Any

import pytest

COLLECTION = "/api/v1/namespaces/default/configmaps"


class Client:
    """One connection on which bytes are sent as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, body: Any, path: str = COLLECTION, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Code, headers and decoded body of the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: x", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        self._writer.write("\r\n".join((*lines, f"Content-Length: {len(data)}", "", "")).encode() + data)
        head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
        said = dict(line.split(": ", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), said, json.loads(await self._reader.readexactly(int(said["Content-Length"])))


@pytest.fixture
async def connect(gateway: Any) -> Any:
    """`await connect(user, groups…)` is a connection."""
    writers = []

    async def make(user: str = "admin", *groups: str) -> Client:
        tls = gateway.tls(user, *groups)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=tls, limit=1 << 20)
        writers.append(writer)
        return Client(reader, writer)

    yield make
    for writer in writers:
        writer.close()


@pytest.fixture(autouse=True)
async def no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What begins a trace takes the long way."""
    monkeypatch.setattr("kybern.gateway.core.budget.Budget.has", lambda self, now: False)


def config_map(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {"text": "é" * len(name)}, **more}


def kept(headers: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k not in ("Date", "Audit-Id", "Content-Length")}


async def test_every_answer_is_that_of_the_first(gateway: Any, connect: Any) -> None:
    client = await connect("admin", "system:masters")
    found = [await client.post(config_map(f"a{'-' * n}z"), user_agent="operator/1 x") for n in range(9)]
    assert {code for code, _, _ in found} == {201}
    assert all(kept(headers) == kept(found[0][1]) for _, headers, _ in found)
    for number, (_, _, body) in enumerate(found):
        name = f"a{'-' * number}z"
        async with gateway.admin.get(f"{COLLECTION}/{name}") as response:
            assert await response.json() == body
        managed = body["metadata"]["managedFields"][0]
        assert (body["metadata"]["name"], body["data"], managed["manager"]) == (
            name,
            {"text": "é" * len(name)},
            "operator",
        )


async def test_errors_and_warnings_are_those_of_the_long_way(connect: Any) -> None:
    client = await connect("admin", "system:masters")
    for number in range(3):
        assert (await client.post(config_map(f"b{number}")))[0] == 201
    code, _, status = await client.post(config_map("b0"))
    assert (code, status["reason"]) == (409, "AlreadyExists")
    code, _, status = await client.post(config_map("B"))
    assert (code, status["reason"], status["details"]["causes"][0]["field"]) == (422, "Invalid", "metadata.name")
    code, _, status = await client.post(b"{nonsense")
    assert (code, status["reason"]) == (400, "BadRequest")
    code, headers, _ = await client.post(config_map("b9", unknown=1))
    assert (code, headers["Warning"]) == (201, '299 - "unknown field \\"unknown\\""')
    assert (await client.post(config_map("b10")))[0] == 201


async def test_a_large_object_is_answered_too(connect: Any) -> None:
    client = await connect("admin", "system:masters")
    for number in range(3):
        assert (await client.post(config_map(f"c{number}")))[0] == 201
    code, _, body = await client.post({"metadata": {"name": "large"}, "data": {"text": "x" * 500_000}})
    assert (code, len(body["data"]["text"])) == (201, 500_000)


async def test_each_request_has_its_own_user_query_and_path(gateway: Any, connect: Any) -> None:
    client = await connect()
    for number in range(3):
        code, _, status = await client.post(config_map(f"d{number}"))
        assert (code, 'User "admin"' in status["message"]) == (403, True)
    alice = await connect("")
    for number in range(4):
        code, _, status = await alice.post(config_map(f"d{number}"), authorization="Bearer secret")
        assert (code, 'User "alice"' in status["message"]) == (403, True)
    assert (await alice.post(config_map("d"), authorization="Bearer wrong"))[0] == 401
    root = await connect("root", "system:masters")
    for number in range(3):
        assert (await root.post(config_map(f"d{number}")))[0] == 201
    code, _, body = await root.post(config_map("e"), f"{COLLECTION}?fieldManager=me&fieldValidation=Strict")
    assert (code, body["metadata"]["managedFields"][0]["manager"]) == (201, "me")
    for _ in range(3):
        assert (await root.post(config_map("f"), f"{COLLECTION}?dryRun=All"))[0] == 201
    code, _, body = await root.post(config_map("g"), "/api/v1/namespaces/kube-system/configmaps")
    assert (code, body["metadata"]["namespace"]) == (201, "kube-system")
    code, _, status = await root.post(config_map("h"), impersonate_user="carol")
    assert (code, 'User "carol"' in status["message"]) == (403, True)


async def test_all_are_counted(gateway: Any, connect: Any) -> None:
    client = await connect("admin", "system:masters")
    for number in range(6):
        await client.post(config_map(f"i{number}"))
    text = await (await gateway.admin.get("/metrics")).text()
    line = next(line for line in text.splitlines() if 'resource="configmaps"' in line and "request_total" in line)
    assert 'code="201"' in line
    assert line.endswith(" 6")
