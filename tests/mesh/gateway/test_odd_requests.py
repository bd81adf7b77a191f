"""What older and odd clients ask: `export`, an empty group with its slash, unknown members given twice."""

from typing import Any

import pytest

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.mark.parametrize(
    ("query", "status"), [("export=true", 400), ("export", 400), ("export=1", 400), ("export=false", 200), ("", 200)]
)
async def test_export(gateway: Any, query: str, status: int) -> None:
    answer = await gateway.admin.get(f"/api/v1/namespaces/default?{query}")
    assert answer.status == status
    if status == 400:
        message = "the export parameter, deprecated since v1.14, is no longer supported"
        assert (await answer.json())["message"] == message


async def test_an_empty_group_with_its_slash(gateway: Any) -> None:
    answer = await gateway.admin.post(
        CONFIGMAPS, json={"apiVersion": "/v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    )
    assert (answer.status, (await answer.json())["apiVersion"]) == (201, "v1")


async def test_an_unknown_member_twice_is_unknown(gateway: Any) -> None:
    body = b'{"metadata":{"name":"a"},"odd":1,"odd":{"x":1},"data":{"k":"a"},"data":{}}'
    answer = await gateway.admin.post(
        f"{CONFIGMAPS}?fieldValidation=Strict", data=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status == 400
    assert (await answer.json())["message"].endswith(': unknown field "odd", duplicate field "data"')


async def test_problems_of_a_json_patch_come_in_its_order(gateway: Any) -> None:
    await gateway.admin.post(CONFIGMAPS, json={"metadata": {"name": "a"}})
    patch = b'[{"op":"add","path":"/data","value":{},"foo":1},{"op":"test","path":"/data","path":"/data","value":{}}]'
    answer = await gateway.admin.patch(f"{CONFIGMAPS}/a", data=patch, headers=PATCH)
    warned = [text.removeprefix("299 - ") for text in answer.headers.getall("Warning")]
    assert warned == ['"json patch unknown field \\"[0].foo\\""', '"json patch duplicate field \\"[1].path\\""']
