"""The verbs on ordinary objects, as a client sees them."""

import asyncio
from typing import Any

import orjson
import pytest

from kybern.apiserver.service import compact_once
from kybern.client.objects import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, NODES, PODS, REPLICA_SETS, SECRETS, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb


def config_map(name: str, **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def deployment(name: str, **spec) -> dict:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


async def refused(awaitable) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


async def test_create_get_list_update_patch_delete(admin: Client) -> None:
    created = await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    assert created["metadata"]["resourceVersion"]
    assert created["metadata"]["uid"]
    assert await admin.get(CONFIG_MAPS, "a", "default") == created
    listed = await admin.list(CONFIG_MAPS, "default")
    assert listed.items == [created]
    created["data"]["x"] = "2"
    updated = await admin.update(CONFIG_MAPS, created)
    assert int(updated["metadata"]["resourceVersion"]) > int(listed.resource_version)
    patched = await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"y": "3"}})
    assert patched["data"] == {"x": "2", "y": "3"}
    stale = await refused(admin.update(CONFIG_MAPS, created))
    assert stale.reason == "Conflict"
    assert stale.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )
    await admin.delete(CONFIG_MAPS, "a", "default")
    gone = await refused(admin.get(CONFIG_MAPS, "a", "default"))
    assert (gone.code, gone.message) == (404, 'configmaps "a" not found')


async def test_bytes_are_what_was_stored_and_list_items_drop_kind_and_version(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, config_map("a"))
    request = pb.GetRequest(resource=pb.Resource(version="v1", resource="configmaps", namespace="default"), name="a")
    got = (await admin.calls.call("get", request, "", 5)).object
    assert got.startswith(b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"')
    listing = pb.ListRequest(resource=request.resource)
    chunks = [chunk async for chunk in admin.calls.stream("list", listing, "", 5)]
    assert len(chunks) == 1
    assert chunks[0].last
    assert chunks[0].items == b"{" + got[len(b'{"kind":"ConfigMap","apiVersion":"v1",') :]


async def test_generate_name(admin: Client) -> None:
    made = [
        await admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-", "namespace": "default"}}) for _ in range(3)
    ]
    names = {obj["metadata"]["name"] for obj in made}
    assert len(names) == 3
    assert all(name.startswith("x-") and len(name) == 7 for name in names)


async def test_a_name_that_is_given_is_not_generated_anew(admin: Client) -> None:
    named = {"metadata": {"name": "x-1", "generateName": "x-", "namespace": "default"}}
    await admin.create(CONFIG_MAPS, named)
    error = await refused(admin.create(CONFIG_MAPS, named))
    assert (error.code, error.reason) == (409, "AlreadyExists")
    assert 'configmaps "x-1" already exists' in error.message
    assert [obj["metadata"]["name"] for obj in (await admin.list(CONFIG_MAPS, "default")).items] == ["x-1"]


async def test_what_exists_already(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, config_map("a"))
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.reason, error.message) == (409, "AlreadyExists", 'configmaps "a" already exists')


@pytest.mark.parametrize(
    ("obj", "code", "words"),
    [
        ({"metadata": {"name": "A"}}, 422, 'ConfigMap "A" is invalid: metadata.name: Invalid value: "A": a lowercase'),
        ({"metadata": {"name": "a", "namespace": "other"}}, 400, "the namespace of the provided object does not match"),
        ({"metadata": {"name": "a"}, "data": 1}, 400, 'ConfigMap in version "v1" cannot be handled as a ConfigMap'),
        ({"kind": "Pod", "metadata": {"name": "a"}}, 400, "cannot be handled as a ConfigMap"),
        ({"apiVersion": "v2", "metadata": {"name": "a"}}, 400, 'no kind "ConfigMap" is registered for version "v2"'),
        ({"metadata": {}}, 422, "name or generateName is required"),
    ],
)
async def test_bad_input(admin: Client, obj: dict, code: int, words: str) -> None:
    request = pb.CreateRequest(
        resource=pb.Resource(version="v1", resource="configmaps", namespace="default"), object=orjson.dumps(obj)
    )
    error = await refused(admin.calls.call("create", request, "", 5))
    assert error.code == code
    assert words in error.message


