"""The kubelet's HTTP API, without HTTP: what nodes/NAME/proxy/… is answered with.

/healthz  /metrics  /metrics/cadvisor  /metrics/resource  /metrics/probes  /stats/summary  /pods  /runningpods
/configz  /containerLogs/NS/POD/CONTAINER  /run/NS/POD/CONTAINER?cmd=…  /logs/…

/exec, /attach and /portForward are streams: the gateway makes the contract's own calls of them.
"""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import parse_qs, quote

import orjson

from kybern.kube.meta import Object
from kybern.kube.quantity import parse
from kybern.kube.status import StatusError
from kybern.node.agent import NodeAgent
from kybern.node.core import exposition
from kybern.node.core.runtime_pod import State
from kybern.node.cri.client import CriError
from kybern.node.pod_worker import PodWorker
from kybern.node.summary import summarize
from kybern.protos.node.v1 import node_pb2 as pb
from kybern.telemetry.exposition import exposition as text_of

if TYPE_CHECKING:
    from kybern.node.server import NodeAgentService

JSON, TEXT, HTML = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
HOST_LOGS = Path("/var/log")
CHUNK = 256 << 10
RUN_SECONDS = 60.0
Query = dict[str, list[str]]


def answer(data: bytes | str, content_type: str = TEXT, status: int = 200) -> pb.ServeResponse:
    """A whole answer."""
    raw = data.encode() if isinstance(data, str) else data
    return pb.ServeResponse(status=status, content_type=content_type, data=raw)


NOT_FOUND = answer("404 page not found\n", TEXT, 404)


async def serve(
    service: "NodeAgentService", agent: NodeAgent, request: pb.ServeRequest
) -> AsyncIterator[pb.ServeResponse]:
    """The answer, in parts. Raises StatusError."""
    parts, query = request.path.strip("/").split("/"), parse_qs(request.query, keep_blank_values=True)
    match parts:
        case ["containerLogs", namespace, pod, container]:
            async for part in _container_logs(service, agent, namespace, pod, container, query):
                yield part
        case ["logs", *rest]:
            async for part in _host_logs(agent, "/".join(rest)):
                yield part
        case ["run", namespace, pod, *_, container] if request.method == "POST":
            yield await _run(agent, namespace, pod, container, query)
        case _ if request.method not in ("GET", "HEAD"):
            yield answer("405: Method Not Allowed", TEXT, 405)
        case _:
            yield await _document(agent, parts)


async def _document(agent: NodeAgent, parts: list[str]) -> pb.ServeResponse:
    match parts:
        case ["healthz"] | ["healthz", "ping" | "log" | "syncloop"]:
            return answer("ok")
        case ["metrics"]:
            return answer(await asyncio.to_thread(text_of, agent.node.telemetry.registry), METRICS)
        case ["metrics", "cadvisor"]:
            return answer(exposition.cadvisor_metrics(await summarize(agent), _machine(agent)), METRICS)
        case ["metrics", "resource"]:
            return answer(exposition.resource_metrics(await summarize(agent)), METRICS)
        case ["metrics", "probes"]:
            return answer("", METRICS)
        case ["stats", "summary"] | ["stats"]:
            return answer(orjson.dumps(await summarize(agent)), JSON)
        case ["pods"]:
            return answer(orjson.dumps(_pods([_with_status(worker) for worker in agent.workers.values()])), JSON)
        case ["runningpods"]:
            running = [
                w.pod for w in agent.workers.values() if any(c.state is State.RUNNING for c in w.runtime.containers)
            ]
            return answer(orjson.dumps(_pods(running)), JSON)
        case ["configz"]:
            return answer(orjson.dumps({"kubeletconfig": _configuration(agent)}), JSON)
    return NOT_FOUND


def _pods(items: list[Object]) -> Object:
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}


def _with_status(worker: PodWorker) -> Object:
    """A pod as this node sees it."""
    return {**worker.pod, "status": worker.status or worker.pod.get("status") or {}}


