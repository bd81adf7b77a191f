"""The short way of a GET answers what the long way answers, and takes nobody for somebody else."""

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
    assert line.endswith(" 2.0")
