"""The body of the supervisor's process: a session of its own, the heavy imports once, then supervision."""

import importlib
import logging
import os
import socket
from typing import NoReturn

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import ClusterOptions
from kybern.cli.core.plan import Plan, metrics_addresses
from kybern.runtime.spawn import set_title

SHARED = ("uvloop", "kybern.rpc.grpc_transport", "kybern.client.informer", "kybern.telemetry.spans")


def supervise(plan: Plan, options: ClusterOptions, layout: Layout, host: str, go: socket.socket) -> NoReturn:
    """Never returns."""
    status = 1
    try:
        detach(layout)
        run_supervisor(plan, options, layout, host, go)
        status = 0
    except BaseException:
        logging.getLogger("kybern.supervisor").exception("the supervisor failed")
    finally:
        os._exit(status)


def detach(layout: Layout) -> None:
    """Leave the terminal: own session, output to the supervisor's log."""
    os.setsid()
    log = os.open(layout.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    set_title("kybern")


def run_supervisor(plan: Plan, options: ClusterOptions, layout: Layout, host: str, go: socket.socket) -> None:
    """Import what all services share, wait for the word to start, then supervise until a signal."""
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    from kybern.cli.certificates import make_rotation
    from kybern.runtime.supervisor import Supervisor
    from kybern.telemetry.logs import configure

    configure("info")
    for module in SHARED:
        importlib.import_module(module)
    if not go.recv(1):
        return  # the command gave up before anything started
    go.close()
    facts: dict[str, object] = {
        "port": options.secure_port,
        "data_dir": str(layout.data),
        "metrics": metrics_addresses(plan),
    }
    supervisor = Supervisor(plan.specs, layout.run, layout.logs, facts)
    supervisor.periodic = make_rotation(plan, options, layout, host)
    supervisor.run()
