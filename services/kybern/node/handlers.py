"""Probe and lifecycle handlers: exec, httpGet, tcpSocket, grpc and sleep, each one try."""

import asyncio
import os
import ssl
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import urljoin, urlsplit

import grpc

from kybern.kube.meta import Object
from kybern.node.core.probe import resolve_port
from kybern.node.cri.client import CriError, Runtime

MAX_BODY = 10 * 1024
MAX_REDIRECTS, REDIRECTS = 10, (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Outcome:
    """How a try ended, with a sentence for people when it failed, or when it is a success to be `wary` of."""

    success: bool
    message: str = ""
    wary: bool = False


@dataclass(frozen=True)
class Target:
    """Where a handler is carried out."""

    runtime: Runtime
    container_id: str
    container: Object
    address: str  # the pod's IP


async def run_handler(handler: Object, target: Target, timeout: float) -> Outcome:
    """Carry out one handler; anything that goes wrong is a failure, not an exception."""
    try:
        if action := handler.get("exec"):
            return await run_exec(action, target, timeout)
        if action := handler.get("httpGet"):
            return await run_http(action, target, timeout)
        if action := handler.get("tcpSocket"):
            return await run_tcp(action, target, timeout)
        if action := handler.get("grpc"):
            return await run_grpc(action, target, timeout)
        if action := handler.get("sleep"):
            await asyncio.sleep(float(action["seconds"]))
            return Outcome(True)
    except ValueError as error:
        return Outcome(False, str(error))
    return Outcome(False, "missing probe handler")


async def run_exec(action: Object, target: Target, timeout: float) -> Outcome:
    """Exit status 0 is success; the output of a failure is its message."""
    try:
        done = await target.runtime.exec_sync(target.container_id, list(action.get("command") or []), timeout)
    except CriError as error:
        if error.code == grpc.StatusCode.DEADLINE_EXCEEDED or "timeout" in error.details:
            return Outcome(
                False, f"command timed out: {' '.join(action.get('command') or [])} timed out after {timeout:g}s"
            )
        return Outcome(False, str(error))
    output = (done.stdout + done.stderr)[:MAX_BODY].decode(errors="replace")
    return Outcome(done.exit_code == 0, output)


async def run_http(action: Object, target: Target, timeout: float) -> Outcome:
    """A status from 200 to 399 is success; certificates are not checked."""
    scheme = (action.get("scheme") or "HTTP").lower()
    host, port = action.get("host") or target.address, resolve_port(target.container, action["port"])
    path = action.get("path") or "/"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{path if path.startswith('/') else '/' + path}"
    headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*", "Connection": "close"}
    headers |= {header["name"]: header["value"] for header in action.get("httpHeaders") or []}
    http = await asyncio.to_thread(import_module, "aiohttp")  # a large import that many nodes never need
    connector = http.TCPConnector(ssl=unchecked() if scheme == "https" else True, force_close=True)
    try:
        async with asyncio.timeout(timeout), http.ClientSession(connector=connector) as session:
            status, body = await fetch(session, url, headers)
        if status in range(300, 400):
            said = body.decode(errors="replace")
            return Outcome(True, f"Probe terminated redirects, Response body: {said}", wary=True)
        good = 200 <= status < 300
        return Outcome(good, "" if good else f"HTTP probe failed with statuscode: {status}")
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(False, f'Get "{url}": {why}')
    except http.ClientConnectorError as error:
        return Outcome(False, f'Get "{url}": dial tcp {host}:{port}: connect: {reason(error.os_error)}')
    except (http.ClientError, OSError) as error:
        return Outcome(False, f'Get "{url}": {error}')


async def fetch(session: Any, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """The status of the answer, and how it begins. Redirects are followed on the same host; another is the answer."""
    for _ in range(MAX_REDIRECTS):
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            body = await response.content.read(MAX_BODY)
            target = urljoin(url, response.headers.get("Location", ""))
            away = urlsplit(target).hostname != urlsplit(url).hostname
            if response.status not in REDIRECTS or target == url or away:
                return int(response.status), body
            url = target
    raise OSError(f"stopped after {MAX_REDIRECTS} redirects")


@cache
def unchecked() -> ssl.SSLContext:
    """TLS that believes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def reason(error: OSError) -> str:
    """An error as the system names it: connection refused."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


async def run_tcp(action: Object, target: Target, timeout: float) -> Outcome:
    """A connection that opens is success."""
    host, port = action.get("host") or target.address, resolve_port(target.container, action["port"])
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, f"dial tcp {host}:{port}: connect: {reason(error)}")
    writer.close()
    return Outcome(True)


async def run_grpc(action: Object, target: Target, timeout: float) -> Outcome:
    """The standard health service has to answer SERVING."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    address = f"{target.address}:{resolve_port(target.container, action['port'])}"
    async with grpc.aio.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=action.get("service") or "")
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return Outcome(
                    False, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
                )
            return Outcome(
                False, f'timeout: failed to connect service "{address}" within {timeout:g}s: {error.details()}'
            )
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return Outcome(True)
    return Outcome(
        False,
        f'service unhealthy (responded with "{health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")',
    )
