"""Fields whose feature gate is off by default: dropped from what is sent, kept where they are stored already."""

from pathlib import Path
from typing import Any

import orjson

from kybern.client.objects import Client
from kybern.client.resources import LEASES, NODES, PODS, STATEFUL_SETS
from kybern.store.contract import Put
from kybern.store.sqlite import SqliteStore

LABELS = {"app": "db"}
KEY = "/registry/statefulsets/default/db"


def stateful_set(**rolling: Any) -> dict[str, Any]:
    source = {"clusterTrustBundle": {"name": "roots", "path": "roots.pem"}}
    volumes = [{"name": "v", "projected": {"sources": [source, {"secret": {"name": "s"}}]}}]
    containers = [{"name": "c", "image": "i", "lifecycle": {"stopSignal": "SIGUSR1"}}]
    return {
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "serviceName": "db",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": containers, "volumes": volumes}},
        },
    }


async def test_dropped_on_create_and_update(admin: Client) -> None:
    made = await admin.create(STATEFUL_SETS, stateful_set(maxUnavailable=2))
    assert made["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 0}
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert "lifecycle" not in container
    (volume,) = made["spec"]["template"]["spec"]["volumes"]
    assert volume["projected"]["sources"] == [{}, {"secret": {"name": "s"}}]

    patch = {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}}}
    again = await admin.patch(STATEFUL_SETS, "db", "default", patch=patch)
    assert (again["spec"], again["metadata"]["generation"]) == (made["spec"], 1)
    lease = {"metadata": {"name": "l", "namespace": "default"}, "spec": {"strategy": "OldestEmulationVersion"}}
    assert "strategy" not in (await admin.create(LEASES, lease))["spec"]


async def test_kept_where_it_is_in_use(running: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with running(path) as cluster, cluster.client() as admin:
        await admin.create(STATEFUL_SETS, stateful_set())
    store = await SqliteStore.open(path, threaded=False)
    kv, _ = await store.get(KEY)
    assert kv is not None
    written = orjson.loads(kv.value)
    written["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = 2
    await store.txn([Put(KEY, orjson.dumps(written))])
    async with running(store=store) as cluster, cluster.client() as admin:
        patch = {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 3}}}}
        changed = await admin.patch(STATEFUL_SETS, "db", "default", patch=patch)
        assert changed["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 0, "maxUnavailable": 3}
        patch = {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": None}}}}
        await admin.patch(STATEFUL_SETS, "db", "default", patch=patch)
        changed = await admin.update(STATEFUL_SETS, stateful_set(maxUnavailable=3))
        assert changed["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 0}


async def test_status_and_small_subresources_of_pods(admin: Client) -> None:
    await admin.create(NODES, {"metadata": {"name": "n"}})
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n", "schedulingGroup": {"podGroupName": "g"}}
    pod = await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    assert "schedulingGroup" not in pod["spec"]

    mount = {"name": "v", "mountPath": "/v", "volumeStatus": {"image": {"imageRef": "sha256:1"}}}
    status = {"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "volumeMounts": [mount]}
    seen = await admin.update_status(PODS, {**pod, "status": {**pod["status"], "containerStatuses": [status]}})
    (mounted,) = seen["status"]["containerStatuses"][0]["volumeMounts"]
    assert mounted == {"name": "v", "mountPath": "/v"}

    extra = {"name": "debug", "image": "i", "lifecycle": {"stopSignal": "SIGUSR1"}}
    patch = {"spec": {"ephemeralContainers": [extra]}}
    changed = await admin.patch(PODS, "p", "default", patch=patch, subresource="ephemeralcontainers")
    assert "lifecycle" not in changed["spec"]["ephemeralContainers"][0]
