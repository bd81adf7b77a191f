"""The REST API through a real gateway and apiserver: verbs, forms, errors, discovery, identities."""

import asyncio
import gzip
import io
import json
from typing import Any

import aiohttp
import yaml

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_verbs(gateway: Any) -> None:
    client = gateway.admin
    created = await client.post(CONFIGMAPS, json=config_map("a", k="1"))
    assert created.status == 201
    assert created.headers["Cache-Control"] == "no-cache, private"
    assert len(created.headers["Audit-Id"]) == 36
    stored = await created.json()
    assert (await (await client.get(f"{CONFIGMAPS}/a")).json()) == stored
    stored["data"]["k"] = "2"
    updated = await client.put(f"{CONFIGMAPS}/a", json=stored)
    assert (updated.status, (await updated.json())["data"]) == (200, {"k": "2"})
    stale = await client.put(f"{CONFIGMAPS}/a", json=stored)
    assert (stale.status, (await stale.json())["reason"]) == (409, "Conflict")
    merge = {"Content-Type": "application/merge-patch+json"}
    patched = await client.patch(f"{CONFIGMAPS}/a", data=b'{"data":{"k":null,"j":"3"}}', headers=merge)
    assert (await patched.json())["data"] == {"j": "3"}
    listed = await (await client.get(CONFIGMAPS, params={"labelSelector": "!x"})).json()
    assert (listed["kind"], [i["metadata"]["name"] for i in listed["items"]]) == ("ConfigMapList", ["a"])
    deleted = await client.delete(f"{CONFIGMAPS}/a")
    assert (deleted.status, (await deleted.json())["status"]) == (200, "Success")
    assert (await client.get(f"{CONFIGMAPS}/a")).status == 404


async def test_delete_collection_and_options(gateway: Any) -> None:
    client = gateway.admin
    for name in ("a", "b"):
        await client.post(CONFIGMAPS, json=config_map(name))
    dry = await client.delete(f"{CONFIGMAPS}/a", params={"dryRun": "All"})
    assert dry.status == 200
    assert (await client.get(f"{CONFIGMAPS}/a")).status == 200
    assert (await client.delete(CONFIGMAPS)).status == 200
    assert (await (await client.get(CONFIGMAPS)).json())["items"] == []


async def test_pages(gateway: Any) -> None:
    for name in "abc":
        await gateway.admin.post(CONFIGMAPS, json=config_map(name))
    first = await (await gateway.admin.get(CONFIGMAPS, params={"limit": "2"})).json()
    assert first["metadata"]["remainingItemCount"] == 1
    params = {"limit": "2", "continue": first["metadata"]["continue"]}
    second = await (await gateway.admin.get(CONFIGMAPS, params=params)).json()
    assert [i["metadata"]["name"] for i in first["items"] + second["items"]] == ["a", "b", "c"]


async def test_yaml_both_ways(gateway: Any) -> None:
    headers = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    created = await gateway.admin.post(CONFIGMAPS, data=yaml.safe_dump(config_map("yes-no", a="b")), headers=headers)
    assert (created.status, created.headers["Content-Type"]) == (201, "application/yaml")
    assert yaml.safe_load(await created.text())["data"] == {"a": "b"}


