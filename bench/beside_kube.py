"""A kube-apiserver 1.36 on etcd and Kybern on etcd and on SQLite, all running, asked in turns; ratios of one run.

Every store is durable (fsync). The kube-apiserver runs alone, and so do Kybern's gateway and apiserver
(`kybern up --api-only`); a fourth has all the services of a cluster beside them. Needs `tests/compare/build.sh` and
`tools/etcd.sh`; without them it says so and measures nothing.
"""

import asyncio
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from cluster import cluster
from http_post import SCRIPT
from load import Api, api, pod, post_all, wrk
from watch_fanout import fan_out

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.testing.etcd import binary, new_member

PODS = "/api/v1/namespaces/default/pods"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
ROUNDS, SECONDS = 3, 4.0
ALONE, WHOLE = ("--api-only",), ("--simulated-nodes", "1")
ROLE = "cluster-admin"  # "edit" is empty without the controller that aggregates it


@dataclass(frozen=True)
class Candidate:
    """One of those that are compared."""

    name: str
    api: Api
    memory_mb: Callable[[], tuple[float, float]]  # PSS of what answers the API, and of its store if that is a process


def servers() -> Any:
    """`tests/compare/servers.py`."""
    path = Path(__file__).parents[1] / "tests/compare/servers.py"
    spec = importlib.util.spec_from_file_location("compare_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def pss_mb(*words: str) -> float:
    """PSS of the processes whose command line has all these words."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode().replace("\0", " ")
            if all(word in command for word in words):
                rollup = (process / "smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0])
        except OSError:
            continue
    return total / 1024


def ask(server: Any, path: str, body: Any) -> Any:
    """POST as a superuser."""
    headers = {"Content-Type": "application/json"}
    answer = server.ask("POST", path, json.dumps(body).encode(), headers, ("root", "system:masters"))
    assert answer.status == 201, answer.body
    return answer.document


@contextmanager
def kube(folder: Path) -> Iterator[Candidate]:
    """kube-apiserver on etcd; the service account that `load.api` takes in Kybern."""
    ca, now = create_ca(folder / "pki", datetime.now(UTC)), datetime.now(UTC)
    identity = Identity("kube-apiserver", dns_names=("localhost",), ips=("127.0.0.1",))
    write_bundle(folder / "serving", issue(ca, identity, timedelta(days=1), now))
    flags = [f"--tls-cert-file={folder}/serving/tls.pem", f"--tls-private-key-file={folder}/serving/tls.pem"]
    with servers().kube_apiserver(folder, ca, *flags, fsync=True) as server:
        ask(server, "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        rbac = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"name": "bench"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        }
        ask(server, f"/apis/{rbac}/v1/clusterrolebindings", binding)
        request = {"spec": {"expirationSeconds": 86400}}
        token = ask(server, "/api/v1/namespaces/default/serviceaccounts/default/token", request)["status"]["token"]

        def memory() -> tuple[float, float]:
            return pss_mb("kube-apiserver", str(folder)), pss_mb("--name=etcd", str(folder))

        yield Candidate("kube", Api(f"https://127.0.0.1:{server.port}", token, folder / "pki" / "ca.crt"), memory)


@contextmanager
def on_etcd(folder: Path) -> Iterator[Candidate]:
    """Kybern on an etcd like kube-apiserver's."""
    folder.mkdir()
    etcd = new_member(folder, "etcd", program=binary(newer=True) or binary(), fsync=True)
    etcd.start()
    try:
        with cluster(*ALONE, "--store", f"etcd://{etcd.client}") as c:
            yield Candidate("Kybern, etcd", api(c, ROLE), lambda: (c.api_memory_mb, pss_mb("--name=etcd", str(folder))))
    finally:
        etcd.kill()


@contextmanager
def on_sqlite(name: str, flags: Sequence[str]) -> Iterator[Candidate]:
    """Kybern on its own store."""
    with cluster(*flags) as c:
        yield Candidate(name, api(c, ROLE), lambda: (c.api_memory_mb, 0.0))


def in_turns(name: str, them: list[Candidate], measure: Callable[[Candidate, int], float], unit: str = "/s") -> None:
    """Measure each in each round; print the medians, and their ratios to the first's."""
    found: dict[str, list[float]] = {c.name: [] for c in them}
    for number in range(ROUNDS):
        for c in them:
            found[c.name].append(measure(c, number))
    row(name, [median(values) for values in found.values()], unit)


def row(name: str, values: list[float], unit: str) -> None:
    """A line of the table."""
    cells = [f"{value:,.{0 if value >= 100 else 1}f}{unit}" for value in values]
    ratios = [f"{value / values[0]:.2f} ×" for value in values[1:]]
    print("| " + " | ".join([name, *cells, *ratios]) + " |", flush=True)


def get(them: list[Candidate]) -> None:
    for c in them:
        asyncio.run(post_all(c.api, PODS, [pod("bench")], 1))
    for connections in (1, 32):

        def once(c: Candidate, _: int, connections: int = connections) -> float:
            return wrk(f"{c.api.url}{PODS}/bench", connections, c.api.authorization, seconds=SECONDS)

        in_turns(f"GET of a Pod, {connections} connection{'s' * (connections > 1)}", them, once)


def post(them: list[Candidate]) -> None:
    for connections in (1, 32):

        def once(c: Candidate, number: int, connections: int = connections) -> float:
            script = SCRIPT % f"c{connections}-{number}"
            return wrk(c.api.url + CONFIG_MAPS, connections, c.api.authorization, seconds=SECONDS, script=script)

        in_turns(f"POST of a 0.5 KB ConfigMap, {connections} connection{'s' * (connections > 1)}", them, once)


def watch(them: list[Candidate]) -> None:
    late: list[list[float]] = [[] for _ in them]

    def once(c: Candidate, _: int) -> float:
        found = fan_out(c.api, {})
        late[them.index(c)].append(found.late[1])
        return found.rate

    in_turns("100 watchers, 16 writers: events", them, once)
    row("the same: late by (p99)", [median(values) for values in late], " ms")


def list_pods(them: list[Candidate]) -> None:
    for c in them:
        asyncio.run(post_all(c.api, PODS, [pod(f"pod-{i}") for i in range(5000)]))
    in_turns(
        "LIST of 5,000 Pods, 4 connections",
        them,
        lambda c, _: wrk(c.api.url + PODS, 4, c.api.authorization, seconds=SECONDS),
    )


PARTS = {"get": get, "list": list_pods, "post": post, "watch": watch}


def measure(them: list[Candidate], parts: Sequence[str]) -> None:
    """The table; `parts` names its rows, all if there are none."""
    print("| | " + " | ".join([c.name for c in them] + [f"{c.name} against kube" for c in them[1:]]) + " |")
    print("|" + "---|" * (2 * len(them)))
    for part in parts or PARTS:
        PARTS[part](them)
        memory = [c.memory_mb() for c in them]
        row("memory of the API after that", [api_mb for api_mb, _ in memory], " MB")
        row("with etcd", [api_mb + store for api_mb, store in memory], " MB")


if __name__ == "__main__":
    if not servers().PROGRAM.exists():
        print("needs tests/compare/build.sh")
        sys.exit()
    with tempfile.TemporaryDirectory(prefix="kb") as name, ExitStack() as stack:
        folder = Path(name)
        them = [
            kube(folder / "kube"),
            on_etcd(folder / "etcd"),
            on_sqlite("Kybern, SQLite", ALONE),
            on_sqlite("whole cluster, SQLite", WHOLE),
        ]
        measure([stack.enter_context(candidate) for candidate in them], sys.argv[1:])
