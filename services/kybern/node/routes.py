"""Keeps this host's routes to the pods of its neighbours, marked as ours by a routing protocol number of their own."""

import asyncio
import json
import subprocess
from ipaddress import IPv4Interface
from random import Random

from kybern.client.informer import SharedInformer, each
from kybern.client.objects import Client
from kybern.client.resources import NODES
from kybern.node.core.routes import RouteChange, Routes, compute_routes, diff_routes
from kybern.telemetry import Telemetry

PROTOCOL = "175"  # of our routes, as `ip route` shows them
SETTLE, RETRY = 0.05, 5.0  # seconds


class NodeRoutes:
    """Routes of one real node. `run` works until cancelled; the routes stay then, for the pods go on."""

    def __init__(self, client: Client, name: str, random: Random, telemetry: Telemetry) -> None:
        self._name, self._log = name, telemetry.log
        self._nodes = SharedInformer(client, NODES, random, telemetry)
        self._wake = asyncio.Event()
        self._nodes.add_handler(each(lambda node: self._wake.set()))

    async def run(self) -> None:
        """Follow the nodes."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._nodes.run())
            await self._nodes.wait_for_sync()
            self._wake.set()
            while True:
                await self._wake.wait()
                await asyncio.sleep(SETTLE)
                self._wake.clear()
                try:
                    await asyncio.to_thread(self._sync)
                except (OSError, ValueError) as error:
                    self._log.warning("routes to other nodes are not set: %s", error)
                    await asyncio.sleep(RETRY)
                    self._wake.set()

    def _sync(self) -> None:
        wanted = compute_routes(self._nodes.store.list(), self._name, local_interfaces())
        apply_change(diff_routes(our_routes(), wanted))


def ip(*arguments: str) -> str:
    """Output of `ip`. Raises OSError with its words."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def local_interfaces() -> list[IPv4Interface]:
    """This host's IPv4 addresses with their networks."""
    links = json.loads(ip("-4", "-json", "address") or "[]")
    return [
        IPv4Interface(f"{info['local']}/{info['prefixlen']}")
        for link in links
        for info in link.get("addr_info", [])
        if info.get("local")
    ]


def our_routes() -> Routes:
    """Routes that an agent made."""
    lines = json.loads(ip("-4", "-json", "route", "show", "protocol", PROTOCOL) or "[]")
    return {line["dst"]: line.get("gateway", "") for line in lines}


def apply_change(change: RouteChange) -> None:
    """Carry it out. Raises OSError."""
    for cidr in change.remove:
        ip("route", "del", cidr, "protocol", PROTOCOL)
    for cidr, gateway in change.replace.items():
        ip("route", "replace", cidr, "via", gateway, "protocol", PROTOCOL)
