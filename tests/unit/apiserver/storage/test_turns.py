"""Writers that lost once."""

import asyncio

from kybern.apiserver.storage.turns import Turns


async def test_one_after_the_other() -> None:
    turns, running, most = Turns(), 0, 0

    async def write(key: str) -> None:
        nonlocal running, most
        async with turns.of(key):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(write("a") for _ in range(10)))
    assert most == 1
    await asyncio.gather(*(write(key) for key in "abc"))
    assert most == 3


async def test_nothing_is_kept() -> None:
    turns = Turns()
    async with turns.of("a"):
        assert len(turns) == 1
    assert len(turns) == 0
