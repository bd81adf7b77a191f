"""Many who patch one object at the same time, without saying on which version they build: all of them succeed."""

import asyncio
from typing import Any

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS

WRITERS = 100


async def test_all_succeed(admin: Client) -> None:
    await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})

    async def write(number: int) -> dict[str, Any]:
        return await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {f"k{number}": "v"}})

    answers = await asyncio.gather(*(write(number) for number in range(WRITERS)))
    assert all(answer["data"][f"k{number}"] == "v" for number, answer in enumerate(answers))
    stored = await admin.get(CONFIG_MAPS, "a", "default")
    assert len(stored["data"]) == WRITERS
