"""What the kernel holds after transactions that fail."""

import asyncio
import threading
from typing import Any

import pytest

from kybern.proxy.core.rules import Fragment
from kybern.proxy.core.transaction import Table
from kybern.proxy.nftables import NftablesError
from kybern.proxy.syncer import Syncer
from kybern.telemetry import Telemetry

CHAIN = Fragment({"svc-a": ("accept",)})


class Kernel:
    """Takes transactions, or refuses them; `gate` holds them up."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuses = False
        self.refused = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def run(self, commands: str) -> str:
        self.gate.wait(5)
        if self.refuses:
            self.refused.set()
            raise NftablesError("no")
        self.taken.append(commands)
        return ""


@pytest.fixture
async def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
async def syncer(kernel: Kernel) -> Syncer:
    nftables: Any = kernel
    found = Syncer(Table("10.244.0.0/16"), nftables, lambda key: CHAIN, Telemetry("test"))
    await found.sync(whole=True)
    kernel.taken.clear()
    return found


def is_whole(commands: str) -> bool:
    return commands.startswith("add table") and "delete table" in commands and "svc-a" in commands


async def test_only_what_changed_is_written(kernel: Kernel, syncer: Syncer) -> None:
    syncer.mark("d/a")
    assert await syncer.sync() == 2
    assert (await syncer.sync(), len(kernel.taken)) == (0, 1)
    assert "delete table" not in kernel.taken[0]


async def test_after_a_failure_everything_is_written_anew(kernel: Kernel, syncer: Syncer) -> None:
    kernel.refuses = True
    syncer.mark("d/a")
    with pytest.raises(NftablesError):
        await syncer.sync()
    kernel.refuses = False
    await syncer.sync()
    assert is_whole(kernel.taken[0])


async def test_a_failure_that_nobody_waited_for_counts_too(kernel: Kernel, syncer: Syncer) -> None:
    kernel.refuses = True
    kernel.gate.clear()
    syncer.mark("d/a")
    waiting = asyncio.ensure_future(syncer.sync())
    await asyncio.sleep(0.05)
    waiting.cancel()
    kernel.gate.set()
    await asyncio.wait([waiting])
    assert await asyncio.to_thread(kernel.refused.wait, 5)
    kernel.refuses = False
    await syncer.sync()
    assert [is_whole(commands) for commands in kernel.taken] == [True]
