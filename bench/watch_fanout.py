"""Watch fan-out: 100 watchers of ConfigMaps while 16 clients create them; events a second and how late they are.

Each object carries the time of its POST, so that a watcher, in a process of its own, knows how long the event took.
Every watcher counts its events by their bytes, one in ten also reads the times. The clients share two cores with what
they measure: they are plain sockets and no event loop, and what they and the services cost is shown beside the result.
"""

import json
import re
import select
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context

from cluster import Cluster, cluster, process_cpu_seconds
from load import Api, api, percentile

PATH = "/api/v1/namespaces/default/configmaps"
WATCHERS, WRITERS, SECONDS = 100, 16, 5.0
TIMED = 10  # one watcher in so many reads the times
MARK = b'"sent":"'
SENT = re.compile(MARK + rb'([0-9.]+)"')
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")


def connect(a: Api) -> ssl.SSLSocket:
    host, _, port = a.url.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=str(a.ca))
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection, server_hostname=host)


def head(a: Api, method: str, query: str = "") -> str:
    host = a.url.removeprefix("https://")
    return f"{method} {PATH}{query} HTTP/1.1\r\nHost: {host}\r\n{a.authorization}\r\n"


def poll(connections: dict[int, ssl.SSLSocket], ready: Callable[[int], None], until: float) -> float:
    """Call back for connections that have something to read; the CPU seconds of it."""
    began = time.process_time()
    epoll = select.epoll()
    for number in connections:
        connections[number].setblocking(False)
        epoll.register(number, select.EPOLLIN)
    while connections and time.monotonic() < until:
        for number, _ in epoll.poll(0.05):
            with suppress(ssl.SSLWantReadError):  # half a TLS record
                ready(number)
    epoll.close()
    return time.process_time() - began


@dataclass
class Seen:
    """What the watchers have seen."""

    events: int = 0
    cpu: float = 0.0
    late: list[float] = field(default_factory=list)  # seconds, of those that read the times


def watch_all(a: Api, since: str, until: float) -> Seen:
    """All watchers, in this process, from a revision on."""
    connections: dict[int, ssl.SSLSocket] = {}
    seen = Seen()
    buffer = bytearray(1 << 18)
    after_tail = memoryview(buffer)[len(MARK) - 1 :]
    request = head(a, "GET", f"?watch=true&resourceVersion={since}")
    for _ in range(WATCHERS):
        connection = connect(a)
        connection.sendall(f"{request}\r\n".encode())
        answer = connection.recv(1 << 16)
        if b" 200 " not in answer[:16]:
            raise SystemExit(answer.decode())
        connections[connection.fileno()] = connection
    timed = dict.fromkeys(list(connections)[::TIMED], b"")
    tails = dict.fromkeys(connections, bytes(len(MARK) - 1))  # where a mark may have been cut in two

    def ready(number: int) -> None:
        connection = connections[number]
        while True:
            size = connection.recv_into(after_tail)
            if not size:
                raise SystemExit("a watch has ended")
            end = size + len(MARK) - 1
            buffer[: len(MARK) - 1] = tails[number]
            tails[number] = bytes(buffer[size:end])
            seen.events += buffer.count(MARK, 0, end)
            if number in timed:
                now, data = time.monotonic(), timed[number] + after_tail[:size]
                found = SENT.findall(data)
                seen.late += [now - float(sent) for sent in found]
                timed[number] = data[max(data.rfind(b"\n"), data.rfind(found[-1]) if found else 0) :]
            if not connection.pending():
                return

    seen.cpu = poll(connections, ready, until)
    return seen


def write_all(a: Api, run: str, until: float) -> tuple[int, float]:
    """All writers, in this process: each creates objects one after the other; how many, and the CPU seconds of it."""
    connections: dict[int, ssl.SSLSocket] = {}
    start, written = head(a, "POST"), 0

    def send(number: int) -> None:
        data = {"sent": f"{time.monotonic():.6f}", "text": "x" * 300}
        body = json.dumps(
            {"metadata": {"name": f"w{run}-{number}-{counts[number]}"}, "data": data}, separators=(",", ":")
        )
        request = f"{start}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        connections[number].sendall(request.encode())

    for _ in range(WRITERS):
        connection = connect(a)
        connections[connection.fileno()] = connection
    counts, answers = dict.fromkeys(connections, 0), dict.fromkeys(connections, b"")

    def ready(number: int) -> None:
        nonlocal written
        answers[number] += connections[number].recv(1 << 16)
        answer = answers[number]
        length, end = LENGTH.search(answer), answer.find(b"\r\n\r\n")
        if length is None or end < 0 or len(answer) < end + 4 + int(length[1]):
            return
        if b" 201 " not in answer[:16]:
            raise SystemExit(answer.decode())
        written += 1
        counts[number] += 1
        answers[number] = b""
        if time.monotonic() < until:
            send(number)
        else:
            connections.pop(number).close()

    for number in connections:
        send(number)
    cpu = poll(connections, ready, until + 1.0)
    return written, cpu


@dataclass(frozen=True)
class FanOut:
    """What came of it."""

    written: int
    events: int
    late: list[float]  # milliseconds: median, p99
    cpu: dict[str, float]  # seconds of services and clients

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / SECONDS


def fan_out(a: Api, services: dict[str, int]) -> FanOut:
    """Watch and write; `services` are process ids by name."""

    def services_cpu() -> dict[str, float]:
        return {name: process_cpu_seconds(pid) for name, pid in services.items()}

    since = json.loads(a.get(f"{PATH}?limit=1"))["metadata"]["resourceVersion"]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        start = time.monotonic() + 3.0
        watching = pool.submit(watch_all, a, since, start + SECONDS + 1.5)
        time.sleep(max(0.0, start - time.monotonic()))
        before = services_cpu()
        written, writers_cpu = pool.submit(write_all, a, since, start + SECONDS).result()
        seen = watching.result()
    cpu = {name: seconds - before[name] for name, seconds in services_cpu().items()}
    cpu |= {"the watching client": seen.cpu, "the writing client": writers_cpu}
    return FanOut(written, seen.events, [1000 * percentile(seen.late, share) for share in (0.5, 0.99)], cpu)


def measure(c: Cluster) -> None:
    services = {row["name"]: row["pid"] for row in c.status["processes"] if row["pid"] and row["service"]}
    found = fan_out(api(c), services)
    print(
        f"{WATCHERS} watchers, {WRITERS} writers: {found.written / SECONDS:,.0f} POST/s, {found.rate:,.0f} events/s "
        f"({found.events / (found.written * WATCHERS):.1%} of all), "
        f"late by {found.late[0]:.0f} ms (median), {found.late[1]:.0f} ms (p99)"
    )
    costs = ", ".join(f"{name} {1e6 * s / found.events:.1f}" for name, s in found.cpu.items() if s > 0.1)
    print(f"CPU for each event, in µs: {costs}; {1e6 * sum(found.cpu.values()) / found.events:.1f} in all")


if __name__ == "__main__":
    with cluster("--simulated-nodes", "1") as running:
        measure(running)
