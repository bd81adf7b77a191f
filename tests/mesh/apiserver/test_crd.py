"""CustomResourceDefinitions over the wire: established, served, checked, changed at run time, deleted with objects."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest

from kybern.client.objects import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import CONFIG_MAPS, NAMESPACES, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import discovery_pb2 as pb
from kybern.protos.api.v1.discovery_pb2_grpc import DiscoveryStub
from kybern.store.contract import Delete, Put
from kybern.store.sqlite import SqliteStore

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
TABS = Resource("stable.example.com", "v1", "crontabs", "CronTab")
NEW_TABS = Resource("stable.example.com", "v2", "crontabs", "CronTab")
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["cron"],
    "properties": {
        "cron": {"type": "string", "pattern": r"^[\d*/ ]+$"},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "color": {"type": "string"},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
STATUS = {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}}


def version(name: str = "v1", storage: bool = True, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [{"name": "Cron", "type": "string", "jsonPath": ".spec.cron"}],
        "selectableFields": [{"jsonPath": ".spec.color"}],
    } | more


def definition(*versions: dict[str, Any], plural: str = "crontabs", **spec: Any) -> dict[str, Any]:
    names = {"plural": plural, "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"], "categories": ["all"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.stable.example.com"},
        "spec": {
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": list(versions) or [version()],
        }
        | spec,
    }


def tab(name: str = "a", api: str = "v1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"stable.example.com/{api}",
        "kind": "CronTab",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"cron": "* * *", **spec},
    }


async def until(check: Any, seconds: float = 5) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            try:
                found = await check()
            except StatusError as error:
                if error.code != 404:
                    raise
                found = None
            if found:
                return found
            await asyncio.sleep(0.01)


async def conditions(client: Client, name: str = "crontabs.stable.example.com") -> dict[str, tuple[str, str]]:
    status = (await client.get(CRDS, name)).get("status") or {}
    return {one["type"]: (one["status"], one["reason"]) for one in status.get("conditions") or ()}


async def serve(client: Client, crd: dict[str, Any] | None = None) -> None:
    crd = crd or definition()
    await client.create(CRDS, crd)

    async def established() -> bool:
        found = await conditions(client, crd["metadata"]["name"])
        return found.get("Established", ("",))[0] == "True"

    await until(established)


async def test_established(admin: Client) -> None:
    with pytest.raises(StatusError) as caught:
        await admin.get(TABS, "a", "default")
    assert caught.value.code == 404
    await serve(admin)
    crd = await admin.get(CRDS, "crontabs.stable.example.com")
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["status"]["acceptedNames"] == {**crd["spec"]["names"], "listKind": "CronTabList"}
    assert [(c["type"], c["status"], c["reason"], c["message"]) for c in crd["status"]["conditions"]] == [
        ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
        ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
    ]
    made = await admin.create(TABS, tab())
    assert made["spec"] == {"cron": "* * *", "replicas": 1}
    assert made["metadata"]["generation"] == 1
    assert [o["metadata"]["name"] for o in (await admin.list(TABS)).items] == ["a"]


@pytest.mark.parametrize(
    ("group", "plural"), [("networking.k8s.io", "foos"), ("apiextensions.k8s.io", "customresourcedefinitions")]
)
async def test_definitions_take_no_built_in_place(admin: Client, group: str, plural: str) -> None:
    obj = definition(version(), plural=plural, group=group)
    obj["spec"]["scope"] = "Cluster"
    obj["metadata"] = {
        "name": f"{plural}.{group}",
        "annotations": {"api-approved.kubernetes.io": "unapproved, test-only"},
    }
    await serve(admin, obj)
    shadowed = Resource(group, "v1", "foos", "CronTab", namespaced=False)
    with pytest.raises(StatusError, match="could not find the requested resource"):
        await admin.list(shadowed)
    await serve(admin)
    assert len((await admin.list(CRDS)).items) == 2
    assert (await admin.get(CRDS, f"{plural}.{group}"))["spec"]["names"]["plural"] == plural
    await admin.delete(CRDS, f"{plural}.{group}")
    await admin.create(TABS, tab())


async def test_names_in_use(admin: Client) -> None:
    await serve(admin)
    other = definition(plural="tables")
    other["spec"]["names"]["singular"] = "table"
    await admin.create(CRDS, other)

    async def judged() -> Any:
        return await conditions(admin, "tables.stable.example.com")

    found = await until(judged)
    assert found == {"NamesAccepted": ("False", "ListKindConflict"), "Established": ("False", "NotAccepted")}
    await admin.delete(CRDS, "crontabs.stable.example.com")

    async def accepted() -> bool:
        return (await judged())["Established"][0] == "True"

    await until(accepted)


async def test_discovery_and_openapi(cluster: Any, admin: Client) -> None:
    discovery: Any = DiscoveryStub(cluster.channel("admin", "system:masters"))
    watch = discovery.WatchResources(pb.WatchResourcesRequest(), timeout=20)
    before = (await anext(aiter(watch))).table
    v2 = (await discovery.GetOpenAPI(pb.GetOpenAPIRequest(openapi_version="v2"), timeout=20)).hash
    await serve(admin, definition(version(), version("v2", False), version("v1beta1", False)))
    table = (await anext(aiter(watch))).table
    watch.cancel()
    assert table.etag != before.etag
    group = next(g for g in table.groups if g.name == "stable.example.com")
    assert [v.version for v in group.versions] == ["v2", "v1", "v1beta1"]
    (row,) = group.versions[0].resources
    assert (row.name, row.kind, row.singular_name, list(row.short_names), list(row.categories)) == (
        "crontabs",
        "CronTab",
        "crontab",
        ["ct"],
        ["all"],
    )
    assert [(c.name, c.json_path) for c in row.columns] == [("Cron", ".spec.cron")]
    assert {s.name: (s.group, s.kind) for s in row.subresources} == {
        "status": ("", "CronTab"),
        "scale": ("autoscaling", "Scale"),
    }
    reply = await discovery.GetOpenAPI(
        pb.GetOpenAPIRequest(group="stable.example.com", version="v1", openapi_version="v3"), timeout=20
    )
    schema = orjson.loads(reply.document)["components"]["schemas"]["com.example.stable.v1.CronTab"]
    assert schema["properties"]["spec"]["properties"]["replicas"]["maximum"] == 10
    assert "metadata" in schema["properties"]
    whole = await discovery.GetOpenAPI(pb.GetOpenAPIRequest(openapi_version="v2"), timeout=20)
    assert whole.hash != v2
    assert "com.example.stable.v2.CronTab" in orjson.loads(whole.document)["definitions"]


async def test_a_definition_named_as_a_built_in_one(cluster: Any, admin: Client) -> None:
    group = "apiextensions.apis.pkg.apiextensions-apiserver.k8s.io"
    obj = definition(version(), plural="customresourcedefinitions", group=group)
    obj["spec"]["names"] |= {"kind": "CustomResourceDefinition", "singular": "customresourcedefinition"}
    obj["metadata"] = {"name": f"customresourcedefinitions.{group}"}
    obj["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, test-only"}
    await serve(admin, obj)
    discovery: Any = DiscoveryStub(cluster.channel("admin", "system:masters"))
    whole = await discovery.GetOpenAPI(pb.GetOpenAPIRequest(openapi_version="v2"), timeout=20)
    found = orjson.loads(whole.document)["definitions"]
    name = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
    assert "scope" in str(found[name]["properties"]["spec"]) or "$ref" in found[name]["properties"]["spec"]
    assert "cron" in found[f"{name}_v2"]["properties"]["spec"]["properties"]
    assert found[f"{name}List_v2"]["properties"]["items"]["items"]["$ref"] == f"#/definitions/{name}_v2"


WRONG = {
    "type": ({"color": 3}, "spec.color", '"integer"', 'must be of type string: "integer"'),
    "range": ({"replicas": 11}, "spec.replicas", "11", "should be less than or equal to 10"),
    "pattern": ({"cron": "x"}, "spec.cron", '"x"', r"should match '^[\d*/ ]+$'"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_objects(admin: Client, name: str) -> None:
    await serve(admin)
    spec, path, value, detail = WRONG[name]
    with pytest.raises(StatusError) as caught:
        await admin.create(TABS, tab(**spec))
    assert caught.value.code == 422
    message = f"{path}: Invalid value: {value}: {path} in body {detail}"
    assert str(caught.value) == f'CronTab.stable.example.com "a" is invalid: {message}'


SCALED = {
    "a string": ("3", 'spec.replicas in body must be of type integer: "string"', "3 is of the type string"),
    "a fraction": (1.5, 'spec.replicas in body must be of type integer: "number"', "1.5 is of the type float64"),
}


@pytest.mark.parametrize("name", SCALED)
async def test_replicas_are_numbers(admin: Client, name: str) -> None:
    await serve(admin)
    replicas, wrong, why = SCALED[name]
    with pytest.raises(StatusError) as caught:
        await admin.create(TABS, tab(replicas=replicas))
    assert wrong in str(caught.value)
    accessor = f".spec.replicas: Invalid value: 0: .spec.replicas accessor error: {why}, expected int64"
    assert accessor in str(caught.value)


async def test_keys_are_unique(admin: Client) -> None:
    await serve(admin)
    with pytest.raises(StatusError) as caught:
        await admin.create(TABS, tab(ports=[{"name": "a"}, {"name": "a"}]))
    message = 'spec.ports[1]: Duplicate value: {"name":"a"}'
    assert str(caught.value) == f'CronTab.stable.example.com "a" is invalid: {message}'


async def test_unknown_fields(admin: Client) -> None:
    await serve(admin)
    made = await admin.create(TABS, tab(unknown=1, free={"any": {"thing": 1}}, ports=[{"name": "a", "x": 1}]))
    assert made["spec"] == {
        "cron": "* * *",
        "replicas": 1,
        "free": {"any": {"thing": 1}},
        "ports": [{"name": "a"}],
    }


async def test_status_scale_and_generation(admin: Client) -> None:
    await serve(admin)
    made = await admin.create(TABS, {**tab(), "status": {"replicas": 5}})
    assert "status" not in made
    changed = await admin.update_status(
        TABS, {**made, "status": {"replicas": 2, "selector": "a=b"}, "spec": {"cron": "1"}}
    )
    assert changed["status"] == {"replicas": 2, "selector": "a=b"}
    assert changed["spec"]["cron"] == "* * *"
    assert changed["metadata"]["generation"] == 1
    scale = await admin.get(TABS, "a", "default", subresource="scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 2, "selector": "a=b"})
    scale["spec"]["replicas"] = 4
    await admin.update(TABS, scale, subresource="scale")
    now = await admin.get(TABS, "a", "default")
    assert (now["spec"]["replicas"], now["metadata"]["generation"]) == (4, 2)
    labelled = await admin.patch(
        TABS, "a", "default", patch={"metadata": {"labels": {"x": "y"}}}, patch_type=MERGE_PATCH
    )
    assert labelled["metadata"]["generation"] == 2
    patched = await admin.patch(
        TABS, "a", "default", patch=[{"op": "replace", "path": "/spec/replicas", "value": 5}], patch_type=JSON_PATCH
    )
    assert patched["metadata"]["generation"] == 3
    with pytest.raises(StatusError) as caught:
        await admin.patch(TABS, "a", "default", patch={"spec": {"replicas": 6}}, patch_type=STRATEGIC_MERGE_PATCH)
    assert caught.value.code == 415


async def test_versions(admin: Client) -> None:
    await serve(admin, definition(version(), version("v2", False)))
    await admin.create(TABS, tab())
    seen = await admin.get(NEW_TABS, "a", "default")
    assert seen["apiVersion"] == "stable.example.com/v2"
    await admin.patch(NEW_TABS, "a", "default", patch={"spec": {"replicas": 3}}, patch_type=MERGE_PATCH)
    assert (await admin.get(TABS, "a", "default"))["spec"]["replicas"] == 3
    crd = await admin.get(CRDS, "crontabs.stable.example.com")
    crd["spec"]["versions"] = [version("v1", False), version("v2")]
    crd = await admin.update(CRDS, crd)
    assert crd["status"]["storedVersions"] == ["v1", "v2"]
    assert (await admin.get(TABS, "a", "default"))["apiVersion"] == "stable.example.com/v1"
    assert (await admin.get(NEW_TABS, "a", "default"))["spec"]["replicas"] == 3
    assert [o["spec"]["replicas"] for o in (await admin.list(NEW_TABS)).items] == [3]


async def test_schema_changes_at_run_time(admin: Client) -> None:
    await serve(admin)
    await admin.create(TABS, tab(replicas=9))
    crd = await admin.get(CRDS, "crontabs.stable.example.com")
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["replicas"]["maximum"] = 5
    spec["properties"]["size"] = {"type": "string", "default": "small"}
    await admin.update(CRDS, crd)
    assert (await admin.get(TABS, "a", "default"))["spec"]["size"] == "small"
    kept = await admin.patch(
        TABS, "a", "default", patch={"spec": {"color": "red"}}, patch_type=MERGE_PATCH
    )  # ratcheting
    assert kept["spec"]["replicas"] == 9
    with pytest.raises(StatusError, match="should be less than or equal to 5"):
        await admin.patch(TABS, "a", "default", patch={"spec": {"replicas": 8}}, patch_type=MERGE_PATCH)


async def test_defaults_that_a_schema_has_no_more_are_gone(admin: Client) -> None:
    await serve(admin, definition(version(), version("v2", False)))
    await admin.create(TABS, tab())
    crd = await admin.get(CRDS, "crontabs.stable.example.com")
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["size"] = {"type": "string", "default": "small"}
    crd = await admin.update(CRDS, crd)
    assert (await admin.get(TABS, "a", "default"))["spec"]["size"] == "small"
    written = await admin.create(NEW_TABS, tab("b", "v2"))  # read through the storage version's schema
    assert written["spec"]["size"] == "small"
    crd = await admin.get(CRDS, "crontabs.stable.example.com")
    del crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]["default"]
    await admin.update(CRDS, crd)
    for name in "ab":
        assert "size" not in (await admin.get(TABS, name, "default"))["spec"]


async def test_watches_end_when_the_definition_changes(admin: Client) -> None:
    await serve(admin)
    await admin.create(TABS, tab())
    started = asyncio.Event()

    async def follow() -> str:
        async with aclosing(admin.watch(TABS, "default", allow_bookmarks=False)) as events:
            try:
                async for _ in events:
                    started.set()
            except StatusError as error:
                return error.reason
        return ""

    async with asyncio.timeout(5):
        watcher = asyncio.create_task(follow())
        await started.wait()
        crd = await admin.get(CRDS, "crontabs.stable.example.com")
        crd["spec"]["names"]["shortNames"] = ["cts"]
        await admin.update(CRDS, crd)
        assert await watcher in ("", "Expired")


async def test_broken_authorities(admin: Client) -> None:
    client = {"url": "https://example.com", "caBundle": "Cg=="}
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    await admin.create(CRDS, definition(conversion={"strategy": "Webhook", "webhook": webhook}))

    async def decided() -> Any:
        return (await conditions(admin)).get("Established")

    assert await until(decided) == ("False", "InvalidCABundle")


async def test_selectable_fields(admin: Client) -> None:
    await serve(admin)
    for name, color in {"a": "red", "b": "blue"}.items():
        await admin.create(TABS, tab(name, color=color))
    found = await admin.list(TABS, field_selector="spec.color=blue")
    assert [o["metadata"]["name"] for o in found.items] == ["b"]
    with pytest.raises(StatusError, match=r"field label not supported: spec\.cron"):
        await admin.list(TABS, field_selector="spec.cron=x")


async def test_deletion_takes_objects_first(admin: Client) -> None:
    await serve(admin)
    held = tab("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await admin.create(TABS, held)
    await admin.create(TABS, tab("free"))
    seen: list[str] = []

    async def follow() -> None:
        async with aclosing(admin.watch(TABS, "default", allow_bookmarks=False)) as events:
            async for batch in events:
                seen.extend(f"{event.type} {event.object['metadata']['name']}" for event in batch)

    watcher = asyncio.create_task(follow())
    await asyncio.sleep(0.05)
    await admin.delete(CRDS, "crontabs.stable.example.com")

    async def one_left() -> bool:
        return [o["metadata"]["name"] for o in (await admin.list(TABS)).items] == ["held"]

    await until(one_left)
    crd = await admin.get(CRDS, "crontabs.stable.example.com")
    assert crd["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert (await conditions(admin))["Terminating"] == ("True", "InstanceDeletionInProgress")
    with pytest.raises(StatusError) as caught:
        await admin.create(TABS, tab("late"))
    assert caught.value.code == 403
    cleared = {"metadata": {"finalizers": None}}
    await admin.patch(TABS, "held", "default", patch=cleared)

    async def gone() -> bool:
        try:
            await admin.get(CRDS, "crontabs.stable.example.com")
        except StatusError as error:
            return error.code == 404
        return False

    await until(gone)
    async with asyncio.timeout(5):
        await watcher
    assert {"DELETED free", "DELETED held"} <= set(seen)
    with pytest.raises(StatusError, match="could not find the requested resource"):
        await admin.list(TABS)


async def test_restart(running: Any, tmp_path: Path) -> None:
    async with running(tmp_path / "db") as cluster, cluster.client() as admin:
        await serve(admin)
        await admin.create(TABS, tab())
    async with running(tmp_path / "db") as cluster, cluster.client() as admin:
        assert (await admin.get(TABS, "a", "default"))["spec"]["replicas"] == 1
        await admin.create(TABS, tab("b"))


async def test_api_services_stay_while_a_definition_cannot_be_read(running: Any, tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "db", threaded=False)
    bad = "/registry/apiextensions.k8s.io/customresourcedefinitions/bad"
    await store.txn([Put(bad, b"no object", 0)])
    metadata = {"name": "v1.stale.example.com", "labels": {"kube-aggregator.kubernetes.io/automanaged": "true"}}
    spec = {"group": "stale.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}
    async with running(store=store) as one, one.client() as admin:
        await admin.create(API_SERVICES, {"metadata": metadata, "spec": spec})
        await asyncio.sleep(0.3)
        await admin.get(API_SERVICES, "v1.stale.example.com")
        kv, _ = await store.get(bad)
        assert kv is not None
        await store.txn([Delete(bad, kv.mod_revision)])

        async def gone() -> bool:
            return "v1.stale.example.com" not in [s["metadata"]["name"] for s in (await admin.list(API_SERVICES)).items]

        await until(gone)


async def test_cluster_scope(admin: Client) -> None:
    await serve(admin, definition(scope="Cluster"))
    wide = Resource("stable.example.com", "v1", "crontabs", "CronTab", namespaced=False)
    obj = tab()
    del obj["metadata"]["namespace"]
    await admin.create(wide, obj)
    assert (await admin.get(wide, "a"))["spec"]["replicas"] == 1


async def test_wrong_definitions(admin: Client) -> None:
    wrong = definition(version(schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": {}}}}))
    with pytest.raises(StatusError) as caught:
        await admin.create(CRDS, wrong)
    assert str(caught.value) == (
        'CustomResourceDefinition.apiextensions.k8s.io "crontabs.stable.example.com" is invalid: '
        "[spec.validation.openAPIV3Schema.properties[spec].type: Required value: "
        "must not be empty for specified object fields, "
        'spec.selectableFields[0].jsonPath: Invalid value: ".spec.color": '
        "is an invalid path: does not refer to a valid field]"
    )


async def test_namespace_must_exist(admin: Client) -> None:
    await serve(admin)
    lost = tab()
    lost["metadata"]["namespace"] = "nowhere"
    with pytest.raises(StatusError, match='namespaces "nowhere" not found'):
        await admin.create(TABS, lost)
    assert (await admin.get(NAMESPACES, "default"))["status"]["phase"] == "Active"
    assert (await admin.list(CONFIG_MAPS, "default")).items is not None


async def test_rules(admin: Client) -> None:
    ruled = version()
    spec = orjson.loads(orjson.dumps(SPEC))
    spec["x-kubernetes-validations"] = [
        {"rule": "self.replicas < 5 || has(self.color)", "message": "many need a color"}
    ]
    spec["properties"]["color"]["x-kubernetes-validations"] = [{"rule": "self == oldSelf", "message": "is fixed"}]
    ruled["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec
    await serve(admin, definition(ruled))
    with pytest.raises(StatusError) as caught:
        await admin.create(TABS, tab(replicas=6))
    assert str(caught.value).endswith("is invalid: spec: Invalid value: many need a color")
    await admin.create(TABS, tab(replicas=6, color="red"))
    with pytest.raises(StatusError) as caught:
        await admin.patch(TABS, "a", "default", patch={"spec": {"color": "blue"}})
    assert str(caught.value).endswith('is invalid: spec.color: Invalid value: "blue": is fixed')


async def test_rules_that_nest_deeply(admin: Client) -> None:
    def ruled(levels: int) -> Any:
        made = version()
        spec = orjson.loads(orjson.dumps(SPEC))
        sum_of_many = " + ".join(["self.replicas"] * levels)
        spec["x-kubernetes-validations"] = [{"rule": f"{sum_of_many} < {levels * 5}", "message": "are too many"}]
        made["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec
        return definition(made)

    with pytest.raises(StatusError) as caught:
        await admin.create(CRDS, ruled(300))
    assert caught.value.code == 422
    assert "max recursion depth exceeded" in str(caught.value)
    await serve(admin, ruled(240))
    await admin.create(TABS, tab(replicas=4))
    with pytest.raises(StatusError, match="are too many"):
        await admin.create(TABS, tab("b", replicas=5))


async def test_update_names_the_version_it_is_for(admin: Client) -> None:
    await serve(admin)
    await admin.create(TABS, tab())
    with pytest.raises(StatusError) as caught:
        await admin.update(TABS, tab(replicas=2))
    assert str(caught.value).endswith("metadata.resourceVersion: Invalid value: 0: must be specified for an update")


BROKEN = {
    "type": {"items": {"type": 5}},
    "properties": {"items": {"type": "object", "properties": []}},
    "text": {"items": "string"},
    "number": {"type": "object", "additionalProperties": 5},
    "deep": {"items": {"type": "array", "items": {"type": "object", "properties": {"a": {"enum": 5}}}}},
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_schemas_are_bad_requests(admin: Client, name: str) -> None:
    broken = {"type": "object", "properties": {"x": {"type": "array"} | BROKEN[name]}}
    with pytest.raises(StatusError) as caught:
        await admin.create(CRDS, definition(version(schema={"openAPIV3Schema": broken})))
    assert caught.value.code == 400
    message = str(caught.value).removeprefix('CustomResourceDefinition in version "v1" cannot be handled as a ')
    assert message.startswith("CustomResourceDefinition: json: cannot unmarshal")


async def test_two_apiservers_serve_it(running: Any, tmp_path: Path) -> None:
    """The second apiserver learns of definitions from the store they share."""
    store = await SqliteStore.open(tmp_path / "db", threaded=False)
    store.exclusive = False
    async with running(store=store) as one, running(store=store) as other, one.client() as a, other.client() as b:
        await serve(a)
        made = await a.create(TABS, tab())
        assert await b.get(TABS, "a", "default") == made
        await b.delete(CRDS, "crontabs.stable.example.com")

        async def gone() -> bool:
            return "crontabs.stable.example.com" not in [one["metadata"]["name"] for one in (await a.list(CRDS)).items]

        await until(gone)
        with pytest.raises(StatusError, match="could not find the requested resource"):
            await a.list(TABS)


async def test_access(cluster: Any, admin: Client) -> None:
    await serve(admin)
    async with cluster.client("joe", "devs") as joe:
        with pytest.raises(StatusError) as caught:
            await joe.list(TABS, "default")
    assert caught.value.code == 403
    assert 'cannot list resource "crontabs" in API group "stable.example.com"' in str(caught.value)