@pytest.mark.parametrize("how", ["Warn", "Strict", "Ignore"])
async def test_field_validation(admin: Client, how: str) -> None:
    request = pb.CreateRequest(
        resource=pb.Resource(version="v1", resource="configmaps", namespace="default"),
        object=b'{"metadata":{"name":"a"},"data":{"x":"1"},"data":{"x":"2"},"extra":1}',
        options=pb.WriteOptions(field_validation=how),
    )
    call = admin.calls.call("create", request, "", 5)
    if how == "Strict":
        error = await refused(call)
        assert 'strict decoding error: duplicate field "data", unknown field "extra"' in error.message
        return
    response = await call
    assert "extra" not in orjson.loads(response.object)
    expected = ['duplicate field "data"', 'unknown field "extra"'] if how == "Warn" else []
    assert list(response.warnings) == expected


async def test_a_missing_namespace(admin: Client) -> None:
    error = await refused(admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "nowhere"}}))
    assert (error.code, error.message) == (404, 'namespaces "nowhere" not found')


async def test_dry_run_changes_nothing(admin: Client) -> None:
    made = await admin.create(CONFIG_MAPS, config_map("a"), dry_run=True)
    assert made["metadata"]["uid"]
    assert (await admin.list(CONFIG_MAPS)).items == [] or all(
        item["metadata"]["name"] != "a" for item in (await admin.list(CONFIG_MAPS)).items
    )
    kept = await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    changed = await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"x": "2"}}, dry_run=True)
    assert changed["data"] == {"x": "2"}
    assert await admin.get(CONFIG_MAPS, "a", "default") == kept


async def test_status_and_spec_are_kept_apart(admin: Client) -> None:
    made = await admin.create(DEPLOYMENTS, {**deployment("d"), "status": {"replicas": 9}})
    assert "status" not in made or "replicas" not in made["status"]
    assert made["metadata"]["generation"] == 1
    changed = await admin.update_status(
        DEPLOYMENTS,
        {**made, "spec": {**made["spec"], "replicas": 5}, "status": {"replicas": 3, "observedGeneration": 1}},
    )
    assert changed["spec"]["replicas"] == 1
    assert changed["status"]["replicas"] == 3
    assert changed["metadata"]["generation"] == 1
    scaled = await admin.update(DEPLOYMENTS, {**changed, "spec": {**made["spec"], "replicas": 5}, "status": {}})
    assert scaled["metadata"]["generation"] == 2
    assert scaled["status"]["replicas"] == 3


async def test_an_update_that_changes_nothing_keeps_the_version(admin: Client) -> None:
    made = await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    assert await admin.update(CONFIG_MAPS, made) == made
    assert await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"x": "1"}}) == made


async def test_patches(admin: Client) -> None:
    await admin.create(DEPLOYMENTS, deployment("d"))
    by_name = {
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "new"}, {"name": "e", "image": "x"}]}}}
    }
    changed = await admin.patch(DEPLOYMENTS, "d", "default", patch=by_name, patch_type=STRATEGIC_MERGE_PATCH)
    containers = {c["name"]: c["image"] for c in changed["spec"]["template"]["spec"]["containers"]}
    assert containers == {"c": "new", "e": "x"}
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    assert (await admin.patch(DEPLOYMENTS, "d", "default", patch=operations, patch_type=JSON_PATCH))["spec"][
        "replicas"
    ] == 4
    wrong = [{"op": "test", "path": "/spec/replicas", "value": 9}]
    assert (await refused(admin.patch(DEPLOYMENTS, "d", "default", patch=wrong, patch_type=JSON_PATCH))).code == 422
    bad = {"spec": {"replicas": -1}}
    assert (await refused(admin.patch(DEPLOYMENTS, "d", "default", patch=bad))).reason == "Invalid"
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}}
    assert (await refused(admin.patch(DEPLOYMENTS, "d", "default", patch=stale))).reason == "Conflict"


