"""The metrics APIs, read from the API server: pods' CPU and memory, and values of custom and external metrics.

`metrics.k8s.io` may be served by this cluster's own apiserver; what an extension API server serves, and the custom and
external metrics, are read over HTTPS from the address of the `kubernetes` Service, as this service's own user.
"""

import asyncio
import json
import ssl
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from kybern.client.objects import Client
from kybern.client.resources import API_SERVICES, ENDPOINTS, Resource
from kybern.controllers.podautoscaler.core.usage import Measured, MetricsError
from kybern.kube import meta
from kybern.kube.duration import parse_go
from kybern.kube.meta import Object
from kybern.kube.quantity import parse
from kybern.kube.status import StatusError, allowing

POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
CUSTOM, EXTERNAL = "/apis/custom.metrics.k8s.io/v1beta2", "/apis/external.metrics.k8s.io/v1beta1"
TIMEOUT = 10.0  # seconds
Get = Callable[[str], Any]


class MetricsAPI:
    """`bundle`: key, certificate and CA of this service in one PEM file. `master`: HOST:PORT, if it is known."""

    def __init__(self, client: Client, bundle: Path, master: str = "") -> None:
        self._client = client
        self._bundle = bundle
        self._master = master.removeprefix("https://").rstrip("/")

    async def pods(self, namespace: str, selector: str, resource: str, container: str = "") -> dict[str, Measured]:
        """What each pod, or one container of it, uses. Raises MetricsError."""
        try:
            items = await self._pod_metrics(namespace, selector)
        except (StatusError, OSError, HTTPException) as error:
            why = error.message if isinstance(error, StatusError) else str(error)
            what = f"unable to get metrics for resource {resource}"
            raise MetricsError(f"{what}: unable to fetch metrics from resource metrics API: {why}") from error
        found = {}
        for item in items:
            measured = read_pod(item, resource, container)
            if measured is not None:
                found[meta.name(item)] = measured
        if not found:
            raise MetricsError(
                f"unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
            )
        return found

    async def _pod_metrics(self, namespace: str, selector: str) -> list[Object]:
        with allowing(404):
            return (await self._client.list(POD_METRICS, namespace, label_selector=selector)).items
        path = f"/apis/{POD_METRICS.api_version}/namespaces/{quote(namespace)}/pods"
        answer = await self._get(f"{path}?{urlencode({'labelSelector': selector})}", "get pods.metrics.k8s.io")
        return list(answer.get("items") or ())

    async def of_pods(self, namespace: str, selector: str, metric: Object) -> dict[str, Measured]:
        """A custom metric of each pod. Raises MetricsError."""
        query = {"labelSelector": selector, **_metric_selector(metric, "metricLabelSelector")}
        path = f"{CUSTOM}/namespaces/{quote(namespace)}/pods/*/{quote(metric['name'])}?{urlencode(query)}"
        answer = await self._values(path, f"unable to get metric {metric['name']}", "custom")
        return {item["describedObject"]["name"]: Measured(parse(item["value"]).milli_value()) for item in answer}

    async def of_object(self, namespace: str, described: Object, plural: str, metric: Object) -> int:
        """A custom metric of one object, in thousandths. Raises MetricsError."""
        where = f"{CUSTOM}/namespaces/{quote(namespace)}/{plural}/{quote(described['name'])}/{quote(metric['name'])}"
        query = _metric_selector(metric, "metricLabelSelector")
        answer = await self._values(f"{where}?{urlencode(query)}", f"unable to get metric {metric['name']}", "custom")
        return int(parse(answer[0]["value"]).milli_value())

    async def external(self, namespace: str, metric: Object) -> int:
        """The sum of an external metric's values, in thousandths. Raises MetricsError."""
        query = _metric_selector(metric, "labelSelector")
        path = f"{EXTERNAL}/namespaces/{quote(namespace)}/{quote(metric['name'])}?{urlencode(query)}"
        what = f"unable to get external metric {namespace}/{metric['name']}"
        answer = await self._values(path, what, "external")
        return sum(parse(item["value"]).milli_value() for item in answer)

    async def _values(self, path: str, what: str, api: str) -> list[Object]:
        try:
            answer = await self._get(path, f"get {api}.metrics.k8s.io")
        except (StatusError, OSError, HTTPException) as error:
            raise MetricsError(f"{what}: unable to fetch metrics from {api} metrics API: {error}") from error
        items = list(answer.get("items") or ())
        if not items:
            raise MetricsError(f"{what}: no metrics returned from {api} metrics API")
        return items

    async def _get(self, path: str, asked: str) -> Object:
        """GET from the API server. Raises StatusError, OSError, HTTPException."""
        group, version = path.split("/")[2:4]
        known = await self._client.list(API_SERVICES, field_selector=f"metadata.name={version}.{group}")
        if not known.items:
            raise _unserved(asked)
        host, port = await self._server(asked)
        return await asyncio.to_thread(_fetch, self._bundle, host, port, path, asked)

    async def _server(self, asked: str) -> tuple[str, int]:
        """An address of the API server. Raises StatusError (404) if it has none."""
        host, _, port = self._master.rpartition(":")
        if host:
            return host.strip("[]"), int(port)
        try:
            endpoints = await self._client.get(ENDPOINTS, "kubernetes", "default")
            subset = endpoints["subsets"][0]
            return subset["addresses"][0]["ip"], int(subset["ports"][0]["port"])
        except (StatusError, KeyError, IndexError):
            raise _unserved(asked) from None


def _unserved(asked: str) -> StatusError:
    message = f"the server could not find the requested resource ({asked})"
    return StatusError({"code": 404, "reason": "NotFound", "message": message})


def _fetch(bundle: Path, host: str, port: int, path: str, asked: str) -> Object:
    context = ssl.create_default_context(cadata=_authority(bundle))
    context.load_cert_chain(bundle)
    connection = HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status == 404:
        raise _unserved(asked)
    try:
        answer: Object = json.loads(body)
    except ValueError:
        answer = {}
    if response.status != 200:
        raise StatusError({"code": response.status, "message": answer.get("message") or response.reason})
    return answer


def _authority(bundle: Path) -> str:
    """The last certificate of a bundle, which is the CA's."""
    text = bundle.read_text()
    return text[text.rindex("-----BEGIN CERTIFICATE-----") :]


def _metric_selector(metric: Object, parameter: str) -> dict[str, str]:
    labels = (metric.get("selector") or {}).get("matchLabels") or {}
    return {parameter: ",".join(f"{name}={value}" for name, value in labels.items())} if labels else {}


def read_pod(item: Object, resource: str, container: str = "") -> Measured | None:
    """A PodMetrics object's use of a resource; None if a container does not tell."""
    total, found = 0, False
    for entry in item.get("containers") or ():
        if container and entry.get("name") != container:
            continue
        usage = (entry.get("usage") or {}).get(resource)
        if usage is None:
            return None
        total, found = total + parse(usage).milli_value(), True
    if not found:
        return None
    try:
        window = parse_go(item.get("window") or "1m")
    except ValueError:
        window = timedelta(minutes=1)
    return Measured(total, meta.parse_time(item.get("timestamp")), window)
