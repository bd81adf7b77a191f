"""The kernel's connection tracking over netlink: UDP flows, listed and forgotten. Blocking."""

import errno
import socket
from contextlib import closing
from typing import Any

from kybern.proxy.core.conntrack import Flow, Frontends, stale_flows


def list_flows(kernel: Any) -> list[Flow]:
    """All UDP flows of this network namespace over IPv4."""
    from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple

    wanted, found = NFCTAttrTuple(proto=socket.IPPROTO_UDP), []
    for message in kernel.dump(tuple_orig=wanted):
        sent, answered = (
            NFCTAttrTuple.from_netlink(socket.AF_INET, message.get_attr(name))
            for name in ("CTA_TUPLE_ORIG", "CTA_TUPLE_REPLY")
        )
        if sent.proto == socket.IPPROTO_UDP:
            found.append(
                Flow((sent.saddr, sent.sport), (sent.daddr, sent.dport), (answered.saddr, answered.sport)),
            )
    return found


def forget(kernel: Any, flow: Flow) -> None:
    """Delete one flow, if it is still there. Raises OSError."""
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple

    (source, source_port), (destination, port) = flow.source, flow.destination
    key = NFCTAttrTuple(
        saddr=source, sport=source_port, daddr=destination, dport=port, proto=socket.IPPROTO_UDP
    )  # fmt: skip
    try:
        kernel.entry("del", tuple_orig=key)
    except NetlinkError as error:
        if error.code != errno.ENOENT:
            raise OSError(error.code, str(error)) from None


def clean(frontends: Frontends) -> int:
    """Forget the flows to endpoints that no longer serve; how many. Raises OSError."""
    from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket  # a large library, wanted with UDP Services only

    with closing(NFCTSocket()) as kernel:
        stale = stale_flows(list_flows(kernel), frontends)
        for flow in stale:
            forget(kernel, flow)
    return len(stale)
