"""Stopping containers."""

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kybern.node.core.labels import PRE_STOP
from kybern.node.core.runtime_pod import Container, State
from kybern.node.pod_stop import kill_container, spec_of


class Calls:
    """A runtime that notes what it is asked for."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []

    async def stop_container(self, container: str, grace: float) -> None:
        self.made.append(("stop", container))

    async def remove_container(self, container: str) -> None:
        self.made.append(("remove", container))


@pytest.mark.parametrize(("state", "call"), [(State.RUNNING, "stop"), (State.CREATED, "remove")])
async def test_what_never_started_is_removed(state: State, call: str) -> None:
    runtime = Calls()
    node: Any = SimpleNamespace(runtime=runtime, event=lambda *about: None)
    await kill_container(node, {"spec": {}}, Container("id", "c", "s", state=state), 1.0, "")
    assert runtime.made == [(call, "id")]


async def test_a_hook_may_name_a_port_of_its_container() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).split()[1])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    told: list[str] = []
    node: Any = SimpleNamespace(runtime=Calls(), event=lambda pod, kind, reason, *more: told.append(reason))
    pod = {"spec": {"containers": [{"name": "c", "ports": [{"name": "admin", "containerPort": port}]}]}}
    hook = orjson.dumps({"httpGet": {"port": "admin", "path": "/bye"}}).decode()
    container = Container("id", "c", "s", state=State.RUNNING, annotations={PRE_STOP: hook})
    await kill_container(node, pod, container, 5.0, "", "127.0.0.1")
    server.close()
    assert (asked, told) == ([b"/bye"], ["Killing"])


def test_a_container_of_an_unknown_pod_is_a_name() -> None:
    assert spec_of({"spec": {"containers": []}}, "c") == {"name": "c"}
