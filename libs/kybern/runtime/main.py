"""Run one service in this process: `python -m kybern.<service>`, or the body of a fork of the zygote.

SIGTERM and SIGINT cancel the service, which drains and returns. Readiness is told to the parent by one byte on the
file descriptor named in KYBERN_READY_FD, and to everyone by the gRPC health service.
"""

import asyncio
import gc
import importlib
import logging
import os
import signal
import socket
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, NoReturn

from kybern.clock import SystemClock
from kybern.runtime.processes import SAID_WHY
from kybern.runtime.service import Env, Service, add_shared_flags
from kybern.runtime.trimming import give_back, share_heap
from kybern.telemetry import Telemetry
from kybern.telemetry.logs import configure
from kybern.telemetry.spans import SpanBuffer, make_provider, run_exporter

if TYPE_CHECKING:
    from kybern.pki.source import FileCertificateSource

READY_FD = "KYBERN_READY_FD"
ROTATION_LOOK = 2.0  # seconds between looks at the certificate files
COLLECT_AFTER = (20_000, 20, 50)  # allocations, and rounds of each younger generation, before garbage is looked for


class ServiceFailure(Exception):
    """A reason to stop that needs no traceback: the message says what is wrong and what to do."""


def build_parser(service: Service) -> ArgumentParser:
    """The flags of one service, shared ones included."""
    parser = ArgumentParser(prog=f"python -m kybern.{service.name}", description=service.help)
    add_shared_flags(parser)
    service.add_flags(parser)
    return parser


def load_service(name: str) -> Service:
    """The SERVICE of `kybern.<name>.service`."""
    service = importlib.import_module(f"kybern.{name}.service").SERVICE
    assert isinstance(service, Service)
    return service


def tell_parent_ready() -> None:
    """Write the byte that the supervisor waits for, if there is one."""
    fd = os.environ.pop(READY_FD, "")
    if fd:
        try:
            os.write(int(fd), b"1")
            os.close(int(fd))
        except OSError as error:
            logging.getLogger("kybern.runtime").warning("the supervisor is gone: %s", error)


def ready() -> None:
    """What a service has loaded by now stays: the collector need not look at it again."""
    gc.freeze()
    tell_parent_ready()


async def serve(service: Service, options: Namespace) -> None:
    """Give a service its real environment and run it until a signal ends it."""
    from kybern.pki.source import CertificateUnusable, FileCertificateSource
    from kybern.rpc.grpc_transport import GrpcTransport

    clock, random = SystemClock(), Random(SystemRandom().getrandbits(128))
    buffer = SpanBuffer()
    provider = make_provider(service.name, random, buffer, **{"host.name": socket.gethostname()})
    telemetry = Telemetry(service.name, clock, provider if options.traces else None)
    try:
        certificates = FileCertificateSource(Path(options.pki))
    except CertificateUnusable as error:
        raise ServiceFailure(f"--pki: {error}") from None
    transport = GrpcTransport(certificates, telemetry)
    env = Env(clock, random, transport, telemetry, ready)
    work = asyncio.ensure_future(service.run(options, env))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    side = [asyncio.create_task(follow_rotation(certificates)), asyncio.create_task(give_back())]
    if options.traces:
        side.append(asyncio.create_task(run_exporter(buffer, transport.channel(options.traces, "traces.kybern"))))
    if options.metrics_address:
        from kybern.runtime.metrics import serve_metrics

        side.append(asyncio.create_task(serve_metrics(options.metrics_address, telemetry)))
    try:
        await work
    except asyncio.CancelledError:
        telemetry.log.info("stopped")
    finally:
        for task in side:
            task.cancel()
        await asyncio.gather(*side, return_exceptions=True)
        await transport.close()


async def follow_rotation(certificates: "FileCertificateSource") -> None:
    """Look for replaced certificate files now and then; servers and channels take them up from there."""
    while True:
        await asyncio.sleep(ROTATION_LOOK)
        certificates.poll()


def run_service(service: Service, arguments: Sequence[str]) -> int:
    """Parse flags, run, and give the exit status."""
    options = build_parser(service).parse_args(arguments)
    configure(options.log_level)
    gc.set_threshold(*COLLECT_AFTER)
    share_heap()
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(service, options))
    except Exception as error:
        log = logging.getLogger(f"kybern.{service.name}")
        failures = list(service_failures(error))
        for failure in failures:
            log.error("%s", failure)
        if not failures:
            log.exception("crashed")
        return SAID_WHY if failures else 1
    return 0


def service_failures(error: BaseException) -> Iterator[ServiceFailure]:
    """The ServiceFailures in an exception or in a task group's exceptions."""
    if isinstance(error, ServiceFailure):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from service_failures(inner)


def main(service: Service) -> NoReturn:
    """Entry point of `python -m kybern.<service>`."""
    sys.exit(run_service(service, sys.argv[1:]))
