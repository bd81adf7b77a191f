"""The two services in one event loop: the apiserver first, the gateway once that is ready, and both until a signal."""

import asyncio
import gc
import logging
import signal
from argparse import Namespace
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import uvloop

from kybern.clock import SystemClock
from kybern.envtest.core.services import ControlPlane
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity
from kybern.runtime.main import COLLECT_AFTER, build_parser, load_service, service_failures
from kybern.runtime.service import Env, Service
from kybern.telemetry import Telemetry

APISERVER, GATEWAY = "apiserver:1", "gateway:1"  # addresses in the memory's network
SQLITE = "sqlite:"
ALONE = {"apiserver": ("--store", ":")}  # what a service cannot do without
LOOK = 1.0  # seconds between looks at the folder of the data
log = logging.getLogger("kybern.envtest")


def flag_names(service: str) -> frozenset[str]:
    """The flags that a service has."""
    arguments = ("--address", "", "--pki", "", *ALONE.get(service, ()))
    return frozenset(name.replace("_", "-") for name in vars(build_parser(load_service(service)).parse_args(arguments)))


class Running:
    """Both services."""

    def __init__(self, plan: ControlPlane, store: str) -> None:
        """`store` is what the plan's --store says."""
        self.plan = plan
        self.data = Path(store.removeprefix(SQLITE)) if store.startswith(SQLITE) else None
        self.network = MemoryNetwork()

    def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit status."""
        gc.set_threshold(*COLLECT_AFTER)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except asyncio.CancelledError:
            return 0
        except Exception as error:
            failures = list(service_failures(error))
            for failure in failures:
                log.error("%s", failure)
            if not failures:
                log.exception("crashed")
            return 1
        return 0

    async def _end_with_data(self, work: asyncio.Task[Any], data: Path) -> None:
        """A test that forgets its kube-apiserver, but not its etcd, leaves nothing running."""
        while await asyncio.to_thread(data.exists):  # noqa: ASYNC110 — a folder has no event
            await asyncio.sleep(LOOK)
        log.info("%s is gone", data)
        work.cancel()

    async def _serve(self) -> None:
        work = asyncio.current_task()
        assert work is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        async with asyncio.TaskGroup() as tasks:
            ready = asyncio.Event()
            first, second = load_service("apiserver"), load_service("gateway")
            tasks.create_task(self._run(first, self._options(first, APISERVER, self.plan.apiserver), ready))
            await ready.wait()
            gc.freeze()  # what is loaded by now stays
            if self.data is not None:
                tasks.create_task(self._end_with_data(work, self.data))
            tasks.create_task(self._run(second, self._options(second, GATEWAY, self.plan.gateway), asyncio.Event()))

    def _options(self, service: Service, address: str, arguments: tuple[str, ...]) -> Namespace:
        shared = ("--address", address, "--apiserver", APISERVER)
        return build_parser(service).parse_args((*shared, *arguments))

    async def _run(self, service: Service, options: Namespace, ready: asyncio.Event) -> None:
        clock, random = SystemClock(), Random(SystemRandom().getrandbits(128))
        telemetry = Telemetry(service.name, clock)
        transport = MemoryTransport(self.network, Identity(service.user, service.groups), telemetry)
        try:
            await service.run(options, Env(clock, random, transport, telemetry, ready.set))
        finally:
            await transport.close()
