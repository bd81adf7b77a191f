"""One metric of an autoscaler's spec after another: measured, and turned into a number of replicas."""

from dataclasses import dataclass
from datetime import datetime

from kybern.controllers.podautoscaler.core.usage import (
    MetricsError,
    Proposal,
    Tolerance,
    pod_requests,
    replicas_for_average,
    replicas_for_utilization,
    replicas_for_value,
    replicas_for_value_per_pod,
)
from kybern.controllers.podautoscaler.metrics_api import MetricsAPI
from kybern.kube.meta import Object
from kybern.kube.quantity import from_milli, parse

REASONS = {
    "Resource": "FailedGetResourceMetric",
    "ContainerResource": "FailedGetContainerResourceMetric",
    "Pods": "FailedGetPodsMetric",
    "Object": "FailedGetObjectMetric",
    "External": "FailedGetExternalMetric",
}


@dataclass(frozen=True)
class Target:
    """What is scaled: its namespace, pods, and how many it has and wants."""

    namespace: str
    selector: str
    pods: list[Object]
    current: int
    observed: int


@dataclass(frozen=True)
class MetricResult:
    """A metric's proposal, its name in messages and its status."""

    replicas: int
    name: str
    status: Object


class Proposals:
    """Reads metrics through one API client."""

    def __init__(self, api: MetricsAPI) -> None:
        self._api = api

    async def of(
        self, metric: Object, target: Target, tolerance: Tolerance, now: datetime, plural: str
    ) -> MetricResult:
        """What one metric asks for. Raises MetricsError."""
        match metric.get("type"):
            case "Resource":
                return await self._resource(metric["resource"], target, tolerance, now)
            case "ContainerResource":
                source = metric["containerResource"]
                return await self._resource(source, target, tolerance, now, source["container"])
            case "Pods":
                return await self._pods(metric["pods"], target, tolerance, now)
            case "Object":
                return await self._object(metric["object"], target, tolerance, plural)
            case "External":
                return await self._external(metric["external"], target, tolerance)
        raise MetricsError(f'unknown metric source type "{metric.get("type")}"')

    async def _resource(
        self, source: Object, target: Target, tolerance: Tolerance, now: datetime, container: str = ""
    ) -> MetricResult:
        name, wanted = source["name"], source["target"]
        try:
            measured = await self._api.pods(target.namespace, target.selector, name, container)
            if wanted.get("averageValue") is not None:
                average = parse(wanted["averageValue"]).milli_value()
                found = replicas_for_average(target.current, average, target.pods, measured, name, now, tolerance)
                title = f"{name} resource"
            else:
                requests = pod_requests(target.pods, name, container)
                percent = int(wanted.get("averageUtilization") or 0)
                found = replicas_for_utilization(
                    target.current, percent, target.pods, measured, requests, name, now, tolerance
                )
                title = f"{name} {'container ' if container else ''}resource utilization (percentage of request)"
        except MetricsError as error:
            raise MetricsError(f"failed to get {name} utilization: {error}") from error
        current = _average(found)
        if found.utilization is not None:
            current["averageUtilization"] = found.utilization
        inner = {"name": name, "current": current}
        if container:
            status = {"type": "ContainerResource", "containerResource": {**inner, "container": container}}
            return MetricResult(found.replicas, title, status)
        return MetricResult(found.replicas, title, {"type": "Resource", "resource": inner})

    async def _pods(self, source: Object, target: Target, tolerance: Tolerance, now: datetime) -> MetricResult:
        metric = source["metric"]
        measured = await self._api.of_pods(target.namespace, target.selector, metric)
        average = parse(source["target"]["averageValue"]).milli_value()
        found = replicas_for_average(target.current, average, target.pods, measured, "", now, tolerance)
        status = {"type": "Pods", "pods": {"metric": metric, "current": _average(found)}}
        return MetricResult(found.replicas, f"pods metric {metric['name']}", status)

    async def _object(self, source: Object, target: Target, tolerance: Tolerance, plural: str) -> MetricResult:
        metric, described = source["metric"], source["describedObject"]
        value = await self._api.of_object(target.namespace, described, plural, metric)
        found, current = _shared(value, source["target"], target, tolerance)
        status = {"metric": metric, "describedObject": described, "current": current}
        name = f"{described['kind']} metric {metric['name']}"
        return MetricResult(found.replicas, name, {"type": "Object", "object": status})

    async def _external(self, source: Object, target: Target, tolerance: Tolerance) -> MetricResult:
        metric = source["metric"]
        value = await self._api.external(target.namespace, metric)
        found, current = _shared(value, source["target"], target, tolerance)
        name = f"external metric {metric['name']}({metric.get('selector')})"
        return MetricResult(
            found.replicas, name, {"type": "External", "external": {"metric": metric, "current": current}}
        )


def _shared(value: int, wanted: Object, target: Target, tolerance: Tolerance) -> tuple[Proposal, Object]:
    """A value that describes all pods together, compared whole or for each of them."""
    if wanted.get("averageValue") is not None:
        average = parse(wanted["averageValue"]).milli_value()
        found = replicas_for_value_per_pod(target.observed, value, average, tolerance)
        return found, _average(found)
    whole = parse(wanted["value"]).milli_value()
    found = replicas_for_value(target.current, value, whole, target.pods, tolerance)
    return found, {"value": str(from_milli(value))}


def _average(found: Proposal) -> Object:
    return {"averageValue": str(from_milli(found.average or 0))}
