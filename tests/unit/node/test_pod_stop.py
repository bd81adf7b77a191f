"""Stopping containers."""

from types import SimpleNamespace
from typing import Any

import pytest

from kybern.node.core.runtime_pod import Container, State
from kybern.node.pod_stop import kill_container


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
