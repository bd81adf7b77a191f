"""Can this host run real nodes? Facts in, a decision and sentences out."""

from dataclasses import dataclass, replace

from kybern.cli.core.options import ClusterOptions, UsageError


@dataclass(frozen=True)
class HostFacts:
    """What was found on the host."""

    root: bool
    tools: frozenset[str]  # of TOOLS, those that are there


TOOLS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "cni": "containernetworking-plugins",
    "nftables": "libnftables1",
    "iptables": "iptables",
    "busybox": "busybox-static",
    "catatonit": "catatonit",
}  # what a real node needs → the Debian package that has it


@dataclass(frozen=True)
class NodesDecision:
    """How many nodes of which kind, and what to tell the user about it."""

    options: ClusterOptions
    notices: tuple[str, ...] = ()


def missing_packages(facts: HostFacts) -> list[str]:
    """Debian packages that a real node lacks, sorted."""
    return sorted({package for tool, package in TOOLS.items() if tool not in facts.tools})


def decide_nodes(options: ClusterOptions, facts: HostFacts) -> NodesDecision:
    """Real nodes where they can run, else simulated ones with a sentence; UsageError if real ones were asked for."""
    if options.api_only:
        return NodesDecision(replace(options, nodes=0), ("The API alone: objects are kept, nothing acts on them.",))
    packages = missing_packages(facts)
    reasons = []
    if not facts.root:
        reasons.append("you are not root")
    if packages:
        reasons.append(f"these packages are missing: {' '.join(packages)}")
    if not reasons:
        nodes = options.nodes if options.nodes is not None else (0 if options.simulated_nodes else 1)
        if nodes + options.simulated_nodes == 0:
            return NodesDecision(replace(options, nodes=0), ("A control plane without nodes: pods will stay Pending.",))
        return NodesDecision(replace(options, nodes=nodes))
    why = " and ".join(reasons)
    if options.nodes:
        cure = f"apt-get install {' '.join(packages)}" if facts.root else "run as root, or leave out --nodes"
        raise UsageError(f"--nodes {options.nodes} needs a host that runs containers, but {why}; {cure}")
    simulated = options.simulated_nodes or 1
    notice = f"Nodes are simulated (no containers run): {why}."
    return NodesDecision(replace(options, nodes=0, simulated_nodes=simulated), (notice,))
