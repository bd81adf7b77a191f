"""How long a request may take, how deep it may nest, how often it may repeat itself."""

import time
from typing import Any

import pytest

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
DEEPEST = 200


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


async def test_a_request_ends_at_its_own_timeout(gateway: Any) -> None:
    """A read that waits for a revision that is not there yet."""
    started = time.monotonic()
    path = f"{CONFIGMAPS}/none?resourceVersion=999999999&timeout=300ms"
    async with gateway.admin.get(path) as response:
        status = await response.json()
    assert 0.25 < time.monotonic() - started < 2
    assert (response.status, status["reason"], status["code"]) == (504, "Timeout", 504)
    expected = "Timeout: request did not complete within requested timeout - context deadline exceeded"
    assert status["message"] == expected


async def test_a_timeout_that_is_none_is_refused(gateway: Any) -> None:
    async with gateway.admin.get(f"{CONFIGMAPS}?timeout=soon") as response:
        status = await response.json()
    assert (response.status, status["reason"]) == (400, "BadRequest")
    assert status["message"] == 'invalid timeout specified in the request URL - time: invalid duration "soon"'
    async with gateway.admin.get(f"{CONFIGMAPS}?timeout=0s") as response:
        assert response.status == 200


@pytest.mark.parametrize("kind", ["create", "yaml", *PATCHES])
async def test_bodies_that_nest_too_deeply_are_refused(gateway: Any, kind: str) -> None:
    """As deep as allowed is taken (and what is unknown in it dropped), one level more is not."""
    name = f"deep-{kind}"
    for extra, refused in ((0, False), (1, True), (100, True), (3000, True)):
        inner = nested(DEEPEST - 1 + extra)
        body = f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}-{extra}"}},"x":{inner}}}'
        url = f"{CONFIGMAPS}/{name}-{extra}"
        if kind in ("create", "yaml"):
            media = "application/json" if kind == "create" else "application/yaml"
            request = gateway.admin.post(CONFIGMAPS, data=body, headers={"Content-Type": media})
        else:
            if kind == "json":
                body = f'[{{"op":"add","path":"/x","value":{nested(DEEPEST - 2 + extra)}}}]'
            if kind != "apply":
                async with gateway.admin.post(CONFIGMAPS, json={"metadata": {"name": f"{name}-{extra}"}}) as response:
                    assert response.status == 201
            headers = {"Content-Type": PATCHES[kind]}
            request = gateway.admin.patch(f"{url}?fieldManager=me", data=body, headers=headers)
        async with request as response:
            text = await response.text()
        assert response.status < 500, text[:300]
        undeclared = "field not declared in schema" in text  # which an apply must not have
        assert (response.status == 400 and not undeclared) is refused, (extra, text[:300])


async def test_yaml_that_multiplies_itself_is_refused(gateway: Any) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20))
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: laughs}}\na0: &a0 [x]\n{levels}\n"
    started = time.monotonic()
    for request in (
        gateway.admin.post(CONFIGMAPS, data=body, headers={"Content-Type": "application/yaml"}),
        gateway.admin.patch(
            f"{CONFIGMAPS}/laughs?fieldManager=me", data=body, headers={"Content-Type": PATCHES["apply"]}
        ),
    ):
        async with request as response:
            assert response.status == 400
            assert "document contains excessive aliasing" in await response.text()
    assert time.monotonic() - started < 5


async def test_a_json_patch_has_ten_thousand_operations_at_most(gateway: Any) -> None:
    async with gateway.admin.post(CONFIGMAPS, json={"metadata": {"name": "patched"}}) as response:
        assert response.status == 201
    for count, code in ((10_000, 200), (10_001, 413)):
        operations = [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * count
        headers = {"Content-Type": PATCHES["json"]}
        async with gateway.admin.patch(f"{CONFIGMAPS}/patched", json=operations, headers=headers) as response:
            status = await response.json()
        assert response.status == code
    assert status["reason"] == "RequestEntityTooLarge"
    assert "The allowed maximum operations in a JSON patch is 10000, got 10001" in status["message"]
