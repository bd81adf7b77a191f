"""HorizontalPodAutoscalers: replicas follow what pods use, as a metrics API in the cluster tells."""

import asyncio
from typing import Any

from kybern.client.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    EVENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    PODS,
    Resource,
)
from kybern.kube.conditions import get_condition
from kybern.kube.meta import format_time
from kybern.kube.status import StatusError

METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")


async def serve_metrics(cluster: Any) -> None:
    """metrics.k8s.io as custom resources: anybody may play the kubelets."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "pods", "singular": "podmetrics", "kind": "PodMetrics"}
    spec = {"group": "metrics.k8s.io", "scope": "Namespaced", "names": names, "versions": [version]}
    metadata = {"annotations": {"api-approved.kubernetes.io": "unapproved, test"}}
    await cluster.create(CUSTOM_RESOURCE_DEFINITIONS, "pods.metrics.k8s.io", spec=spec, metadata=metadata)
    await asyncio.sleep(2)


async def play(cluster: Any, load: dict[str, int]) -> None:
    """Every pod tells that it uses its part of `load["total"]` millicores, as long as the test runs."""
    while True:
        pods = (await cluster.admin.list(PODS, "default", label_selector="app=web")).items
        running = [
            p for p in pods if p["status"].get("phase") == "Running" and "deletionTimestamp" not in p["metadata"]
        ]
        for pod in running:
            name = pod["metadata"]["name"]
            usage = {"cpu": f"{load['total'] // len(running)}m"}
            body = {
                "metadata": {"name": name, "namespace": "default", "labels": pod["metadata"]["labels"]},
                "timestamp": format_time(cluster.clock.now()),
                "window": "10s",
                "containers": [{"name": "c", "usage": usage}],
            }
            try:
                await cluster.admin.create(METRICS, body)
            except StatusError:
                await cluster.admin.patch(
                    METRICS, name, "default", patch={k: body[k] for k in ("timestamp", "containers")}
                )
        await asyncio.sleep(10)


async def target(cluster: Any, replicas: int = 2) -> None:
    resources = {"requests": {"cpu": "100m"}}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "v1", "resources": resources}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    await cluster.create(DEPLOYMENTS, "web", spec=spec)
    await cluster.rolled_out()


async def autoscaler(cluster: Any, most: int = 10, **spec: Any) -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    metrics = [{"type": "Resource", "resource": metric}]
    spec = {"scaleTargetRef": ref, "minReplicas": 1, "maxReplicas": most, "metrics": metrics, **spec}
    await cluster.create(HORIZONTAL_POD_AUTOSCALERS, "web", spec=spec)


async def replicas(cluster: Any) -> int:
    return int((await cluster.admin.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"])


async def scaled(cluster: Any, wanted: int, seconds: float = 60) -> None:
    async def probe() -> bool:
        return await replicas(cluster) == wanted

    await cluster.until(probe, seconds)


async def condition(cluster: Any, kind: str) -> tuple[str, str, str]:
    found = get_condition(await cluster.admin.get(HORIZONTAL_POD_AUTOSCALERS, "web", "default"), kind) or {}
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def test_replicas_follow_the_load(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await serve_metrics(cluster)
        await target(cluster)
        load = {"total": 100}
        playing = asyncio.create_task(play(cluster, load))
        await asyncio.sleep(20)
        await autoscaler(cluster)
        await asyncio.sleep(30)
        assert await replicas(cluster) == 2  # 50 % of what is requested: as it should be
        found = await cluster.admin.get(HORIZONTAL_POD_AUTOSCALERS, "web", "default")
        assert found["status"]["currentMetrics"] == [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "current": {"averageUtilization": 50, "averageValue": "50m"}},
            }
        ]
        assert (await condition(cluster, "ScalingActive"))[:2] == ("True", "ValidMetricFound")
        load["total"] = 300
        await scaled(cluster, 6, 90)
        events = [e["reason"] for e in (await cluster.admin.list(EVENTS, "default")).items]
        assert "SuccessfulRescale" in events
        load["total"] = 3000
        await scaled(cluster, 10, 120)
        assert (await condition(cluster, "ScalingLimited"))[:2] == ("True", "TooManyReplicas")
        load["total"] = 50
        await asyncio.sleep(120)
        assert await replicas(cluster) == 10  # what was recommended in the last five minutes counts
        assert (await condition(cluster, "AbleToScale"))[1] == "ScaleDownStabilized"
        await scaled(cluster, 1, 400)
        playing.cancel()

    simulate(test)


def test_behavior_limits_how_fast(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await serve_metrics(cluster)
        await target(cluster)
        playing = asyncio.create_task(play(cluster, {"total": 1000}))
        await asyncio.sleep(20)
        up = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
        await autoscaler(cluster, most=20, behavior={"scaleUp": up})
        await scaled(cluster, 3, 30)
        await asyncio.sleep(40)
        assert await replicas(cluster) == 3
        assert (await condition(cluster, "ScalingLimited"))[:2] == ("True", "ScaleUpLimit")
        await scaled(cluster, 4, 60)
        playing.cancel()

    simulate(test)


def test_without_a_metrics_api_nothing_is_scaled_and_the_reason_is_told(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await target(cluster)
        await autoscaler(cluster)
        await asyncio.sleep(20)
        assert await condition(cluster, "ScalingActive") == (
            "False",
            "FailedGetResourceMetric",
            "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for "
            "resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested "
            "resource (get pods.metrics.k8s.io)",
        )
        assert await replicas(cluster) == 2
        patch = {"spec": {"minReplicas": 3}}
        await cluster.admin.patch(HORIZONTAL_POD_AUTOSCALERS, "web", "default", patch=patch)
        await scaled(cluster, 3, 20)
        await cluster.admin.delete(DEPLOYMENTS, "web", "default")
        await asyncio.sleep(20)
        assert (await condition(cluster, "AbleToScale"))[:2] == ("False", "FailedGetScale")

    simulate(test)


def test_two_autoscalers_of_the_same_pods_leave_them_alone(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await target(cluster)
        await autoscaler(cluster)
        found = await cluster.admin.get(HORIZONTAL_POD_AUTOSCALERS, "web", "default")
        await cluster.create(HORIZONTAL_POD_AUTOSCALERS, "rival", spec=found["spec"])
        await asyncio.sleep(40)
        status, reason, message = await condition(cluster, "ScalingActive")
        assert (status, reason) == ("False", "AmbiguousSelector")
        assert message == "pods by selector app=web are controlled by multiple HPAs: [default/rival default/web]"
        await cluster.admin.delete(HORIZONTAL_POD_AUTOSCALERS, "rival", "default")
        await asyncio.sleep(40)
        assert (await condition(cluster, "ScalingActive"))[1] == "FailedGetResourceMetric"

    simulate(test)
