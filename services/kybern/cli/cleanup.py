"""After the services have stopped: nothing of the cluster stays on the host but its data dir."""

import json
from contextlib import suppress

from kybern.cli.core.layout import Layout
from kybern.cli.core.plan import bridge_name, cgroup_root
from kybern.cli.namespaces import remove_nodes
from kybern.runtime.containerd import Layout as ContainerdLayout
from kybern.runtime.containerd_cleanup import cleanup, run

ROUTE_PROTOCOL = "175"  # of the node agents' routes


def node_names(layout: Layout) -> list[str]:
    """Real nodes that this data dir has or had."""
    folder = layout.data / "nodes"
    return sorted(p.name for p in folder.iterdir() if (p / "containerd").is_dir()) if folder.is_dir() else []


def clean_host(layout: Layout) -> list[str]:
    """Remove containers, shims, mounts, cgroups, interfaces, rules and namespaces; names what could not be."""
    left: list[str] = []
    for name in node_names(layout):
        home = layout.node(name)
        left += cleanup(
            ContainerdLayout(home / "containerd"),
            cgroup_root=cgroup_root(name),
            bridge=bridge_name(name),
            pods_dir=home / "pods",
        )
    if used_real_nodes(layout):
        remove_nodes()
        run("ip", "route", "flush", "protocol", ROUTE_PROTOCOL)
        run("nft", "delete", "table", "ip", "kybern-proxy")
    return left


def used_real_nodes(layout: Layout) -> bool:
    """Whether the cluster had nodes that touch the host's network."""
    with suppress(OSError, ValueError):
        return bool(json.loads(layout.cluster.read_text()).get("nodes"))
    return False
