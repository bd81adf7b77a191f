"""POST of ConfigMaps of half a KB, durable (one fsync a group), on one TLS connection and on 32.

Beside it, as a yardstick for the machine, nginx with one worker that serves 2.5 KB over TLS.
"""

from cluster import Cluster, cluster
from load import api, nginx, wrk

PATH = "/api/v1/namespaces/default/configmaps"
SCRIPT = """
local run, count = "%s", 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  count = count + 1
  local name = run .. "-" .. count
  local data = '"data":{"text":"' .. string.rep("x", 400) .. '"}'
  return wrk.format(nil, nil, nil, '{"metadata":{"name":"' .. name .. '"},' .. data .. '}')
end
"""


def measure(c: Cluster) -> None:
    a = api(c)
    with nginx(b"x" * 2500, c.data_dir / "pki" / "gateway") as yardstick:
        for connections in (1, 32):
            ours = wrk(a.url + PATH, connections, a.authorization, script=SCRIPT % f"c{connections}")
            theirs = wrk(yardstick, connections)
            print(
                f"POST of a 0.5 KB ConfigMap, {connections} connections: {ours:,.0f}/s; "
                f"nginx {theirs:,.0f}/s; ratio {ours / theirs:.3f}"
            )


if __name__ == "__main__":
    with cluster("--simulated-nodes", "1") as running:
        measure(running)
        print(f"apiserver and gateway afterwards: {running.api_memory_mb:.0f} MB")