def _machine(agent: NodeAgent) -> Object:
    capacity = (agent.registration.node.get("status") or {}).get("capacity") or {}
    return {"cores": float(parse(capacity.get("cpu") or "0")), "memory": float(parse(capacity.get("memory") or "0"))}


def _configuration(agent: NodeAgent) -> Object:
    """What of a KubeletConfiguration there is."""
    settings = agent.node.settings
    return {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "clusterDomain": settings.cluster_domain,
        "clusterDNS": list(settings.cluster_dns),
    }


async def _container_logs(
    service: "NodeAgentService", agent: NodeAgent, namespace: str, pod: str, container: str, query: Query
) -> AsyncIterator[pb.ServeResponse]:
    """As pods/NAME/log."""

    def number(name: str) -> int | None:
        text = (query.get(name) or [""])[0]
        return int(text) if re.fullmatch("[0-9]{1,18}", text) else None

    def flag(name: str) -> bool:
        return (query.get(name) or ["false"])[0].lower() not in ("", "0", "false")

    reference = pb.ContainerRef(node_name=agent.node.name, namespace=namespace, pod=pod, container=container)
    asked = pb.LogsRequest(
        container=reference,
        follow=flag("follow"),
        previous=flag("previous"),
        timestamps=flag("timestamps"),
        tail_lines=number("tailLines"),
        limit_bytes=number("limitBytes"),
        since_seconds=number("sinceSeconds"),
        since_time=(query.get("sinceTime") or [""])[0],
    )
    begun = False
    try:
        async for part in service.Logs(asked, None):
            yield pb.ServeResponse(data=part.data) if begun else answer(part.data)
            begun = True
    except StatusError as error:
        if begun:
            raise
        yield answer(error.message, TEXT, error.code)
        return
    if not begun:
        yield answer("")


async def _run(agent: NodeAgent, namespace: str, pod: str, container: str, query: Query) -> pb.ServeResponse:
    """A command in a container, its output as the answer."""
    worker = agent.find(namespace, pod)
    found = worker.runtime.latest(container) if worker is not None else None
    if found is None or found.state is not State.RUNNING:
        return answer(f'container not found ("{container}") in pod "{pod}_{namespace}"', TEXT, 404)
    command = [word for text in query.get("cmd", ()) for word in text.split()]
    try:
        done = await agent.node.runtime.exec_sync(found.id, command, RUN_SECONDS)
    except CriError as error:
        return answer(str(error), TEXT, 500)
    return answer(done.stdout + done.stderr, TEXT, 200 if done.exit_code == 0 else 500)


async def _host_logs(agent: NodeAgent, path: str) -> AsyncIterator[pb.ServeResponse]:
    """/var/log of the machine: a listing or a file, nothing outside. A simulated node has none."""
    if agent.node.simulated:
        yield answer("<pre>\n</pre>\n", HTML) if not path else NOT_FOUND
        return
    found = await asyncio.to_thread(open_host_log, path)
    if found is None:
        yield NOT_FOUND
    elif isinstance(found, str):
        yield answer(found, HTML)
    else:
        with found:
            yield answer(await asyncio.to_thread(found.read, CHUNK))
            while data := await asyncio.to_thread(found.read, CHUNK):
                yield pb.ServeResponse(data=data)


def open_host_log(path: str) -> BinaryIO | str | None:
    """A file of /var/log, the listing of a folder, or None for what is not there, or elsewhere. Blocking."""
    try:
        root = HOST_LOGS.resolve(strict=True)
        found = (root / path).resolve(strict=True)
        if found != root and root not in found.parents:
            return None
        return listing(found) if found.is_dir() else found.open("rb")
    except (OSError, ValueError):
        return None


def listing(folder: Path) -> str:
    """Links to what is in a folder."""
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
    return f"<!doctype html>\n<pre>\n{links}</pre>\n"
