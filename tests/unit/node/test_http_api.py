"""The node's own logs below nodes/NAME/proxy/logs."""

from pathlib import Path
from typing import Any

import pytest

from kybern.node import http_api
from kybern.protos.node.v1 import node_pb2 as pb


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(http_api, "HOST_LOGS", tmp_path / "log")
    (tmp_path / "log" / "apt").mkdir(parents=True)
    (tmp_path / "secret").write_text("no")
    (tmp_path / "log" / "out").symlink_to("../secret")
    return tmp_path / "log"


async def get(path: str, simulated: bool = False) -> list[Any]:
    node = type("Node", (), {"simulated": simulated})
    agent: Any = type("Agent", (), {"node": node})
    request = pb.ServeRequest(method="GET", path=f"logs/{path}")
    service: Any = None
    return [part async for part in http_api.serve(service, agent, request)]


async def test_a_large_file_comes_in_parts(root: Path) -> None:
    data = b"0123456789abcdef" * (http_api.CHUNK // 8)
    (root / "big").write_bytes(data)
    parts = await get("big")
    assert (parts[0].status, len(parts), b"".join(part.data for part in parts)) == (200, 2, data)


@pytest.mark.parametrize("path", ["nothing", "out", "../secret", "apt/../../secret"])
async def test_nothing_outside(root: Path, path: str) -> None:
    assert [part.status for part in await get(path)] == [404]


async def test_a_folder_is_a_listing(root: Path) -> None:
    (root / "a b").touch()
    (found,) = await get("")
    assert b'<a href="a%20b">a b</a>' in found.data
    assert b'<a href="apt/">apt/</a>' in found.data


async def test_a_simulated_node_has_none(root: Path) -> None:
    assert [part.data for part in await get("", simulated=True)] == [b"<pre>\n</pre>\n"]
    assert [part.status for part in await get("apt", simulated=True)] == [404]