@pytest.mark.parametrize(
    ("patch_type", "shown", "detail"),
    [
        (STRATEGIC_MERGE_PATCH, "map[metadata:map[labels:wrong]]", "cannot restore map from string"),
        (
            MERGE_PATCH,
            '{\\"apiVersion\\":\\"v1\\",\\"data\\":{\\"x\\":\\"1\\"},\\"kind\\":\\"ConfigMap\\",\\"metadata\\":{'
            '\\"creationTimestamp\\":',
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
    ],
    ids=["strategic", "merge"],
)
async def test_a_patch_of_a_wrong_type(admin: Client, patch_type: str, shown: str, detail: str) -> None:
    await admin.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", **config_map("a", x="1")})
    patch = {"metadata": {"labels": "wrong"}}
    error = await refused(admin.patch(CONFIG_MAPS, "a", "default", patch=patch, patch_type=patch_type))
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.message.startswith(f' "" is invalid: patch: Invalid value: "{shown}')
    assert error.message.endswith(f'": {detail}')


async def test_a_node_is_made_with_its_status(admin: Client) -> None:
    status = {"capacity": {"memory": "1024Mi"}, "config": {"error": "old"}}
    spec = {"configSource": {"configMap": {"name": "c", "namespace": "n", "kubeletConfigKey": "k"}}}
    made = await admin.create(NODES, {"metadata": {"name": "n"}, "spec": spec, "status": status})
    assert made["status"]["capacity"] == made["status"]["allocatable"] == {"memory": "1Gi"}
    assert "configSource" not in made["spec"]
    assert "config" not in made["status"]
    made["status"] = {"capacity": {"memory": "2Gi"}}
    assert (await admin.update(NODES, made))["status"]["capacity"] == {"memory": "1Gi"}


async def test_a_json_patch_adds_to_a_status_that_is_empty(admin: Client) -> None:
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}}
    spec["template"]["spec"] = {"containers": [{"name": "c", "image": "i"}]}
    await admin.create(REPLICA_SETS, {"metadata": {"name": "r", "namespace": "default"}, "spec": spec})
    patch = [{"op": "add", "path": "/status/replicas", "value": 3}]
    after = await admin.patch(REPLICA_SETS, "r", "default", patch=patch, patch_type=JSON_PATCH, subresource="status")
    assert after["status"]["replicas"] == 3


async def test_patches_at_the_same_time_all_arrive(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, config_map("a"))
    await asyncio.gather(*(admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {f"k{n}": "v"}}) for n in range(30)))
    assert len((await admin.get(CONFIG_MAPS, "a", "default"))["data"]) == 30


async def test_scale(admin: Client) -> None:
    await admin.create(DEPLOYMENTS, deployment("d"))
    scale = await admin.get(DEPLOYMENTS, "d", "default", subresource="scale")
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 0, "selector": "app=d"}
    scale["spec"]["replicas"] = 3
    assert (await admin.update(DEPLOYMENTS, scale, subresource="scale"))["spec"]["replicas"] == 3
    assert (await admin.get(DEPLOYMENTS, "d", "default"))["metadata"]["generation"] == 2
    await admin.patch(DEPLOYMENTS, "d", "default", patch={"spec": {"replicas": 0}}, subresource="scale")
    assert (await admin.get(DEPLOYMENTS, "d", "default"))["spec"]["replicas"] == 0
    assert (await refused(admin.update(DEPLOYMENTS, scale, subresource="scale"))).reason == "Conflict"


LABELLED = {"a": {"app": "x", "tier": "1"}, "b": {"app": "x"}, "c": {"app": "y"}, "d": {}}


@pytest.mark.parametrize(
    ("labels", "fields", "names"),
    [
        ("", "", ["a", "b", "c", "d"]),
        ("app=x", "", ["a", "b"]),
        ("app in (x,y),!tier", "", ["b", "c"]),
        ("app notin (x)", "", ["c", "d"]),
        ("", "metadata.name=c", ["c"]),
        ("", "metadata.name!=c,metadata.namespace=default", ["a", "b", "d"]),
        ("app=y", "metadata.name=a", []),
        ("", "type=other", ["d"]),
    ],
)
async def test_selectors(admin: Client, labels: str, fields: str, names: list[str]) -> None:
    for name, given in LABELLED.items():
        kind = {"type": "other"} if name == "d" else {}
        await admin.create(SECRETS, {"metadata": {"name": name, "namespace": "default", "labels": given}, **kind})
    listed = await admin.list(SECRETS, "default", label_selector=labels, field_selector=fields)
    assert [item["metadata"]["name"] for item in listed.items] == names


@pytest.mark.parametrize(
    ("labels", "fields", "words"),
    [
        ("", "spec.image=x", "field label not supported: spec.image"),
        ("a in", "", "unable to parse requirement"),
        ("", "metadata.name", "invalid selector"),
    ],
)
async def test_selectors_that_are_wrong(admin: Client, labels: str, fields: str, words: str) -> None:
    error = await refused(admin.list(PODS, label_selector=labels, field_selector=fields))
    assert error.code == 400
    assert words in error.message


