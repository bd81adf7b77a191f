"""Watch fan-out: 100 watchers of ConfigMaps while 16 clients create them; events a second and how late they are.

Each object carries the time of its POST, so that a watcher, in a process of its own, knows how long the event took.
"""

import asyncio
import json
import re
import ssl
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from cluster import Cluster, cluster
from load import Api, api, percentile

PATH = "/api/v1/namespaces/default/configmaps"
WATCHERS, WRITERS, SECONDS = 100, 16, 5.0
SENT = re.compile(rb'"sent":"([0-9.]+)"')


async def watch(a: Api, late: list[float], opened: asyncio.Event, until: float) -> None:
    """Note how late each event comes."""
    host, _, port = a.url.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=str(a.ca))
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context, limit=1 << 20)
    writer.write(f"GET {PATH}?watch=true HTTP/1.1\r\nHost: {host}\r\n{a.authorization}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    opened.set()
    rest = b""
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic()):
            while data := await reader.read(1 << 18):
                data, now = rest + data, time.monotonic()
                found = SENT.findall(data)
                late += [now - float(sent) for sent in found]
                rest = data[data.rfind(b"\n") + 1 :]
                if rest.find(b'"sent"') >= 0:
                    rest = b""
    except TimeoutError:
        pass
    writer.close()


def watch_all(a: Api, count: int, until: float) -> list[float]:
    """Many watches in this process."""

    async def run() -> list[float]:
        late: list[float] = []
        opened = [asyncio.Event() for _ in range(count)]
        await asyncio.gather(*(watch(a, late, event, until) for event in opened))
        return late

    return asyncio.run(run())


async def write(a: Api, number: int, until: float) -> int:
    """Create objects one after the other; how many."""
    host, _, port = a.url.removeprefix("https://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=ssl.create_default_context(cafile=str(a.ca)))
    head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\n{a.authorization}\r\nContent-Type: application/json\r\n"
    count = 0
    while time.monotonic() < until:
        data = {"sent": f"{time.monotonic():.6f}", "text": "x" * 300}
        body = json.dumps({"metadata": {"name": f"w{number}-{count}"}, "data": data}, separators=(",", ":"))
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", answer)
        assert length
        await reader.readexactly(int(length[1]))
        if b" 201 " not in answer[:16]:
            raise SystemExit(answer.decode())
        count += 1
    writer.close()
    return count


def write_all(a: Api, until: float) -> int:
    """All writers, in this process."""

    async def run() -> int:
        return sum(await asyncio.gather(*(write(a, number, until) for number in range(WRITERS))))

    return asyncio.run(run())


def measure(c: Cluster) -> None:
    a = api(c)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        start = time.monotonic() + 3.0
        watching = pool.submit(watch_all, a, WATCHERS, start + SECONDS + 1.0)
        time.sleep(max(0.0, start - time.monotonic()))
        written = pool.submit(write_all, a, start + SECONDS).result()
        late = watching.result()
    print(
        f"{WATCHERS} watchers, {WRITERS} writers: {written / SECONDS:,.0f} POST/s, {len(late) / SECONDS:,.0f} events/s "
        f"({len(late) / (written * WATCHERS):.1%} of all), late by {percentile(late, 0.5) * 1000:.0f} ms (median), "
        f"{percentile(late, 0.99) * 1000:.0f} ms (p99)"
    )


if __name__ == "__main__":
    with cluster("--simulated-nodes", "1") as running:
        measure(running)
