"""Deadlines of many calls with one timer, under virtual time."""

import asyncio
from random import Random

from kybern.clock.virtual import VirtualClock, run
from kybern.rpc.exchange.deadlines import Deadlines


def test_calls_are_late_at_their_own_time() -> None:
    async def main(clock: VirtualClock, random: Random) -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        began, late = loop.time(), []
        deadlines = Deadlines(loop, lambda call: late.append((call, round(loop.time() - began, 3))))
        for call, seconds in ((1, 60.0), (2, 5.0), (3, 5.0), (4, 30.0), (5, 90.0)):
            deadlines.set(call, seconds)
        deadlines.drop(3)
        deadlines.drop(99)
        await asyncio.sleep(10)
        deadlines.set(6, 1.0)  # sooner than what is looked for next
        deadlines.drop(1)
        await asyncio.sleep(50)
        deadlines.close()
        await asyncio.sleep(100)
        return late

    assert run(main, seed=1) == [(2, 5.0), (6, 11.0), (4, 30.0)]