async def test_pages_show_one_revision(admin: Client) -> None:
    for name in "abcde":
        await admin.create(SECRETS, {"metadata": {"name": name, "namespace": "default"}})
    first = await admin.list(SECRETS, limit=2)
    assert [i["metadata"]["name"] for i in first.items] == ["a", "b"]
    assert first.remaining_item_count == 3
    await admin.delete(SECRETS, "d", "default")
    await admin.create(SECRETS, {"metadata": {"name": "bb", "namespace": "default"}})
    second = await admin.list(SECRETS, limit=2, continue_token=first.continue_token)
    assert [i["metadata"]["name"] for i in second.items] == ["c", "d"]
    assert second.resource_version == first.resource_version
    last = await admin.list(SECRETS, limit=2, continue_token=second.continue_token)
    assert [i["metadata"]["name"] for i in last.items] == ["e"]
    assert last.continue_token == ""
    exact = await admin.list(SECRETS, resource_version=first.resource_version, resource_version_match="Exact")
    assert [i["metadata"]["name"] for i in exact.items] == list("abcde")
    assert (await refused(admin.list(SECRETS, continue_token="no"))).code == 400


async def test_a_token_ends_with_the_history_it_is_from(admin: Client, cluster: Any) -> None:
    for name in "abc":
        await admin.create(SECRETS, {"metadata": {"name": name, "namespace": "default"}})
    first = await admin.list(SECRETS, limit=1)
    await admin.create(CONFIG_MAPS, {"metadata": {"name": "later", "namespace": "default"}})
    assert await compact_once(cluster.server, cluster.server.feed.store, cluster.server.feed.revision)
    error = await refused(admin.list(SECRETS, limit=1, continue_token=first.continue_token))
    assert (error.code, error.reason) == (410, "Expired")
    second = await admin.list(SECRETS, limit=1, continue_token=error.status["metadata"]["continue"])
    assert [i["metadata"]["name"] for i in second.items] == ["b"]
    assert (second.remaining_item_count, second.resource_version == first.resource_version) == (1, False)


async def test_large_lists_come_in_chunks(admin: Client) -> None:
    for n in range(12):
        await admin.create(CONFIG_MAPS, config_map(f"c{n:02}", x="y" * 300_000))
    listing = pb.ListRequest(resource=pb.Resource(version="v1", resource="configmaps", namespace="default"))
    chunks = [chunk async for chunk in admin.calls.stream("list", listing, "", 5)]
    assert len(chunks) > 3
    assert sum(chunk.count for chunk in chunks) == 12
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert len((await admin.list(CONFIG_MAPS, "default")).items) == 12


async def test_of_a_large_list_only_what_has_changed_is_sent(admin: Client, cluster: Any) -> None:
    for n in range(12):
        await admin.create(CONFIG_MAPS, config_map(f"c{n:02}", x="y" * 300_000))
    held: dict[int, bytes] = {}

    async def chunks(etag: str = "", knows: bool = True) -> tuple[list[pb.ListResponse], int]:
        wanted = pb.Resource(version="v1", resource="configmaps", namespace="default")
        listing = pb.ListRequest(resource=wanted, known_etag=etag, known_parts=held)
        found = [chunk async for chunk in admin.calls.stream("list", listing, "", 5)]
        missing = [number for number in found[0].parts if number not in held or not knows]
        sent = [chunk.items for chunk in found if chunk.items]
        held.update(zip(missing, sent, strict=True))
        return found, len(sent)

    first, sent = await chunks()
    assert sent == len(first[0].parts) > 3
    await admin.patch(CONFIG_MAPS, "c05", "default", patch={"data": {"x": "z"}})
    await admin.delete(CONFIG_MAPS, "c11", "default")
    second, sent = await chunks(first[0].etag)
    assert sent == 1, "a part that is empty now is none"
    document = orjson.loads(b"[" + b",".join(held[number] for number in second[0].parts) + b"]")
    listed = (await admin.list(CONFIG_MAPS, "default")).items
    assert [item["metadata"] for item in document] == [item["metadata"] for item in listed]
    assert [len(item["data"]["x"]) for item in document] == [300_000] * 5 + [1] + [300_000] * 5
    again, sent = await chunks(second[0].etag)
    assert (again[0].unchanged, sent) == (True, 0)
    _, sent = await chunks("another-1-5", knows=False)
    assert sent == len(second[0].parts), "numbers are those of one process"


