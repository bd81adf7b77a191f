"""The inline store under virtual time: a day of leases in no time, and the same run for the same seed."""

import asyncio
from random import Random

from kybern.clock.virtual import VirtualClock, run
from kybern.store.contract import Put
from kybern.store.sqlite import SqliteStore

DAY = 86_400.0


async def live(clock: VirtualClock, random: Random) -> list[tuple[float, str, str, int]]:
    """Five holders renew their leases at random and one after the other gives up; what a watcher saw, and when."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    store = await SqliteStore.open(":memory:", threaded=False)
    seen: list[tuple[float, str, str, int]] = []

    async def hold(name: str) -> None:
        lease = await store.lease_grant(3600)
        await store.txn([Put(f"/holders/{name}", b"", lease=lease)])
        while random.random() < 0.9:
            await asyncio.sleep(random.uniform(1, 3599))
            await store.lease_keepalive(lease)

    async def watch() -> None:
        batches = store.watch("/holders/", start_revision=1, progress=DAY * 30)
        async for batch in batches:
            seen.extend((loop.time() - begin, e.kind.value, e.kv.key, e.kv.mod_revision) for e in batch.events)
            if len(seen) == 10:
                break
        await batches.aclose()

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        for name in "abcde":
            group.create_task(hold(name))
    await store.close()
    return seen


def test_leases_end_on_time_and_runs_repeat() -> None:
    runs = [run(live, seed=seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    for seen in runs:
        assert [kind for _, kind, _, _ in seen] == ["PUT"] * 5 + ["DELETE"] * 5
        assert [revision for *_, revision in seen] == list(range(2, 12))
        assert all(time == 0 for time, *_ in seen[:5])
        assert all(time >= 3600 for time, *_ in seen[5:])
