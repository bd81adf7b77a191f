"""LIST of 5,000 Pods (13 MB) at 4 TLS connections, against nginx with one worker that serves the same bytes over TLS.

Once while nothing changes, and once while another client creates a Pod ten times a second.
"""

import asyncio
from threading import Event, Thread

from cluster import Cluster, cluster
from load import Api, api, nginx, pod, post_all, wrk

PATH = "/api/v1/namespaces/default/pods"
PODS, CONNECTIONS = 5000, 4


def keep_creating(a: Api, stop: Event) -> None:
    """A Pod every tenth of a second."""
    number = 0
    while not stop.wait(0.1):
        number += 1
        asyncio.run(post_all(a, PATH, [pod(f"more-{number}")], 1))


def measure(c: Cluster) -> None:
    a = api(c)
    asyncio.run(post_all(a, PATH, [pod(f"pod-{i}") for i in range(PODS)]))
    body = a.get(PATH)
    with nginx(body, c.data_dir / "pki" / "gateway") as yardstick:
        theirs = wrk(yardstick, CONNECTIONS)
    still = wrk(a.url + PATH, CONNECTIONS, a.authorization)
    stop = Event()
    creating = Thread(target=keep_creating, args=(a, stop))
    creating.start()
    try:
        changing = wrk(a.url + PATH, CONNECTIONS, a.authorization)
    finally:
        stop.set()
        creating.join()
    print(f"LIST of {PODS} Pods, {len(body) / 1e6:.1f} MB, {CONNECTIONS} connections: nginx {theirs:.1f}/s")
    print(f"while nothing changes: {still:.1f}/s, ratio {still / theirs:.2f}")
    print(f"while a Pod is created ten times a second: {changing:.1f}/s, ratio {changing / theirs:.2f}")


if __name__ == "__main__":
    with cluster("--simulated-nodes", "1") as running:
        measure(running)
        print(f"apiserver and gateway afterwards: {running.api_memory_mb:.0f} MB")