async def test_other_versions_are_converted(admin: Client) -> None:
    v1 = Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    v2 = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    target = {"kind": "Deployment", "apiVersion": "apps/v1", "name": "d"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    made = await admin.create(v1, {"metadata": {"name": "h", "namespace": "default"}, "spec": spec})
    assert made["apiVersion"] == "autoscaling/v1"
    assert made["spec"]["targetCPUUtilizationPercentage"] == 50
    other = await admin.get(v2, "h", "default")
    assert other["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    assert (await admin.list(v1, "default")).items[0]["spec"]["targetCPUUtilizationPercentage"] == 50
    changed = await admin.patch(v1, "h", "default", patch={"spec": {"targetCPUUtilizationPercentage": 70}})
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert (await admin.get(v2, "h", "default"))["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


async def test_bootstrap(admin: Client) -> None:
    names = [item["metadata"]["name"] for item in (await admin.list(NAMESPACES)).items]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    made = (await admin.list(NAMESPACES)).items[0]
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "default"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["status"] == {"phase": "Active"}


async def test_put_creates_some_kinds_only(admin: Client) -> None:
    lease = Resource("coordination.k8s.io", "v1", "leases", "Lease")
    made = await admin.update(
        lease, {"metadata": {"name": "l", "namespace": "default"}, "spec": {"holderIdentity": "a"}}
    )
    assert made["metadata"]["uid"]
    error = await refused(admin.update(REPLICA_SETS, {"metadata": {"name": "l", "namespace": "default"}}))
    assert error.code == 404


async def test_what_is_not_served(admin: Client) -> None:
    error = await refused(admin.list(Resource("", "v1", "things", "Thing")))
    assert (error.code, error.message) == (404, "the server could not find the requested resource")
    assert (
        await refused(admin.create(Resource("", "v1", "componentstatuses", "ComponentStatus", False), {}))
    ).code == 405


async def test_new_nodes_are_tainted(admin: Client) -> None:
    node = await admin.create(NODES, {"metadata": {"name": "n"}})
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


async def test_component_statuses(admin: Client) -> None:
    statuses = Resource("", "v1", "componentstatuses", "ComponentStatus", False)
    lease = Resource("coordination.k8s.io", "v1", "leases", "Lease")
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2020-01-01T00:00:00.000000Z"}
    await admin.create(lease, {"metadata": {"name": "kube-scheduler", "namespace": "kube-system"}, "spec": spec})
    listed = {item["metadata"]["name"]: item["conditions"][0] for item in (await admin.list(statuses)).items}
    assert {name: condition["status"] for name, condition in listed.items()} == {
        "controller-manager": "Unknown",
        "etcd-0": "True",
        "scheduler": "False",
    }
    assert (await admin.get(statuses, "etcd-0"))["conditions"][0]["message"] == "ok"
    assert (await refused(admin.get(statuses, "none"))).code == 404


SERVICE_CIDRS = Resource("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", False)
STATUSES = [
    (DEPLOYMENTS, {"annotations", "ownerReferences"}),
    (REPLICA_SETS, {"annotations", "labels", "ownerReferences"}),
    (SERVICE_CIDRS, set()),
]


@pytest.mark.parametrize(("resource", "written"), STATUSES, ids=[row[0].kind for row in STATUSES])
async def test_metadata_that_a_status_writes(admin: Client, resource: Resource, written: set[str]) -> None:
    made = deployment("d")
    if resource is SERVICE_CIDRS:
        made = {"metadata": {"name": "d"}, "spec": {"cidrs": ["10.9.0.0/16"]}}
    made = await admin.create(resource, made)
    owner = {"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}
    wanted = {"labels": {"x": "y"}, "annotations": {"x": "y"}, "ownerReferences": [owner]}
    changed = await admin.update_status(resource, {**made, "metadata": {**made["metadata"], **wanted}})
    assert {name for name in wanted if changed["metadata"].get(name) == wanted[name]} == written
    broken = {**changed, "metadata": {**changed["metadata"], "annotations": {"-": "y"}}}
    if written:
        told = (await refused(admin.update_status(resource, broken))).status["details"]["causes"]
        assert [cause["field"] for cause in told] == ["metadata.annotations"] * 3
    else:
        await admin.update_status(resource, broken)
