"""Starts that are not left halfway."""

import asyncio

import pytest

from kybern.node.pod_start import to_its_end


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_start_is_awaited(fails: bool) -> None:
    done: list[bool] = []

    async def start() -> None:
        await asyncio.sleep(0.05)
        done.append(True)
        if fails:
            raise OSError("no")

    task = asyncio.create_task(to_its_end(start()))
    for _ in range(2):
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


async def test_a_start_that_fails_says_so() -> None:
    async def start() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await to_its_end(start())
