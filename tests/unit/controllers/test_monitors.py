"""Informers of everything."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

from kybern.client.discovery import ServedResource
from kybern.client.informer import SharedInformerFactory
from kybern.client.resources import CONFIG_MAPS
from kybern.clock import virtual
from kybern.controllers.monitors import SYNC_SECONDS, Monitors
from kybern.telemetry import Telemetry


class Nobody:
    """A task group in which nothing runs: no list ever ends."""

    def create_task(self, work: Coroutine[Any, Any, None]) -> None:
        work.close()


def test_a_collection_that_cannot_be_listed_does_not_hold_up_the_others() -> None:
    async def main(clock: virtual.VirtualClock, random: Random) -> float:
        client: Any = None
        telemetry = Telemetry("test")
        informers = SharedInformerFactory(client, random, telemetry)
        monitors = Monitors(client, informers, None, random, telemetry)
        nobody: Any = Nobody()
        monitors._follow([ServedResource(CONFIG_MAPS, frozenset({"delete", "list", "watch"}))], nobody)
        begin = asyncio.get_running_loop().time()
        await monitors.wait_for_sync()
        return asyncio.get_running_loop().time() - begin

    assert virtual.run(main, seed=1) == SYNC_SECONDS
