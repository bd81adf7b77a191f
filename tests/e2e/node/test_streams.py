"""Exec, attach, port-forward and following logs through the NodeAgent contract, on a real containerd."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kybern.protos.node.v1 import node_pb2 as pb

pytestmark = [pytest.mark.containerd, pytest.mark.asyncio]
World = Any


def is_ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


async def run(
    world: World, name: str, command: list[str], *sent: pb.ExecRequest, **options: Any
) -> tuple[bytes, bytes, Any]:
    """stdout, stderr and the Status of an exec."""

    async def requests() -> AsyncIterator[pb.ExecRequest]:
        options.setdefault("stderr", not options.get("tty"))
        yield pb.ExecRequest(start=pb.ExecStart(container=world.ref(name), command=command, stdout=True, **options))
        for request in sent:
            yield request
        await asyncio.sleep(20)

    out, err, status = b"", b"", None
    call = world.stub.Exec(requests(), timeout=20)
    async for answer in call:
        out, err = out + answer.stdout, err + answer.stderr
        if answer.status:
            status = json.loads(answer.status)
    return out, err, status


async def test_exec(world: World) -> None:
    world.run_pod("web", {"command": ["sleep", "1000"]})
    await world.until("web", is_ready)
    out, err, status = await run(world, "web", ["sh", "-c", "echo out; echo err >&2; exit 5"])
    assert (out, err) == (b"out\n", b"err\n")
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "5"}]
    out, _, status = await run(world, "web", ["echo", "fine"])
    assert (out, status["status"]) == (b"fine\n", "Success")


async def test_exec_with_input(world: World) -> None:
    world.run_pod("web", {"command": ["sleep", "1000"]})
    await world.until("web", is_ready)
    sent = [pb.ExecRequest(stdin=b"hello "), pb.ExecRequest(stdin=b"world"), pb.ExecRequest(close_stdin=True)]
    out, _, status = await run(world, "web", ["cat"], *sent, stdin=True)
    assert (out, status["status"]) == (b"hello world", "Success")


async def test_exec_on_a_terminal(world: World) -> None:
    world.run_pod("web", {"command": ["sleep", "1000"]})
    await world.until("web", is_ready)
    sent = [
        pb.ExecRequest(resize=pb.TerminalSize(width=91, height=33)),
        pb.ExecRequest(stdin=b"sleep 0.2; stty size; exit 2\n"),
    ]
    out, _, status = await run(world, "web", ["sh"], *sent, stdin=True, tty=True)
    assert b"33 91" in out
    assert status["details"]["causes"][0]["message"] == "2"


async def test_attach(world: World) -> None:
    world.run_pod("echo", {"command": ["cat"], "stdin": True})
    await world.until("echo", is_ready)

    async def requests() -> AsyncIterator[pb.AttachRequest]:
        yield pb.AttachRequest(start=pb.AttachStart(container=world.ref("echo"), stdin=True, stdout=True, stderr=True))
        yield pb.AttachRequest(stdin=b"ping\n")
        await asyncio.sleep(20)

    call = world.stub.Attach(requests(), timeout=20)
    async for answer in call:
        assert answer.stdout == b"ping\n"
        break
    call.cancel()


@pytest.mark.parametrize("bind", ["127.0.0.1:8080", "8080"])
async def test_port_forward(world: World, bind: str) -> None:
    script = f"mkdir /www; echo hi > /www/index.html; exec httpd -f -p {bind} -h /www"
    world.run_pod("web", {"command": ["sh", "-c", script]})
    await world.until("web", is_ready)
    await asyncio.sleep(0.2)

    async def requests() -> AsyncIterator[pb.PortForwardRequest]:
        yield pb.PortForwardRequest(start=pb.PortForwardStart(container=world.ref("web"), port=8080))
        yield pb.PortForwardRequest(data=b"GET /index.html HTTP/1.0\r\n\r\n")

    data = b"".join([answer.data async for answer in world.stub.PortForward(requests(), timeout=10)])
    assert data.endswith(b"hi\n")


async def test_port_forward_to_nobody(world: World) -> None:
    world.run_pod("web", {"command": ["sleep", "1000"]})
    await world.until("web", is_ready)

    async def requests() -> AsyncIterator[pb.PortForwardRequest]:
        yield pb.PortForwardRequest(start=pb.PortForwardStart(container=world.ref("web"), port=1))

    answers = [answer async for answer in world.stub.PortForward(requests(), timeout=10)]
    assert "error forwarding port 1 to pod web" in answers[-1].error


async def test_logs(world: World) -> None:
    world.run_pod(
        "talk",
        {"command": ["sh", "-c", "for i in 1 2 3; do echo line $i; done; sleep 1; echo late"]},
        restartPolicy="Never",
    )
    await world.until("talk", is_ready)
    assert await world.logs("talk", tail_lines=2) == "line 2\nline 3\n"
    assert await world.logs("talk", limit_bytes=5) == "line "
    stamped = await world.logs("talk", timestamps=True, tail_lines=1)
    assert stamped.endswith(" line 3\n")
    assert stamped.startswith("20")
    assert await world.logs("talk", follow=True, tail_lines=1) == "line 3\nlate\n"
