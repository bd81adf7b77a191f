"""A pod's worker, alone."""

import asyncio

import pytest

from kybern.node.pod_worker import PodWorker


class Slow(PodWorker):
    """A worker whose sync takes a moment to be cancelled."""

    def __init__(self) -> None:
        self.ended = False

    async def sync(self) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.01)
            self.ended = True


async def test_a_cancelled_worker_leaves_no_sync_behind() -> None:
    worker = Slow()
    task = asyncio.create_task(worker._sync_interruptibly())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert worker.ended