async def test_tables_and_partial_metadata(gateway: Any) -> None:
    await gateway.admin.post(CONFIGMAPS, json=config_map("t", a="b"))
    shown = await (await gateway.admin.get(CONFIGMAPS, headers={"Accept": TABLE})).json()
    assert shown["kind"] == "Table"
    assert shown["rows"][0]["cells"][:2] == ["t", 1]
    assert shown["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert shown["metadata"]["resourceVersion"]
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    partial = await (await gateway.admin.get(CONFIGMAPS, headers={"Accept": accept})).json()
    assert partial["kind"] == "PartialObjectMetadataList"
    assert "data" not in partial["items"][0]


async def test_large_answers_are_compressed(gateway: Any) -> None:
    await gateway.admin.post(CONFIGMAPS, json=config_map("big", a="x" * 200_000))
    for path in (CONFIGMAPS, f"{CONFIGMAPS}/big"):
        async with gateway.admin.get(path, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Content-Encoding"] == "gzip"
            assert "x" * 200_000 in gzip.decompress(await packed.read()).decode()
        async with gateway.admin.get(path, headers={"Accept-Encoding": "identity"}) as plain:
            assert "Content-Encoding" not in plain.headers


async def test_a_list_of_several_chunks(gateway: Any) -> None:
    for index in range(5):
        await gateway.admin.post(CONFIGMAPS, json=config_map(f"c{index}", a="x" * 600_000))
    for encoding in ("gzip", "identity"):
        async with gateway.admin.get(CONFIGMAPS, headers={"Accept-Encoding": encoding}) as answer:
            body = await answer.read()
        document = json.loads(gzip.decompress(body) if encoding == "gzip" else body)
        assert [i["metadata"]["name"] for i in document["items"]] == [f"c{i}" for i in range(5)]
        assert document["metadata"]["resourceVersion"]


async def events(response: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        return [json.loads(await response.content.readline()) for _ in range(count)]


async def test_watch(gateway: Any) -> None:
    client = gateway.admin
    version = (await (await client.get(CONFIGMAPS)).json())["metadata"]["resourceVersion"]
    async with client.get(CONFIGMAPS, params={"watch": "1", "resourceVersion": version}) as watching:
        await client.post(CONFIGMAPS, json=config_map("w"))
        await client.delete(f"{CONFIGMAPS}/w")
        found = await events(watching, 2)
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in found] == [("ADDED", "w"), ("DELETED", "w")]
    accept = {"Accept": TABLE}
    async with client.get(
        f"/api/v1/watch/namespaces/default/configmaps?resourceVersion={version}", headers=accept
    ) as old:
        shown = await events(old, 2)
        assert shown[0]["object"]["columnDefinitions"]
        assert shown[1]["object"]["columnDefinitions"] is None
    async with client.get(
        CONFIGMAPS, params={"watch": "1", "resourceVersion": version, "timeoutSeconds": "1"}
    ) as short:
        assert len((await short.read()).splitlines()) == 2


async def test_refusals(gateway: Any) -> None:
    client = gateway.admin
    cases = [
        (client.get("/api/v1/nothing"), 404, "NotFound"),
        (client.get("/apis/apps/v9/deployments"), 404, "NotFound"),
        (client.get("/api/v1/namespaces/default/nodes"), 404, "NotFound"),
        (client.post("/api/v1/configmaps", json=config_map("x")), 405, "MethodNotAllowed"),
        (client.post(f"{CONFIGMAPS}/a", json=config_map("a")), 405, "MethodNotAllowed"),
        (client.put(CONFIGMAPS, json=config_map("a")), 405, "MethodNotAllowed"),
        (client.get(CONFIGMAPS, headers={"Accept": "image/png"}), 406, "NotAcceptable"),
        (client.post(CONFIGMAPS, data=b"x", headers={"Content-Type": "text/plain"}), 415, "UnsupportedMediaType"),
        (
            client.patch(f"{CONFIGMAPS}/a", data=b"{}", headers={"Content-Type": "application/json"}),
            415,
            "UnsupportedMediaType",
        ),
        (client.post(CONFIGMAPS, data=b"{", headers={"Content-Type": "application/json"}), 400, "BadRequest"),
        (client.get(CONFIGMAPS, params={"labelSelector": "a b"}), 400, "BadRequest"),
        (client.get(CONFIGMAPS, params={"limit": "many"}), 400, "BadRequest"),
        (client.post(CONFIGMAPS, data=io.BytesIO(b"x" * (3 << 20 | 1))), 413, "RequestEntityTooLarge"),
        (client.get("/version?timeout=soon"), 400, "BadRequest"),
        (client.get("/api/v1/namespaces/default/services/kubernetes/proxy/x"), 503, "ServiceUnavailable"),
        (client.get("/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=1"), 404, "NotFound"),
        (client.get(CONFIGMAPS + "?watch=1", headers={"Accept": "application/yaml"}), 406, "NotAcceptable"),
    ]
    for request, code, reason in cases:
        async with request as response:
            found = yaml.safe_load(await response.read())  # JSON, or YAML where the client wants that
            assert (response.status, found.get("reason"), found.get("code")) == (code, reason, code), found
    for path in ("/nothing", "/apis/nothing.example.com/v1/x"):
        async with client.get(path) as response:
            assert (response.status, await response.text()) == (404, "404 page not found\n")


async def test_identities(gateway: Any) -> None:
    async with gateway.client() as nobody:
        assert (await nobody.get("/version")).status == 200
        assert (await nobody.get("/livez")).status == 200
        refused = await nobody.get(CONFIGMAPS)
        assert refused.status == 403
        assert 'User "system:anonymous" cannot list resource "configmaps"' in (await refused.json())["message"]
        wrong = await nobody.get(CONFIGMAPS, headers={"Authorization": "Bearer wrong"})
        assert (wrong.status, (await wrong.json())["reason"]) == (401, "Unauthorized")
        known = await nobody.get(CONFIGMAPS, headers={"Authorization": "Bearer secret"})
        assert 'User "alice"' in (await known.json())["message"]
        assert (await nobody.get("/metrics")).status == 403
    async with gateway.client("bob", "devs") as bob:
        assert 'User "bob"' in (await (await bob.get(CONFIGMAPS)).json())["message"]
    async with gateway.client("bob", "devs") as bob:  # what is not there is a resource all the same
        path = "/apis/authentication.k8s.io/v1alpha1/selfsubjectreviews"
        assert (await bob.post(path, json={})).status == 404  # system:basic-user lets everybody ask
        refused = await (await bob.delete("/apis/x.io/v1/namespaces/n/things/a/part")).json()
        words = 'User "bob" cannot delete resource "things/part" in API group "x.io" in the namespace "n"'
        assert (refused["code"], words in refused["message"]) == (403, True), refused
    as_carol = {"Impersonate-User": "carol", "Impersonate-Group": "x"}
    refused = await gateway.admin.get(CONFIGMAPS, headers=as_carol)
    assert 'User "carol"' in (await refused.json())["message"]


async def test_discovery(gateway: Any) -> None:
    client = gateway.admin
    assert (await (await client.get("/api")).json())["versions"] == ["v1"]
    names = [r["name"] for r in (await (await client.get("/api/v1")).json())["resources"]]
    assert {"pods", "pods/log", "pods/exec", "namespaces/finalize"} <= set(names)
    assert "apps" in [g["name"] for g in (await (await client.get("/apis")).json())["groups"]]
    accept = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    async with client.get("/apis", headers=accept) as aggregated:
        assert (await aggregated.json(content_type=None))["kind"] == "APIGroupDiscoveryList"
        etag = {"If-None-Match": aggregated.headers["ETag"]}
    assert (await client.get("/apis", headers=accept | etag)).status == 304
    index = (await (await client.get("/openapi/v3")).json(content_type=None))["paths"]
    document = await (await client.get(index["apis/apps/v1"]["serverRelativeURL"])).json()
    assert document["openapi"].startswith("3.")
    assert (await (await client.get("/version")).json())["gitVersion"].startswith("v1.36.")
    assert "/apis/apps/v1" in (await (await client.get("/")).json())["paths"]


async def test_deprecated_kinds_warn(gateway: Any) -> None:
    wanted = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    for path in ("/api/v1/endpoints", "/api/v1/namespaces/default/endpoints/kubernetes", "/api/v1/endpoints?watch=1"):
        async with gateway.admin.get(path) as response:
            assert response.headers.getall("Warning") == [wanted]
    async with gateway.admin.get(CONFIGMAPS) as response:
        assert "Warning" not in response.headers


async def test_deprecated_versions_of_custom_resources_warn(gateway: Any) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": schema},
        {"name": "v1beta1", "served": True, "storage": False, "schema": schema, "deprecated": True},
    ]
    crd = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"plural": "widgets", "kind": "Widget"},
            "scope": "Namespaced",
            "versions": versions,
        },
    }
    client, old = gateway.admin, "/apis/example.com/v1beta1/namespaces/default/widgets"
    assert (await client.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=crd)).status == 201
    async with asyncio.timeout(10):
        while (await client.get(old)).status != 200:
            await asyncio.sleep(0.05)
    widget = {"apiVersion": "example.com/v1beta1", "kind": "Widget", "metadata": {"name": "w"}}
    for response in (await client.get(old), await client.post(old, json=widget), await client.get(f"{old}/w")):
        assert response.headers.getall("Warning") == [
            '299 - "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget"'
        ]
    assert "Warning" not in (await client.get(f"{old}/w".replace("v1beta1", "v1"))).headers


