"""The short way of a GET answers what the long way answers, and takes nobody for somebody else."""

import asyncio
from typing import Any

import pytest

OBJECT = "/api/v1/namespaces/default"
LONG_WAY = {"traceparent": "00-11111111111111111111111111111111-2222222222222222-00"}


@pytest.mark.parametrize(
    ("path", "code"),
    [(OBJECT, 200), ("/api/v1/namespaces/nothing", 404), ("/api/v1/namespaces/default/secrets/none", 404)],
)
async def test_both_ways_give_the_same_answer(gateway: Any, path: str, code: int) -> None:
    answers = []
    for headers in ({}, LONG_WAY):
        async with gateway.admin.get(path, headers=headers) as response:
            kept = {k: v for k, v in response.headers.items() if k not in ("Date", "Audit-Id")}
            answers.append((response.status, kept, await response.read()))
    assert answers[0] == answers[1]
    assert answers[0][0] == code


async def test_impersonation_is_heeded(gateway: Any) -> None:
    assert (await gateway.admin.get(OBJECT)).status == 200
    for headers in ({"Impersonate-User": "carol"}, {"Impersonate-User": "carol", "Impersonate-Group": "x"}):
        async with gateway.admin.get(OBJECT, headers=headers) as response:
            assert response.status == 403
            assert 'User "carol"' in (await response.json())["message"]
    assert (await gateway.admin.get(OBJECT)).status == 200


async def test_each_request_of_a_connection_has_its_own_token(gateway: Any) -> None:
    async with gateway.client() as session:
        for token, said in (("secret", 'User "alice"'), ("wrong", "Unauthorized"), ("", 'User "system:anonymous"')):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with session.get(OBJECT, headers=headers) as response:
                assert said in (await response.json())["message"]


async def test_requests_of_both_ways_are_counted(gateway: Any) -> None:
    for headers in ({}, LONG_WAY):
        await gateway.admin.get(OBJECT, headers=headers)
    text = await (await gateway.admin.get("/metrics")).text()
    line = next(line for line in text.splitlines() if 'resource="namespaces"' in line and "request_total" in line)
    assert 'code="200"' in line
    assert line.endswith(" 2")


def message(path: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join((f"GET {path} HTTP/{version}", "Host: x", *headers, "", "")).encode()


async def exchange(gateway: Any, *parts: bytes, answers: int) -> list[tuple[int, bytes]]:
    """Send the parts as they are, with a pause between them; code and body of each answer."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.port, ssl=gateway.tls("admin", "system:masters")
    )
    found = []
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.02)
        for _ in range(answers):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            found.append((int(head.split()[1]), await reader.readexactly(int(length.split()[1]))))
    finally:
        writer.close()
    return found


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([message(OBJECT)] * 3, id="one at a time"),
        pytest.param([message(OBJECT) * 3], id="pipelined"),
        pytest.param([message(OBJECT), message(OBJECT) + message(OBJECT)[:30], message(OBJECT)[30:]], id="in pieces"),
        pytest.param([message(OBJECT), message(OBJECT)[:10], message(OBJECT)[10:] + message(OBJECT)], id="cut early"),
    ],
)
async def test_requests_are_told_apart_however_they_arrive(gateway: Any, parts: list[bytes]) -> None:
    codes = [(code, b'"name":"default"' in body) for code, body in await exchange(gateway, *parts, answers=3)]
    assert codes == [(200, True)] * 3


async def test_the_same_head_does_not_mean_the_same_object_or_version(gateway: Any) -> None:
    other = "/api/v1/namespaces/kube-system"
    requests = [message(path) for path in (OBJECT, other, OBJECT, "/api/v1/namespaces/none", other)]
    found = await exchange(gateway, *requests, answers=5)
    assert [code for code, _ in found] == [200, 200, 200, 404, 200]
    assert [b'"name":"kube-system"' in body for _, body in found] == [False, True, False, False, True]
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.port, ssl=gateway.tls("admin", "system:masters")
    )
    writer.write(message(OBJECT))
    await asyncio.sleep(0.05)
    writer.write(message(OBJECT, version="1.0"))
    everything = await asyncio.wait_for(reader.read(), 5)
    assert everything.count(b"HTTP/1.1 200 OK") == 2
    writer.close()


async def test_an_object_of_a_definition_that_is_gone(gateway: Any) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/none"
    assert [code for code, _ in await exchange(gateway, *[message(path)] * 3, answers=3)] == [404] * 3


async def test_requests_at_the_same_time_are_each_answered_with_what_was_acknowledged_before_them(gateway: Any) -> None:
    path, mark = "/api/v1/namespaces/default/configmaps/seen", {"apiVersion": "v1", "kind": "ConfigMap"}
    acknowledged, done, answered = 0, asyncio.Event(), 0
    body = mark | {"metadata": {"name": "seen"}, "data": {"count": "0"}}
    await gateway.admin.post(path.rpartition("/")[0], json=body)

    async def write() -> None:
        nonlocal acknowledged
        for count in range(1, 60):
            async with gateway.admin.put(path, json=body | {"data": {"count": str(count)}}) as response:
                assert response.status == 200
            acknowledged = count
        done.set()

    async def read(session: Any) -> None:
        nonlocal answered
        while not done.is_set():
            before = acknowledged
            async with session.get(path) as response:
                assert int((await response.json())["data"]["count"]) >= before
            answered += 1

    async with gateway.client("admin", "system:masters") as session, asyncio.TaskGroup() as group:
        group.create_task(write())
        for _ in range(16):
            group.create_task(read(session))
    assert answered > 100


async def test_requests_at_the_same_time_share_no_rights_and_all_hear_of_a_failure(gateway: Any) -> None:
    path = "/api/v1/namespaces/default/secrets/none"
    async with gateway.client("admin", "system:masters") as admin, gateway.client("alice") as alice:
        answers = await asyncio.gather(*(session.get(path) for session in (admin, alice) for _ in range(20)))
        said = [(response.status, (await response.json())["message"]) for response in answers]
    assert set(said[:20]) == {(404, 'secrets "none" not found')}
    assert {code for code, _ in said[20:]} == {403}


async def test_clients_that_leave_meanwhile_take_no_answer_from_the_others(gateway: Any) -> None:
    async def ask(stay: bool) -> int | None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.port, ssl=gateway.tls("admin", "system:masters")
        )
        writer.write(message(OBJECT))
        if not stay:
            writer.transport.abort()
            return None
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
        return int(head.split()[1])

    found = await asyncio.gather(*(ask(stay=n % 2 == 0) for n in range(20)))
    assert found == [200, None] * 10
