"""GET of one Pod at 32 TLS connections, against nginx with one worker that serves the same bytes over TLS.

Needs wrk and nginx. One connection and 32, a few seconds each; the ratio is what counts. Then 32 connections that each
ask for any of 1,000 Pods, so that nobody's call is anybody else's.
"""

import asyncio

from cluster import Cluster, cluster
from load import api, nginx, pod, post_all, wrk

PATH = "/api/v1/namespaces/default/pods"
PODS = 1000
ANY = """
function request()
  return wrk.format("GET", "%s/bench-" .. math.random(0, %d))
end
"""


def measure(c: Cluster) -> None:
    a = api(c)
    asyncio.run(post_all(a, PATH, [pod("bench")], 1))
    body = a.get(f"{PATH}/bench")
    with nginx(body, c.data_dir / "pki" / "gateway") as yardstick:
        for connections in (1, 32):
            ours = wrk(f"{a.url}{PATH}/bench", connections, a.authorization)
            theirs = wrk(yardstick, connections)
            print(
                f"GET of a {len(body)} byte Pod, {connections} connections: {ours:,.0f}/s; "
                f"nginx {theirs:,.0f}/s; ratio {ours / theirs:.2f}"
            )
    asyncio.run(post_all(a, PATH, [pod(f"bench-{number}") for number in range(PODS)]))
    rate = wrk(a.url, 32, a.authorization, script=ANY % (PATH, PODS - 1))
    print(f"GET of any of {PODS} Pods, 32 connections: {rate:,.0f}/s")


if __name__ == "__main__":
    with cluster("--simulated-nodes", "1") as running:
        measure(running)
        print(f"apiserver and gateway afterwards: {running.api_memory_mb:.0f} MB")
