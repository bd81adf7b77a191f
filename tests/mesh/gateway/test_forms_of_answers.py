"""Answers in the form that was asked for where few ask: deletions of collections, logs that nobody has, dry runs."""

from typing import Any

import pytest

CONFIGMAPS, PODS = "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/pods"
FORM = "application/json;as=%s;v=v1;g=meta.k8s.io"


async def test_a_collection_is_deleted_as_a_table(gateway: Any) -> None:
    await gateway.admin.post(CONFIGMAPS, json={"metadata": {"name": "a"}, "data": {"x": "y"}})
    dry = {"dryRun": "All"}
    answer = await gateway.admin.delete(CONFIGMAPS, params=dry, headers={"Accept": FORM % "Table"})
    table = await answer.json()
    assert (answer.status, table["kind"], [row["cells"][:2] for row in table["rows"]]) == (200, "Table", [["a", 1]])
    answer = await gateway.admin.delete(CONFIGMAPS, params=dry, headers={"Accept": FORM % "PartialObjectMetadataList"})
    found = await answer.json()
    assert (found["kind"], found["items"][0]["kind"]) == ("PartialObjectMetadataList", "PartialObjectMetadata")
    assert "data" not in found["items"][0]
    answer = await gateway.admin.delete(CONFIGMAPS, params=dry, headers={"Accept": FORM % "PartialObjectMetadata"})
    assert (answer.status, (await answer.json())["message"]) == (
        406, "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)",
    )  # fmt: skip


async def test_a_pod_that_no_node_has_says_nothing(gateway: Any) -> None:
    await gateway.admin.post("/api/v1/namespaces/default/serviceaccounts", json={"metadata": {"name": "default"}})
    made = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert (await gateway.admin.post(PODS, json=made)).status == 201
    answer = await gateway.admin.get(f"{PODS}/p/log")
    assert (answer.status, "Content-Type" in answer.headers, "Content-Length" in answer.headers) == (204, False, False)
    assert await answer.read() == b""


@pytest.mark.parametrize("way", ["exec", "attach", "portforward", "proxy", "proxy/x"])
@pytest.mark.parametrize("said", ["All", "", "x"])
async def test_nobody_connects_as_a_dry_run(gateway: Any, way: str, said: str) -> None:
    answer = await gateway.admin.post(f"{PODS}/p/{way}", params={"dryRun": said})
    assert (answer.status, (await answer.json())["message"]) == (400, "dryRun is not supported")


@pytest.mark.parametrize("version", ["x", "0", "7", "-1", "99999999999999999999"])
async def test_a_dry_run_shows_the_version_that_it_was_given(gateway: Any, version: str) -> None:
    body = {"metadata": {"name": "b", "resourceVersion": version}}
    made = await (await gateway.admin.post(CONFIGMAPS, params={"dryRun": "All"}, json=body)).json()
    assert made["metadata"]["resourceVersion"] == version


async def test_what_is_named_twice_adds_up(gateway: Any) -> None:
    body = b'{"metadata":{"name":"a"},"data":{"x":"1"},"data":{"y":"2"},"metadata":{"labels":{"l":"m"}}}'
    answer = await gateway.admin.post(CONFIGMAPS, data=body, headers={"Content-Type": "application/json"})
    made = await answer.json()
    assert (made["metadata"]["labels"], made["data"]) == ({"l": "m"}, {"x": "1", "y": "2"})
    assert answer.headers.getall("Warning") == [
        '299 - "duplicate field \\"data\\""',
        '299 - "duplicate field \\"metadata\\""',
    ]


async def test_a_wrong_type_that_is_named_twice_is_told(gateway: Any) -> None:
    body, how = b'{"metadata":{"name":3,"name":"c"}}', {"Content-Type": "application/json"}
    answer = await gateway.admin.post(CONFIGMAPS, data=body, headers=how)
    assert answer.status == 400
    assert "cannot unmarshal number into Go struct field ObjectMeta" in (await answer.json())["message"]
