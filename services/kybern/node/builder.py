"""Puts the parts of one node's agent together: on a real machine, or simulated."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from kybern.client.events import EventRecorder
from kybern.client.objects import Client
from kybern.clock import Clock
from kybern.kube.meta import Object
from kybern.node import machine
from kybern.node.agent import NodeAgent
from kybern.node.context import NodeContext
from kybern.node.core import node_status
from kybern.node.core.node_status import NodeFacts, NodeHealth
from kybern.node.core.pod_sandbox import NodeSettings
from kybern.node.cri.client import Runtime
from kybern.node.host import Host, NoHost, RealHost
from kybern.node.metrics import Metrics
from kybern.node.network import PodNetwork
from kybern.node.references import References
from kybern.node.registration import Pressure, Registration
from kybern.node.runtime_cache import RuntimeCache
from kybern.node.status_writer import StatusWriter
from kybern.node.tokens import Tokens
from kybern.node.volumes.sources import Sources
from kybern.telemetry import Telemetry


@dataclass(frozen=True)
class NodeOptions:
    """One node as asked for on the command line."""

    name: str
    root: Path | None  # None: simulated, nothing on disk
    network: PodNetwork | None = None
    cgroup_root: str = "/kybern"
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    address: str = ""
    hostname: str = ""
    agent_target: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[tuple[str, str, str], ...] = ()  # key, value, effect
    max_pods: int = 110
    manifests: Path | None = None


@dataclass(frozen=True)
class Shared:
    """What all agents of a process share."""

    client: Client
    clock: Clock
    random: Random
    telemetry: Telemetry
    services: Callable[[], Iterable[Object]]
    metrics: Metrics


def node_facts(options: NodeOptions) -> NodeFacts:
    hostname = options.hostname or options.name
    if options.root is None:
        found = machine.simulated_facts(options.name)
    else:
        options.root.mkdir(parents=True, exist_ok=True)
        found = machine.facts(options.name, options.root, options.address, hostname)
    taints = tuple({"key": key, "value": value, "effect": effect} for key, value, effect in options.taints)
    return replace(
        found,
        agent_target=options.agent_target,
        labels={**found.labels, **dict(options.labels)},
        taints=taints,
        max_pods=options.max_pods,
    )


def build_agent(options: NodeOptions, runtime: Runtime, shared: Shared, stagger: float = 0.0) -> NodeAgent:
    """One node's agent, ready to run."""
    facts = node_facts(options)
    agent: NodeAgent
    references = References(shared.client, shared.random, lambda uids: agent.references_changed(uids))
    tokens = Tokens(shared.client, shared.clock)
    host: Host = NoHost()
    if options.root is not None:
        host = RealHost(options.root, options.cgroup_root, Sources(references, tokens), shared.clock)

    def release(uid: str) -> None:
        references.release(uid)
        tokens.release(uid)
        node.crashes.forget(uid)
        node.pulls.forget(uid)
        for key in [key for key in node.pull_errors if key.startswith(uid)]:
            del node.pull_errors[key]

    node = NodeContext(
        settings=NodeSettings(
            node_name=options.name,
            cluster_dns=options.cluster_dns,
            cluster_domain=options.cluster_domain,
            cgroup_root=options.cgroup_root,
            memory_capacity=facts.memory,
            host_dns=machine.host_dns() if options.root is not None else ((), (), ()),
        ),
        runtime=runtime,
        cache=RuntimeCache(runtime, options.name),
        client=shared.client,
        clock=shared.clock,
        random=shared.random,
        telemetry=shared.telemetry,
        recorder=EventRecorder(shared.client, "kubelet", shared.clock, shared.telemetry, host=options.name),
        writer=StatusWriter(shared.client, shared.telemetry.log),
        host=host,
        references=references,
        services=shared.services,
        host_ips=facts.addresses,
        logs_root=str((options.root or Path("/simulated")) / "logs" / "pods"),
        release=release,
        metrics=shared.metrics,
        allocatable=node_status.allocatable(facts),
        simulated=options.root is None,
    )
    registration = Registration(
        shared.client,
        runtime,
        facts,
        shared.clock,
        shared.telemetry,
        options.network.set_up if options.network else None,
        pressure_of(options.root),
        stagger=stagger,
    )
    agent = NodeAgent(node, registration, options.manifests)
    return agent


def pressure_of(root: Path | None) -> Pressure:
    """How to learn which resources are short."""

    async def measure() -> NodeHealth:
        return NodeHealth() if root is None else await asyncio.to_thread(machine.health, root)

    return measure
