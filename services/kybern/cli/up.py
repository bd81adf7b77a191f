"""`kybern up`: from flags to a ready cluster.

Everything that can be refused is refused before anything is changed. Then: certificates, containerd's configuration,
one fork that becomes the supervisor, and a wait that shows each service as it gets ready.
"""

import argparse
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kybern.cli.core.failure import explain
from kybern.cli.core.layout import Layout
from kybern.cli.core.options import ClusterFailed, ClusterOptions, UsageError, merge_options, save_options
from kybern.cli.core.plan import Node, Plan, make_plan, with_metrics
from kybern.cli.core.preflight import decide_nodes
from kybern.cli.down import clean
from kybern.cli.host import check_nodes, check_runtime, choose_port, look_at_host, primary_address
from kybern.cli.progress import Progress
from kybern.cli.running import claim_host, read_status, take_lock, wait_gone
from kybern.runtime.containerd import find_program
from kybern.runtime.ports import free_ports
from kybern.runtime.processes import SAID_WHY

READY_WITHIN = 90.0  # seconds
POLL = 0.01  # seconds between looks at the status file
CRASHES_THAT_MEAN_NO, REFUSALS_THAT_MEAN_NO = 4, 2
LOG_TAIL = 20000  # bytes


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern up`; what is not given comes from the data dir, or is decided."""
    parser.add_argument("--secure-port", type=int, metavar="PORT", help="HTTPS port (default 6443; 0: any free one)")
    parser.add_argument("--bind-address", metavar="IP", help="address of the HTTPS port")
    parser.add_argument("--nodes", type=int, metavar="N", help="nodes that run containers (default: 1 where possible)")
    parser.add_argument("--simulated-nodes", type=int, metavar="N", help="nodes that only pretend to run containers")
    parser.add_argument(
        "--api-only",
        action=argparse.BooleanOptionalAction,
        help="apiserver and gateway alone: no controllers, no scheduler, no nodes",
    )
    parser.add_argument("--runtime-endpoint", metavar="unix://…", help="CRI runtime to use (default: own containerd)")
    parser.add_argument("--store", metavar="STORE", help="sqlite:PATH or etcd://HOST:PORT,… (default: SQLite)")
    for name in ("cafile", "certfile", "keyfile"):
        parser.add_argument(f"--etcd-{name}", metavar="FILE", help=f"{name} of TLS to etcd")
    parser.add_argument(
        "--encryption-provider-config", metavar="FILE", help="EncryptionConfiguration: encryption at rest; followed"
    )
    parser.add_argument("--otlp-endpoint", metavar="URL", help="pass traces on, e.g. http://collector:4317")
    parser.add_argument("--certificate-hours", type=float, metavar="H", help="lifetime of the services' certificates")
    parser.add_argument(
        "--apiserver-flag",
        dest="apiserver_flags",
        action="append",
        metavar="NAME=VALUE",
        help="pass a flag of kube-apiserver on, e.g. audit-policy-file=FILE; may be repeated",
    )
    parser.add_argument("--foreground", action="store_true", help="stay, and stop the cluster on Ctrl-C")


def given(options: argparse.Namespace, name: str) -> Any:
    """A flag's value; None if it was not given."""
    value = getattr(options, name)
    return tuple(value) if isinstance(value, list) else value


def run(options: argparse.Namespace, layout: Layout) -> int:
    """Start the cluster; 0 when it is ready."""
    progress = Progress()
    saved = layout.cluster.read_text() if layout.cluster.exists() else ""
    asked = merge_options(saved, {field.name: given(options, field.name) for field in fields(ClusterOptions)})
    decision = decide_nodes(asked, look_at_host())
    cluster, host = decision.options, primary_address()
    if cluster.nodes:
        check_nodes(host, f"{layout.node(f'node-{cluster.nodes}')}/containerd/c.sock.ttrpc")
    if cluster.nodes and cluster.runtime_endpoint:
        check_runtime(cluster.runtime_endpoint)
    make_folders(layout)
    lock = take_lock(layout.lock)
    if lock is None:
        raise UsageError(f"a cluster already runs on {layout.data}; see `kybern status`, or stop it with `kybern down`")
    host_lock = claim_host(layout.data) if cluster.nodes else os.dup(lock)
    for notice in decision.notices:
        progress.say(notice)
    bind = cluster.bind_address or ("0.0.0.0" if cluster.nodes else "127.0.0.1")
    chosen = replace(cluster, secure_port=choose_port(cluster.secure_port, bind))
    nodes = place_nodes(chosen, host)
    plan = make_plan(chosen, layout, nodes, host, str(find_program()))
    plan = with_metrics(plan, free_ports(len(plan.specs)))
    remove_stale(layout)
    supervisor = fork_supervisor(plan, chosen, layout, host)
    os.close(lock)  # the supervisor holds both from here on
    os.close(host_lock)
    try:
        prepare(plan, chosen, layout, host)
        layout.cluster.write_text(save_options(cluster))
        supervisor.go()
        wait_ready(plan, layout, progress, supervisor.pid)
        if options.foreground:
            os.waitpid(supervisor.pid, 0)
    except BaseException:
        stop(supervisor.pid, layout)
        clean(layout, progress)
        if not options.foreground:
            restore(layout, saved)
        raise
    return 0


def make_folders(layout: Layout) -> None:
    """The folders of a data dir, closed to other users."""
    layout.data.mkdir(parents=True, exist_ok=True)
    for folder in (layout.run, layout.logs, layout.data / "store", layout.data / "nodes"):
        folder.mkdir(mode=0o700, exist_ok=True)


def remove_stale(layout: Layout) -> None:
    """What a cluster that was killed left in the run dir; we hold the lock."""
    for path in layout.run.iterdir():
        if path != layout.lock and not path.is_dir():
            path.unlink()


def restore(layout: Layout, saved: str) -> None:
    """Forget flags that led to nothing, so that others can be given."""
    if saved:
        layout.cluster.write_text(saved)
    else:
        layout.cluster.unlink(missing_ok=True)


def place_nodes(options: ClusterOptions, host: str) -> tuple[Node, ...]:
    """The first node is the host itself; further ones are network namespaces."""
    if not options.nodes:
        return ()
    first = Node("node-1", host, runtime_endpoint=options.runtime_endpoint)
    if options.nodes == 1:
        return (first,)
    from kybern.cli.namespaces import place_further_nodes

    return (first, *place_further_nodes(options.nodes - 1))


def prepare(plan: Plan, options: ClusterOptions, layout: Layout, host: str) -> None:
    """Certificates, kubeconfig and containerd's configuration."""
    from kybern.cli.certificates import ensure_certificates
    from kybern.runtime import containerd

    ensure_certificates(plan, options, layout, host)
    for node in plan.nodes:
        if not node.runtime_endpoint:
            containerd.prepare(containerd.Layout(layout.node(node.name) / "containerd"))


@dataclass(frozen=True)
class Forked:
    """The supervisor's process, which imports while we prepare and starts when told."""

    pid: int
    start: socket.socket

    def go(self) -> None:
        """Everything is in place: start the services."""
        self.start.sendall(b"1")
        self.start.close()


def fork_supervisor(plan: Plan, options: ClusterOptions, layout: Layout, host: str) -> Forked:
    """Fork early: its imports take longer than our preparations, and there are two cores."""
    from kybern.cli.supervise import supervise

    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        ours.close()
        supervise(plan, options, layout, host, theirs)
    theirs.close()
    return Forked(pid, ours)


def wait_ready(plan: Plan, layout: Layout, progress: Progress, supervisor: int) -> None:
    """Show progress until everything is ready. Raises ClusterFailed when it is clear that it will not be."""
    shown: set[str] = set()
    imported = not plan.nodes
    while True:
        status = read_status(layout)
        rows = status.get("processes", [])
        for row in rows:
            if row["ready"] and row["service"] and row["name"] not in shown:
                shown.add(row["name"])
                progress.step(f"{row['name']} ready")
        if not imported and any(row["pid"] for row in rows):
            import_images(plan, layout)
            imported = True
            progress.step("images imported")
        if rows and all(row["ready"] for row in rows):
            break
        failed = [row["name"] for row in rows if not row["ready"] and gave_up(row)]
        gone = os.waitpid(supervisor, os.WNOHANG)[0] != 0
        late = progress.elapsed > READY_WITHIN
        if failed or gone or late:
            raise why_not(failed, rows, layout)
        progress.waiting("waiting for " + ", ".join(row["name"] for row in rows if not row["ready"]))
        time.sleep(POLL)
    progress.step("cluster ready")
    flag = "" if layout.data == Path("/var/lib/kybern") else f" --data-dir {layout.data}"
    progress.say(f"\nexport KUBECONFIG={layout.kubeconfig}\nkubectl get nodes\n\nStop it with: kybern down{flag}")


def import_images(plan: Plan, layout: Layout) -> None:
    """Load the pause image (and busybox) into each node's containerd, once it answers. Raises ClusterFailed."""
    from kybern.runtime import containerd, images

    try:
        archives = images.write_archives(layout.data / "images")
        for node in plan.nodes:
            home = containerd.Layout(layout.node(node.name) / "containerd")
            if not node.runtime_endpoint:
                containerd.wait_ready(home, timeout=READY_WITHIN)
            images.import_archives((node.runtime_endpoint or home.endpoint).removeprefix("unix://"), archives)
    except containerd.ContainerdFailed:
        raise why_not([f"containerd-{node.name}"], [], layout) from None
    except (images.ToolMissing, RuntimeError) as error:
        raise ClusterFailed(str(error)) from None


def gave_up(row: dict[str, Any]) -> bool:
    """Whether a process will not get ready: it said why twice, or crashed again and again."""
    return int(row["restarts"]) >= (REFUSALS_THAT_MEAN_NO if row["exit"] == SAID_WHY else CRASHES_THAT_MEAN_NO)


def why_not(failed: list[str], rows: list[dict[str, Any]], layout: Layout) -> ClusterFailed:
    """What did not come up and why, as its log tells."""
    name = (failed or [str(row["name"]) for row in rows if not row["ready"]] or ["supervisor"])[0]
    log = layout.logs / f"{name}.log"
    reason = explain(log.read_text(errors="replace")[-LOG_TAIL:]) if log.exists() else ""
    return ClusterFailed(f"{name} did not get ready: {reason or 'it says nothing'} (log: {log})")


def stop(supervisor: int, layout: Layout) -> None:
    """End the supervisor and with it the cluster."""
    with suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGTERM)
    with suppress(ChildProcessError):
        os.waitpid(supervisor, 0)
    wait_gone(layout, 30.0)
