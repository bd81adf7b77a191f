"""HTTP/2 beside HTTP/1.1, and beside a kube-apiserver 1.36 if there is one: GET of a Pod, 100 watches on
one connection.

Needs h2load (nghttp2-client); the kube-apiserver needs `tests/compare/build.sh` and `tools/etcd.sh`. All run at once
and are asked in turns; medians of the rounds.
"""

import asyncio
import json
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import beside_kube
from cluster import cluster
from hpack import Encoder
from load import Api, api, pod, post_all
from watch_fanout import MARK, PATH, SECONDS, WATCHERS, Seen, write_all

PODS = "/api/v1/namespaces/default/pods"
ROUNDS, PER_ROUND = 3, 4  # seconds, whole ones
WIDEST = (1 << 31) - 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CASES = (  # protocol, connections, requests at once on each
    ("HTTP/1.1, 1 connection", True, 1, 1),
    ("HTTP/2, 1 connection, 1 at once", False, 1, 1),
    ("HTTP/1.1, 32 connections", True, 32, 1),
    ("HTTP/2, 1 connection, 32 at once", False, 1, 32),
    ("HTTP/2, 32 connections, 1 at once", False, 32, 1),
)


def h2load(a: Api, path: str, http1: bool, connections: int, at_once: int) -> float:
    """Requests a second. Raises SystemExit when an answer was not 2xx."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{at_once}", f"-D{PER_ROUND}", "-H", a.authorization]
    command += ["-H", "accept: application/json, */*", *(["--h1"] if http1 else []), a.url + path]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate, failed = re.search(r", ([\d.]+) req/s", text), re.search(r" (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    if not rate or not failed or any(map(int, failed.groups())):
        raise SystemExit(text)
    return float(rate[1])


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def watch_on_one(a: Api, since: str, until: float) -> Seen:
    """All watches on one connection, whose windows are as wide as can be; events are counted by their bytes."""
    host, _, port = a.url.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=str(a.ca))
    context.set_alpn_protocols(["h2"])
    connection = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
    settings = struct.pack(">HIHI", 4, WIDEST, 5, 1 << 20)
    connection.sendall(PREFACE + frame(4, 0, 0, settings) + frame(8, 0, 0, (WIDEST - 65535).to_bytes(4, "big")))
    encoder, path = Encoder(), f"{PATH}?watch=true&resourceVersion={since}"
    head = {":method": "GET", ":scheme": "https", ":authority": host, ":path": path}
    head["authorization"] = a.authorization.partition(": ")[2]
    for number in range(WATCHERS):
        connection.sendall(frame(1, 5, 2 * number + 1, encoder.encode(list(head.items()))))
    seen, tail = Seen(), b""
    began = time.process_time()
    connection.settimeout(0.05)
    while time.monotonic() < until:
        try:
            data = tail + connection.recv(1 << 18)
        except TimeoutError:
            continue
        seen.events += data.count(MARK)
        tail = data[1 - len(MARK) :]
    seen.cpu = time.process_time() - began
    return seen


def watch(a: Api, number: int) -> float:
    """Events a second."""
    since = json.loads(a.get(f"{PATH}?limit=1"))["metadata"]["resourceVersion"]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        start = time.monotonic() + 3.0
        watching = pool.submit(watch_on_one, a, since, start + SECONDS + 1.5)
        time.sleep(max(0.0, start - time.monotonic()))
        written, _ = pool.submit(write_all, a, f"{since}-{number}", start + SECONDS).result()
        seen = watching.result()
    if seen.events < 0.99 * written * WATCHERS:
        print(f"(only {seen.events / (written * WATCHERS):.1%} of the events arrived in time)")
    return seen.events / SECONDS


def row(name: str, found: list[list[float]]) -> None:
    print("| " + " | ".join([name, *(f"{median(values):,.0f}/s" for values in found)]) + " |", flush=True)


def measure(names: list[str], apis: list[Api]) -> None:
    """The table."""
    print("| | " + " | ".join(names) + " |")
    print("|" + "---|" * (len(names) + 1))
    for name, http1, connections, at_once in CASES:
        rounds = [[h2load(a, f"{PODS}/bench", http1, connections, at_once) for a in apis] for _ in range(ROUNDS)]
        row(f"GET of a Pod, {name}", [list(values) for values in zip(*rounds, strict=True)])
    rounds = [[watch(a, number) for a in apis] for number in range(ROUNDS)]
    row(f"{WATCHERS} watches on one connection, 16 writers", [list(values) for values in zip(*rounds, strict=True)])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kb") as folder, ExitStack() as stack:
        running = stack.enter_context(cluster("--simulated-nodes", "1"))
        names, apis = ["Kybern"], [api(running, beside_kube.ROLE)]
        if beside_kube.servers().PROGRAM.exists() and "alone" not in sys.argv:
            kube = stack.enter_context(beside_kube.kube(Path(folder) / "kube"))
            names, apis = [*names, "kube-apiserver 1.36"], [*apis, kube.api]
        for one in apis:
            asyncio.run(post_all(one, PODS, [pod("bench")], 1))
        measure(names, apis)