async def test_health_and_metrics(gateway: Any) -> None:
    client = gateway.admin
    assert await (await client.get("/readyz")).text() == "ok"
    verbose = await (await client.get("/readyz?verbose")).text()
    lines = verbose.splitlines()
    assert lines[:3] == ["[+]ping ok", "[+]log ok", "[+]etcd ok"]
    assert lines[-2:] == ["[+]shutdown ok", "readyz check passed"]
    assert {"[+]informer-sync ok", "[+]poststarthook/rbac/bootstrap-roles ok"} < set(lines)
    assert "apiserver ok" not in await (await client.get("/livez?verbose")).text()
    for check in ("/readyz/ping", "/livez/etcd", "/healthz/poststarthook/rbac/bootstrap-roles"):
        assert await (await client.get(check)).text() == "ok"
    slis = await (await client.get("/metrics/slis")).text()
    assert 'kubernetes_healthcheck{name="etcd",type="livez"} 1\n' in slis
    assert 'kubernetes_healthchecks_total{name="ping",status="success",type="readyz"}' in slis
    assert (await client.get("/readyz/none")).status == 404
    await client.get(CONFIGMAPS)
    text = await (await client.get("/metrics")).text()
    counted = 'code="200",component="apiserver",dry_run="",group="",resource="configmaps",scope="namespace"'
    assert f'apiserver_request_total{{{counted},subresource="",verb="LIST",version="v1"}} 1\n' in text
    assert 'apiserver_request_sli_duration_seconds_count{component="apiserver",group="",resource="configmaps"' in text
    assert 'apiserver_current_inflight_requests{request_kind="readOnly"} 1\n' in text
    assert 'apiserver_storage_objects{resource="namespaces"} ' in text
    assert 'kubernetes_build_info{build_date="' in text
    assert "_created{" not in text
    assert text.count("# TYPE apiserver_request_total counter") == 1
    assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="catch-all"}' in text  # the apiserver's


async def test_a_gateway_that_stops_ends_its_watches_cleanly(gateway: Any) -> None:
    async with gateway.admin.get(CONFIGMAPS, params={"watch": "1"}) as watching:
        started = asyncio.get_running_loop().time()
        await gateway.stop()
        await asyncio.wait_for(watching.read(), 2)
        assert asyncio.get_running_loop().time() - started < 1.5
