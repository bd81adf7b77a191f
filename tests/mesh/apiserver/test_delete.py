"""Deletion: preconditions, finalizers, grace, propagation, collections."""

import orjson
import pytest

from kybern.apiserver.registry.delete import read_options
from kybern.client.objects import Client
from kybern.client.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
)
from kybern.kube.status import StatusError

META = {"name": "a", "namespace": "default"}


async def missing(admin: Client, resource, name: str, namespace: str = "default") -> bool:
    try:
        await admin.get(resource, name, namespace)
    except StatusError as error:
        return error.code == 404
    return False


async def pod(admin: Client, node: str = "", **metadata) -> dict:
    spec = {"containers": [{"name": "c", "image": "i"}], **({"nodeName": node} if node else {})}
    return await admin.create(PODS, {"metadata": {**META, **metadata}, "spec": spec})


async def test_preconditions(admin: Client) -> None:
    made = await admin.create(CONFIG_MAPS, {"metadata": META})
    for conditions, words in (
        ({"uid": "x"}, "UID in the precondition (x)"),
        ({"resource_version": "1"}, "ResourceVersion"),
    ):
        with pytest.raises(StatusError) as caught:
            await admin.delete(CONFIG_MAPS, "a", "default", **conditions)
        assert caught.value.reason == "Conflict"
        assert words in caught.value.message
    await admin.delete(CONFIG_MAPS, "a", "default", uid=made["metadata"]["uid"])
    assert await missing(admin, CONFIG_MAPS, "a")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"preconditions": {"uid": 1}}, 400, "Go struct field Preconditions.preconditions.uid of type types.UID"),
        (
            {"dryRun": [1]},
            400,
            "json: cannot unmarshal number into Go struct field DeleteOptions.dryRun of type string",
        ),
        ({"dryRun": [None]}, 422, 'dryRun: Unsupported value: [""]: supported values: "All"'),
    ],
)
def test_options_of_wrong_types(options: dict, code: int, words: str) -> None:
    with pytest.raises(StatusError) as caught:
        read_options(orjson.dumps(options))
    assert caught.value.code == code
    assert words in caught.value.message


def test_an_empty_precondition_is_one() -> None:
    assert read_options(b'{"preconditions":{"uid":"","resourceVersion":null}}').uid == ""
    assert read_options(b'{"dryRun":["All","All"]}').dry_run


@pytest.mark.parametrize(("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")])
async def test_the_policy_of_a_namespace_is_its_first(admin: Client, policy: str, finalizer: str) -> None:
    await admin.create(NAMESPACES, {"metadata": {"name": "n"}})
    for each in (policy, "Background"):
        await admin.delete(NAMESPACES, "n", propagation_policy=each)
        assert (await admin.get(NAMESPACES, "n"))["metadata"]["finalizers"] == [finalizer]


async def test_finalizers_hold_an_object(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, {"metadata": {**META, "finalizers": ["example.com/x"]}})
    await admin.delete(CONFIG_MAPS, "a", "default")
    held = await admin.get(CONFIG_MAPS, "a", "default")
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    await admin.delete(CONFIG_MAPS, "a", "default")
    assert await admin.get(CONFIG_MAPS, "a", "default") == held
    last = await admin.patch(CONFIG_MAPS, "a", "default", patch={"metadata": {"finalizers": None}})
    assert (last["metadata"]["uid"], "finalizers" in last["metadata"]) == (held["metadata"]["uid"], False)
    assert last["metadata"]["resourceVersion"] == held["metadata"]["resourceVersion"]
    assert await missing(admin, CONFIG_MAPS, "a")


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan"), ("Background", "")]
)
async def test_propagation(admin: Client, policy: str, finalizer: str) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {"metadata": META, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    await admin.create(DEPLOYMENTS, body)
    await admin.delete(DEPLOYMENTS, "a", "default", propagation_policy=policy)
    if finalizer:
        held = await admin.get(DEPLOYMENTS, "a", "default")
        assert held["metadata"]["finalizers"] == [finalizer]
        assert held["metadata"]["generation"] == 2
    else:
        assert await missing(admin, DEPLOYMENTS, "a")


async def test_jobs_orphan_by_default(admin: Client) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    await admin.create(JOBS, {"metadata": META, "spec": {"template": template}})
    await admin.delete(JOBS, "a", "default")
    assert (await admin.get(JOBS, "a", "default"))["metadata"]["finalizers"] == ["orphan"]


async def test_a_pod_without_a_node_is_gone_at_once(admin: Client) -> None:
    await pod(admin)
    await admin.delete(PODS, "a", "default")
    assert await missing(admin, PODS, "a")


async def test_graceful_deletion_is_confirmed_with_grace_zero(admin: Client) -> None:
    await pod(admin, "n")
    await admin.delete(PODS, "a", "default")
    first = await admin.get(PODS, "a", "default")
    assert first["metadata"]["deletionGracePeriodSeconds"] == 30
    await admin.delete(PODS, "a", "default", grace_period_seconds=60)
    assert await admin.get(PODS, "a", "default") == first
    await admin.delete(PODS, "a", "default", grace_period_seconds=5)
    second = await admin.get(PODS, "a", "default")
    assert second["metadata"]["deletionGracePeriodSeconds"] == 5
    assert second["metadata"]["deletionTimestamp"] < first["metadata"]["deletionTimestamp"]
    await admin.delete(PODS, "a", "default", grace_period_seconds=0)
    assert await missing(admin, PODS, "a")


async def test_a_collection(admin: Client) -> None:
    for name in ("a", "b", "c"):
        labels = {"go": "yes"} if name != "b" else {}
        await admin.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default", "labels": labels}})
    await admin.delete_collection(CONFIG_MAPS, "default", label_selector="go=yes")
    assert [item["metadata"]["name"] for item in (await admin.list(CONFIG_MAPS, "default")).items] == ["b"]


async def test_namespaces_end_by_finalize(admin: Client) -> None:
    await admin.create(NAMESPACES, {"metadata": {"name": "x"}})
    await admin.delete(NAMESPACES, "x")
    ending = await admin.get(NAMESPACES, "x")
    assert ending["status"]["phase"] == "Terminating"
    with pytest.raises(StatusError) as caught:
        await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "x"}})
    assert caught.value.message == (
        'configmaps "a" is forbidden: unable to create new content in namespace x because it is being terminated'
    )
    assert caught.value.details["causes"][0]["reason"] == "NamespaceTerminating"
    unchanged = await admin.update(NAMESPACES, {**ending, "spec": {"finalizers": []}})
    assert unchanged["spec"]["finalizers"] == ["kubernetes"]
    await admin.update(NAMESPACES, {**ending, "spec": {"finalizers": []}}, subresource="finalize")
    assert await missing(admin, NAMESPACES, "x", "")


async def test_some_namespaces_never_go(admin: Client) -> None:
    with pytest.raises(StatusError) as caught:
        await admin.delete(NAMESPACES, "kube-system")
    assert caught.value.message == 'namespaces "kube-system" is forbidden: this namespace may not be deleted'


async def test_bad_options(admin: Client) -> None:
    await admin.create(NODES, {"metadata": {"name": "n"}})
    with pytest.raises(StatusError) as caught:
        await admin.delete(NODES, "n", propagation_policy="Never")
    assert caught.value.reason == "Invalid"
