"""Protobuf in both directions: objects, lists, watches, errors, metadata, discovery; and what has no such form."""

import asyncio
import base64
import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kybern.kube import protobuf
from kybern.kube.protobuf.messages import message_class
from kybern.kube.protobuf.special import META, RUNTIME

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = {"Accept": "application/vnd.kubernetes.protobuf"}
EITHER = {"Accept": "application/vnd.kubernetes.protobuf,application/json"}
METADATA = {"Accept": "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
METADATA_LIST = {"Accept": "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
BODY = {"Content-Type": protobuf.CONTENT_TYPE}
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def object_of(response: Any) -> dict[str, Any]:
    """The object in an answer that must be protobuf."""
    assert response.headers["Content-Type"] == protobuf.CONTENT_TYPE
    return protobuf.decode(await response.read())


async def create_widgets(client: Any) -> None:
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]},
    }
    url = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    created = await client.post(url, data=protobuf.encode(crd), headers={**BODY, **EITHER})
    assert (created.status, (await object_of(created))["spec"]["names"]["listKind"]) == (201, "WidgetList")
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "labels": {"a": "b"}}}
    async with asyncio.timeout(10):
        while (await client.post(WIDGETS, json=widget)).status != 201:
            await asyncio.sleep(0.05)


async def test_verbs(gateway: Any) -> None:
    client = gateway.admin
    body = protobuf.encode(config_map("a", k="1"))
    created = await client.post(CONFIGMAPS, data=body, headers={**BODY, **PROTOBUF})
    stored = await object_of(created)
    assert (created.status, stored["data"]) == (201, {"k": "1"})
    assert await (await client.get(f"{CONFIGMAPS}/a")).json() == stored
    assert await object_of(await client.get(f"{CONFIGMAPS}/a", headers=EITHER)) == stored
    stored["data"]["k"] = "2"
    updated = await client.put(f"{CONFIGMAPS}/a", data=protobuf.encode(stored), headers={**BODY, **PROTOBUF})
    assert (updated.status, (await object_of(updated))["data"]) == (200, {"k": "2"})
    merge = {"Content-Type": "application/merge-patch+json", **PROTOBUF}
    patched = await client.patch(f"{CONFIGMAPS}/a", data=b'{"data":{"k":null,"j":"3"}}', headers=merge)
    assert (await object_of(patched))["data"] == {"j": "3"}
    options = protobuf.encode({"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]})
    deleted = await client.delete(f"{CONFIGMAPS}/a", data=options, headers={**BODY, **PROTOBUF})
    assert (deleted.status, (await object_of(deleted))["status"]) == (200, "Success")
    assert (await client.get(f"{CONFIGMAPS}/a")).status == 200
    gone = await client.delete(CONFIGMAPS, headers=PROTOBUF)
    assert (gone.status, (await object_of(gone))["kind"]) == (200, (await object_of(gone))["kind"])
    assert (await client.get(f"{CONFIGMAPS}/a")).status == 404


async def test_one_connection_posts_protobuf_and_is_answered_in_json(gateway: Any) -> None:
    """As the short way for creations is learned from the requests of a connection."""
    for name in "abcd":
        body = protobuf.encode(config_map(name, k=name))
        created = await gateway.admin.post(CONFIGMAPS, data=body, headers={**BODY, "Accept": "application/json"})
        assert (created.status, (await created.json())["data"]) == (201, {"k": name})


async def test_refusals_of_writes(gateway: Any) -> None:
    """A body of a wrong wire type; an object that has been written already; one of the name that is on its way out."""
    client = gateway.admin
    damaged = protobuf.codec.envelope("v1", "ConfigMap", b"\x08\x07")
    refused = await (await client.post(CONFIGMAPS, data=damaged, headers=BODY)).json()
    why = "proto: wrong wireType = 0 for field ObjectMeta"
    assert refused["message"] == f'ConfigMap in version "v1" cannot be handled as a ConfigMap: {why}'
    again = {**config_map("a"), "metadata": {"name": "a", "resourceVersion": "7"}}
    refused = await (await client.post(CONFIGMAPS, json=again)).json()
    assert (refused["code"], refused["message"]) == (400, "resourceVersion should not be set on objects to be created")
    kept = {**config_map("a"), "metadata": {"name": "a", "finalizers": ["a.b/c"]}}
    await client.post(CONFIGMAPS, json=kept)
    await client.delete(f"{CONFIGMAPS}/a")
    refused = await (await client.post(CONFIGMAPS, json=config_map("a"))).json()
    assert refused["message"] == 'object is being deleted: configmaps "a" already exists'
    assert (await client.get("/version", headers=PROTOBUF)).status == 406


async def test_subresources(gateway: Any) -> None:
    client = gateway.admin
    labels = {"matchLabels": {"a": "b"}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": labels, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
    url = "/apis/apps/v1/namespaces/default/deployments"
    assert (await client.post(url, data=protobuf.encode(deployment), headers={**BODY, **PROTOBUF})).status == 201
    scale = await object_of(await client.get(f"{url}/d/scale", headers=PROTOBUF))
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    scale["spec"]["replicas"] = 5
    scaled = await client.put(f"{url}/d/scale", data=protobuf.encode(scale), headers={**BODY, **PROTOBUF})
    assert (await object_of(scaled))["spec"] == {"replicas": 5}
    account = "/api/v1/namespaces/default/serviceaccounts"
    account_body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bob"}}
    await client.post(account, json=account_body)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    token = await client.post(f"{account}/bob/token", data=protobuf.encode(request), headers={**BODY, **PROTOBUF})
    found = await object_of(token)
    assert len(found["status"]["token"]) > 100
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": found["status"]}
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    answer = await object_of(await client.post(reviews, data=protobuf.encode(review), headers={**BODY, **PROTOBUF}))
    assert answer["status"]["user"]["username"] == "system:serviceaccount:default:bob"


async def test_lists(gateway: Any) -> None:
    client = gateway.admin
    for name in "abc":
        await client.post(CONFIGMAPS, json=config_map(name, k=name))
    listed = await (await client.get(CONFIGMAPS)).json()
    found = await object_of(await client.get(CONFIGMAPS, headers=EITHER))
    for item in listed["items"]:
        item.pop("kind", None), item.pop("apiVersion", None)
    assert found == listed
    page = await object_of(await client.get(CONFIGMAPS, params={"limit": "2"}, headers=EITHER))
    assert (len(page["items"]), page["metadata"]["remainingItemCount"]) == (2, 1)
    metadata = await object_of(await client.get(CONFIGMAPS, headers=METADATA_LIST))
    assert (metadata["kind"], metadata["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert [(item["metadata"]["name"], list(item)) for item in metadata["items"]] == [(n, ["metadata"]) for n in "abc"]
    zipped = {**EITHER, "Accept-Encoding": "gzip"}
    await client.post(CONFIGMAPS, json=config_map("large", k="x" * 200_000))
    large = await client.get(CONFIGMAPS, headers=zipped)
    assert (large.headers["Content-Encoding"], int(large.headers["Content-Length"]) < 10_000) == ("gzip", True)


ERRORS = {
    "missing": ("get", f"{CONFIGMAPS}/none", b"", 404, "NotFound"),
    "unknown resource": ("get", "/api/v1/nopes", b"", 404, "NotFound"),
    "invalid": ("post", CONFIGMAPS, protobuf.encode(config_map("Bad_Name")), 422, "Invalid"),
    "damaged": ("post", CONFIGMAPS, b"k8s\x00\x0a", 400, "BadRequest"),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_errors(gateway: Any, case: str) -> None:
    method, url, data, code, reason = ERRORS[case]
    answer = await gateway.admin.request(method, url, data=data or None, headers={**BODY, **EITHER})
    status = await object_of(answer)
    assert (answer.status, status["kind"], status["code"], status["reason"]) == (code, "Status", code, reason)


async def events(response: Any, count: int) -> list[tuple[str, dict[str, Any]]]:
    """The first events of a watch."""
    found = []
    for _ in range(count):
        size = int.from_bytes(await response.content.readexactly(4), "big")
        event = message_class(f"{META}.WatchEvent").FromString(await response.content.readexactly(size))
        assert event.object.DESCRIPTOR.full_name.endswith(RUNTIME.replace(".", "_") + "_RawExtension")
        found.append((event.type, protobuf.decode(event.object.f1)))
    return found


async def test_watch(gateway: Any) -> None:
    client = gateway.admin
    await client.post(CONFIGMAPS, json=config_map("a"))
    params = {"watch": "1", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    params |= {"allowWatchBookmarks": "true", "timeoutSeconds": "20"}
    streams = [await client.get(CONFIGMAPS, params=params, headers=PROTOBUF) for _ in range(2)]
    streams.append(await client.get(CONFIGMAPS, params=params, headers=METADATA))
    await client.patch(
        f"{CONFIGMAPS}/a", data=b'{"data":{"k":"1"}}', headers={"Content-Type": "application/merge-patch+json"}
    )
    await client.delete(f"{CONFIGMAPS}/a")
    for stream in streams:
        assert stream.headers["Content-Type"] == "application/vnd.kubernetes.protobuf;stream=watch"
        seen = await events(stream, 4)
        assert [event for event, _ in seen] == ["ADDED", "BOOKMARK", "MODIFIED", "DELETED"]
        kind, api_version = (
            ("ConfigMap", "v1") if stream is not streams[-1] else ("PartialObjectMetadata", "meta.k8s.io/v1")
        )
        assert {(each["kind"], each["apiVersion"]) for _, each in seen} == {(kind, api_version)}
        assert ("data" in seen[2][1]) is (kind == "ConfigMap")
        assert seen[1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        stream.close()


async def test_custom_resources(gateway: Any) -> None:
    """JSON when there is a choice, else 406; their metadata, and errors about them, have a protobuf form."""
    client = gateway.admin
    await create_widgets(client)
    answer = await client.get(f"{WIDGETS}/w", headers=EITHER)
    assert (answer.status, (await answer.json())["kind"]) == (200, "Widget")
    refused = await client.get(f"{WIDGETS}/w", headers=PROTOBUF)
    status = await object_of(refused)
    assert (refused.status, status["reason"]) == (406, "NotAcceptable")
    assert status["message"] == (
        "only the following media types are accepted: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )
    one = await object_of(await client.get(f"{WIDGETS}/w", headers=METADATA))
    assert (one["kind"], one["metadata"]["labels"]) == ("PartialObjectMetadata", {"a": "b"})
    many = await object_of(await client.get(WIDGETS, headers=METADATA_LIST))
    assert [item["metadata"]["name"] for item in many["items"]] == ["w"]
    deleted = await client.delete(f"{WIDGETS}/w", headers=EITHER)
    assert (deleted.status, (await deleted.json())["status"]) == (200, "Success")


async def test_refused_before_anything_is_written(gateway: Any) -> None:
    client = gateway.admin
    refused = await client.post(CONFIGMAPS, json=config_map("never"), headers={"Accept": "image/png"})
    assert (refused.status, json.loads(await refused.read())["reason"]) == (406, "NotAcceptable")
    assert (await client.get(f"{CONFIGMAPS}/never")).status == 404
    yaml = await client.get(CONFIGMAPS, params={"watch": "1"}, headers={"Accept": "application/yaml"})
    assert (yaml.status, "application/vnd.kubernetes.protobuf;stream=watch" in await yaml.text()) == (406, True)


async def test_tables_are_never_protobuf(gateway: Any) -> None:
    table = "as=Table;g=meta.k8s.io;v=v1"
    accept = {"Accept": f"application/vnd.kubernetes.protobuf;{table},application/json;{table}"}
    answer = await gateway.admin.get(CONFIGMAPS, headers=accept)
    assert (await answer.json())["kind"] == "Table"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/apis/apps", "APIGroup"),
        ("/apis/apps/v1", "APIResourceList"),
    ],
)
async def test_discovery(gateway: Any, url: str, kind: str) -> None:
    found = await object_of(await gateway.admin.get(url, headers=PROTOBUF))
    plain = await (await gateway.admin.get(url)).json()
    assert found == {"apiVersion": "", **plain}
    assert found["kind"] == kind


async def test_aggregated_discovery(gateway: Any) -> None:
    form = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = await gateway.admin.get("/apis", headers={"Accept": f"application/vnd.kubernetes.protobuf;{form}"})
    assert answer.headers["Content-Type"] == f"application/vnd.kubernetes.protobuf;{form}"
    found = protobuf.decode(await answer.read())
    assert (found["kind"], "apps" in {item["metadata"]["name"] for item in found["items"]}) == (
        "APIGroupDiscoveryList",
        True,
    )


async def test_items_of_lists_have_no_kind_in_any_version(gateway: Any) -> None:
    client = gateway.admin
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"maxReplicas": 3, "scaleTargetRef": target}
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": spec,
    }
    url = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    assert (await client.post(url.format("v2"), json=scaler)).status == 201
    for path in (url.format("v1"), url.format("v2"), "/api/v1/componentstatuses"):
        plain = await (await client.get(path)).json()
        assert ["kind" in item for item in plain["items"]] == [False] * (3 if "component" in path else 1)
        for item in plain["items"]:  # an empty list that JSON shows as null has no place in protobuf
            item.update(status={k: v for k, v in item["status"].items() if v is not None} if "status" in item else {})
        found = await object_of(await client.get(path, headers=PROTOBUF))
        assert [{"status": {}, **item} for item in found.pop("items")] == plain.pop("items")
        assert found == plain


async def test_a_large_list_while_things_change(gateway: Any) -> None:
    """It comes in several chunks, is held while nothing changes, and is never old."""
    client = gateway.admin
    for number in range(30):
        await client.post(CONFIGMAPS, json=config_map(f"c{number:02}", k="x" * 60_000))
    lists = [await object_of(await client.get(CONFIGMAPS, headers=PROTOBUF)) for _ in range(3)]
    assert [len(found["items"]) for found in lists] == [30, 30, 30]
    assert lists[0] == lists[1] == lists[2]
    other = await client.post("/api/v1/namespaces", json={"metadata": {"name": "other"}})
    assert other.status == 201
    later = await object_of(await client.get(CONFIGMAPS, headers=PROTOBUF))
    assert later["items"] == lists[0]["items"]
    await client.delete(f"{CONFIGMAPS}/c07")
    plain = await (await client.get(CONFIGMAPS)).json()
    assert await object_of(await client.get(CONFIGMAPS, headers=PROTOBUF)) == plain
    metadata = await object_of(await client.get(CONFIGMAPS, headers=METADATA_LIST))
    assert [item["metadata"] for item in metadata["items"]] == [item["metadata"] for item in plain["items"]]
    zipped = await client.get(CONFIGMAPS, headers={**PROTOBUF, "Accept-Encoding": "gzip"})
    assert protobuf.decode(gzip.decompress(await zipped.read())) == plain


GOLDEN = json.loads((Path(__file__).parents[2] / "unit/kube/protobuf/golden.json").read_text())
URLS = {
    "Pod": "/api/v1/namespaces/default/pods",
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "Service": "/api/v1/namespaces/default/services",
    "ConfigMap": CONFIGMAPS,
    "Event": "/api/v1/namespaces/default/events",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
    "CronJob": "/apis/batch/v1/namespaces/default/cronjobs",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}


@pytest.mark.parametrize("kind", URLS)
async def test_damaged_bodies_are_refused_or_understood(gateway: Any, kind: str) -> None:
    """Whatever a body has become: an answer that is no 500, and an object that can be read in both forms."""
    random = Random(kind)
    bodies = [base64.b64decode(form["protobuf"]) for name, form in GOLDEN.items() if name.startswith(f"{kind}/")]
    for _ in range(40):
        body = bytearray(random.choice(bodies))
        for _ in range(random.randint(1, 3)):
            at = random.randrange(4, len(body))
            body[at : at + random.randint(0, 2)] = random.randbytes(random.randint(0, 2))
        answer = await gateway.admin.post(URLS[kind], data=bytes(body), headers={**BODY, **PROTOBUF})
        assert answer.status in (201, 400, 409, 415, 422), (bytes(body), await answer.read())
        if answer.status == 201:
            url = f"{URLS[kind]}/{(await object_of(answer))['metadata']['name']}"
            assert (await object_of(await gateway.admin.get(url, headers=PROTOBUF)))["kind"] == kind
            assert (await gateway.admin.delete(url, params={"gracePeriodSeconds": "0"})).status in (200, 202)
