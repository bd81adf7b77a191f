"""Further nodes on one host: each in a network namespace of its own, on one bridge, with the host as its gateway."""

import ipaddress
import subprocess
from contextlib import suppress
from pathlib import Path

from kybern.cli.core.options import UsageError
from kybern.cli.core.plan import CLUSTER_CIDR, Node

BRIDGE = "kybern-nodes"
NETWORK = ipaddress.ip_network("10.245.0.0/24")
GATEWAY = f"{NETWORK[1]}/{NETWORK.prefixlen}"
PREFIX = "kybern-"
TABLE = "kybern-nodes"
RULES = f"""add table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {NETWORK} oifname != "kybern*" ip daddr != {CLUSTER_CIDR} masquerade
  }}
}}
"""  # nodes reach what the host reaches


def ip(*arguments: str) -> None:
    """Run `ip`; UsageError with its words when it fails."""
    run("ip", *arguments)


def run(*command: str, stdin: str = "") -> None:
    """Run a tool; UsageError with its words when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise UsageError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


def place_further_nodes(count: int) -> tuple[Node, ...]:
    """Make what is missing of the bridge and of `count` namespaces: node-2, node-3, …; pods may still run in them."""
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        remove_nodes()
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", GATEWAY, "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    run("nft", "-f", "-", stdin=RULES)
    return tuple(add_node(number) for number in range(2, count + 2))


def add_node(number: int) -> Node:
    """One namespace with an address on the bridge and a default route to the host; one that is whole is kept."""
    name, address = f"node-{number}", str(NETWORK[number])
    namespace, outside = f"{PREFIX}{name}", f"kyb{number}"
    node = Node(name, address, namespace)
    if Path(f"/run/netns/{namespace}").exists() and Path(f"/sys/class/net/{outside}/master").exists():
        return node
    with suppress(UsageError):
        ip("netns", "delete", namespace)
    ip("netns", "add", namespace)
    ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    ip("link", "set", outside, "master", BRIDGE, "up")
    # A service may send a node's own packets back to it: with br_netfilter, the bridge itself turns them round.
    ip("link", "set", outside, "type", "bridge_slave", "hairpin", "on")
    inside = ("-n", namespace)
    ip(*inside, "link", "set", "lo", "up")
    ip(*inside, "addr", "add", f"{address}/{NETWORK.prefixlen}", "dev", "eth0")
    ip(*inside, "link", "set", "eth0", "up")
    ip(*inside, "route", "add", "default", "via", GATEWAY.partition("/")[0])
    return node


def remove_nodes() -> None:
    """Delete what `place_further_nodes` made, however much of it is there."""
    for path in Path("/run/netns").glob(f"{PREFIX}node-*"):
        with suppress(UsageError):
            ip("netns", "delete", path.name)
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        ip("link", "delete", BRIDGE)
    with suppress(UsageError):
        run("nft", "delete", "table", "ip", TABLE)
