"""The pod network of one node as a CNI configuration: a bridge, addresses from the node's range, host ports."""

import json
from typing import Any


def render_conflist(name: str, bridge: str, pod_cidrs: list[str], data_dir: str, mtu: int = 0) -> str:
    """A conflist for the plugins bridge (with host-local) and portmap; the runtime adds loopback by itself.

    `data_dir` keeps which addresses are taken. Masquerading is not CNI's here: the agent keeps one nftables rule per
    node instead of rules per pod.
    """
    ranges = [[{"subnet": cidr}] for cidr in pod_cidrs]
    routes = [{"dst": "::/0" if ":" in cidr else "0.0.0.0/0"} for cidr in pod_cidrs]
    plugin: dict[str, Any] = {
        "type": "bridge",
        "bridge": bridge,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": ranges, "routes": routes, "dataDir": data_dir},
    }
    if mtu:
        plugin["mtu"] = mtu
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return json.dumps({"cniVersion": "0.4.0", "name": name, "plugins": [plugin, portmap]}, indent=2) + "\n"


def render_masquerade(table: str, pod_cidr: str, cluster_cidr: str) -> str:
    """nft commands: what pods send out of the cluster leaves under the node's address."""
    return f"""add table ip {table}
delete table ip {table}
table ip {table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {pod_cidr} ip daddr != {cluster_cidr} ip daddr != 224.0.0.0/4 masquerade
  }}
}}
"""
