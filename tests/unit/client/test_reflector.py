"""What a reflector does about a server that ends watches at once, in virtual time."""

import asyncio
import logging
from collections.abc import AsyncIterator
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from kybern.client.messages import Events, Objects
from kybern.client.objects import Client
from kybern.client.reflector import Reflector
from kybern.client.resources import PODS
from kybern.clock import virtual


class BriefWatches:
    """A client whose lists are empty and whose watches end at once."""

    def __init__(self) -> None:
        self.watches = 0

    async def list(self, *_: Any, **__: Any) -> Any:
        """Nothing."""
        return SimpleNamespace(items=[], resource_version="1")

    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[Events]:
        """No event, not even a wait."""
        self.watches += 1
        assert self.watches < 100, "spinning"
        nothing: list[Events] = []
        for events in nothing:
            yield events


class Ignore:
    """Takes no notice."""

    def replace(self, objects: Objects) -> None:
        """Nothing to keep."""

    def apply(self, events: Events) -> None:
        """Nothing to keep."""


def test_watches_that_end_at_once_are_waited_out() -> None:
    client = BriefWatches()
    reflector = Reflector(cast(Client, client), PODS, Ignore(), Random(1), logging.getLogger("test"))

    async def a_minute(*_: object) -> None:
        running = asyncio.create_task(reflector.run())
        await asyncio.sleep(60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual.run(a_minute, seed=1)
    assert 3 <= client.watches <= 10  # 0.8 s doubling to 30 s, each up to twice as long
    assert reflector.lists == 1  # the version is as good as before
