"""How many queries a second the DNS service answers: a server in one process, clients with many questions under way.

Names of 1,000 Services (each asked for many times, as clients do), over UDP on loopback.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry

from kybern.dns.core.message import HEADER
from kybern.dns.core.records import split
from kybern.dns.core.upstream import question
from kybern.dns.core.zone import Zone
from kybern.dns.resolver import Resolver
from kybern.dns.server import Listener

SERVICES = 1000
WINDOW = 64


def serve(pipe: Connection) -> None:
    async def run() -> None:
        zone = Zone()
        for number in range(SERVICES):
            metadata = {"name": f"service-{number}", "namespace": "default"}
            zone.set_service({"metadata": metadata, "spec": {"clusterIP": f"10.96.{number // 250}.{number % 250 + 1}"}})
        async with asyncio.TaskGroup() as tasks:
            listener = Listener(Resolver(zone, None, CollectorRegistry(), logging.getLogger("bench")), tasks)
            await listener.start("127.0.0.1", 0)
            pipe.send(listener.address)
            await asyncio.to_thread(pipe.recv)
            await listener.close()

    uvloop.run(run())


class Asker(asyncio.DatagramProtocol):
    """Keeps a window of questions under way."""

    def __init__(self, questions: list[bytes], missing: bool) -> None:
        self.questions, self.answered, self.position = questions, 0, 0
        self.missing = missing
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        for _ in range(WINDOW):
            self.ask()

    def ask(self) -> None:
        self.position = (self.position + 1) % len(self.questions)
        self.transport.sendto(self.questions[self.position])

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert data[3] & 15 == (3 if self.missing else 0), data
        self.answered += 1
        self.ask()


async def measure(address: tuple[str, int], name: str, missing: bool, seconds: float) -> float:
    questions = [
        HEADER.pack(number, 0x0100, 1, 0, 0, 0) + question(split(name.format(number)), 1) for number in range(SERVICES)
    ]
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(lambda: Asker(questions, missing), remote_addr=address)
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    rate = asker.answered / (time.perf_counter() - start)
    transport.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,))
    server.start()
    address = ours.recv()
    for what, name, missing in (
        ("services", "service-{}.default.svc.cluster.local", False),
        ("names that do not exist", "service-{}.default.svc.cluster.local.default.svc.cluster.local", True),
    ):
        rate = uvloop.run(measure(address, name, missing, args.seconds))
        print(json.dumps({"queries": what, "per_second": round(rate)}))
    ours.send("stop")
    server.join(5)


if __name__ == "__main__":
    main()
