"""The pod network of this node: the CNI configuration, the masquerade rule, and forwarding."""

import asyncio
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kybern.node.core.cni import render_conflist, render_masquerade

CONF_NAME = "10-kybern.conflist"
ADDRESSES = "ipam"  # host-local's records, below the configuration
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE_NETFILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


@dataclass(frozen=True)
class PodNetwork:
    """How this node's network is named and where its configuration goes."""

    conf_dir: Path
    bridge: str = "kybern0"
    cluster_cidr: str = "10.244.0.0/16"
    mtu: int = 0

    async def set_up(self, pod_cidrs: list[str]) -> None:
        """Write what the runtime and the kernel need for these ranges; doing it again changes nothing."""
        await asyncio.to_thread(self._set_up, pod_cidrs)

    def _set_up(self, pod_cidrs: list[str]) -> None:
        FORWARD.write_text("1")
        with suppress(OSError):
            BRIDGE_NETFILTER.write_text("1")  # Services work between pods of one bridge, too
        for cidr in (cidr for cidr in pod_cidrs if ":" not in cidr):
            rules = render_masquerade(f"kybern-node-{self.bridge}", cidr, self.cluster_cidr)
            done = subprocess.run(["nft", "-f", "-"], input=rules, capture_output=True, text=True, check=False)
            if done.returncode:
                raise OSError(f"nft: {done.stderr.strip()}")
        text = render_conflist("kybern", self.bridge, pod_cidrs, str(self.conf_dir / ADDRESSES), self.mtu)
        target = self.conf_dir / CONF_NAME
        if not target.exists() or target.read_text() != text:
            self.conf_dir.mkdir(parents=True, exist_ok=True)
            temporary = target.with_suffix(".tmp")
            temporary.write_text(text)
            temporary.rename(target)
