"""A full disk as a client sees it: the write is refused in a sentence, reads go on, and so do writes later."""

from pathlib import Path
from typing import Any

import pytest

from kybern.client.resources import CONFIG_MAPS
from kybern.kube.status import StatusError
from kybern.store.sqlite import SqliteStore


def config_map(name: str, size: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"text": "x" * size}}


async def test_no_space(running: Any, tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    connection = store._database._connection
    async with running(store=store) as cluster, cluster.client() as client:
        before = await client.create(CONFIG_MAPS, config_map("a", 100))
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 2}")
        for _ in range(3):
            with pytest.raises(StatusError, match=r"no space left for .*store\.db") as caught:
                await client.create(CONFIG_MAPS, config_map("big", 200_000))
            assert (caught.value.code, caught.value.reason) == (500, "InternalError")
        assert await client.get(CONFIG_MAPS, "a", "default") == before
        assert [one["metadata"]["name"] for one in (await client.list(CONFIG_MAPS, "default")).items] == ["a"]
        connection.execute("PRAGMA max_page_count=1073741823")
        made = await client.create(CONFIG_MAPS, config_map("big", 200_000))
        assert await client.get(CONFIG_MAPS, "big", "default") == made
