"""The node agent's shell: flags, shared watches, one agent per node, and the NodeAgent contract."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from kybern.client.informer import SharedInformer
from kybern.client.objects import Client
from kybern.client.resources import SERVICES
from kybern.node import machine
from kybern.node.agent import NodeAgent
from kybern.node.builder import NodeOptions, Shared, build_agent
from kybern.node.cri import simulated
from kybern.node.cri.client import Runtime
from kybern.node.metrics import Metrics
from kybern.node.network import PodNetwork
from kybern.node.pod_source import PodSource
from kybern.node.routes import NodeRoutes
from kybern.node.server import NodeAgentService
from kybern.protos.node.v1 import node_pb2_grpc
from kybern.rpc.transport import Policy
from kybern.runtime.main import ServiceFailure
from kybern.runtime.service import Env, Service

SIMULATED = "simulated"
POLICY = Policy({"/kybern.node.v1.NodeAgent/": frozenset({"system:kybern:gateway", "system:masters"})})
STAGGER_SECONDS = 0.002  # between the starts of simulated nodes


def label(text: str) -> tuple[str, str]:
    """`key=value`."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"{text!r} is not key=value")
    return key, value


def taint(text: str) -> tuple[str, str, str]:
    """`key=value:effect`; the value may be empty."""
    rest, colon, effect = text.rpartition(":")
    if not colon or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise ArgumentTypeError(f"{text!r} is not key=value:effect")
    key, _, value = rest.partition("=")
    return key, value, effect


def add_flags(parser: ArgumentParser) -> None:
    """Flags beyond the shared ones."""
    parser.add_argument("--node-name", action="append", default=[], help="a node this process is the agent of")
    parser.add_argument("--node-ip", default="", help="the node's address (default: that of the default route)")
    parser.add_argument(
        "--runtime", default="unix:///run/containerd/containerd.sock", help="CRI endpoint, or simulated"
    )
    parser.add_argument("--simulated-count", type=int, default=0, help="simulated nodes named simulated-1, …")
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/kybern/node"), help="pods, volumes and logs")
    parser.add_argument("--cni-conf-dir", type=Path, default=Path("/etc/cni/net.d"), help="where the runtime reads CNI")
    parser.add_argument("--bridge", default="kybern0", help="the bridge of the pod network")
    parser.add_argument("--cluster-cidr", default="10.244.0.0/16", help="all pods; what leaves it is masqueraded")
    parser.add_argument("--mtu", type=int, default=0, help="of the pod network; 0: the kernel's default")
    parser.add_argument("--cgroup-root", default="", help="cgroup above all pods (default: /kybern/<node>)")
    parser.add_argument("--cluster-dns", default="", help="DNS servers of pods, by commas")
    parser.add_argument("--cluster-domain", default="cluster.local")
    parser.add_argument("--pod-manifest-path", type=Path, default=None, metavar="DIR", help="static pods")
    parser.add_argument("--max-pods", type=int, default=110)
    parser.add_argument("--node-label", type=label, action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--register-with-taint", type=taint, action="append", default=[], metavar="KEY=VALUE:EFFECT")


def agent_target(address: str, node_ip: str) -> str:
    """The gRPC target under which a gateway reaches a server that listens on `address`."""
    host, _, port = address.rpartition(":")
    if address.startswith("unix:") or host.strip("[]") not in ("", "0.0.0.0", "::"):
        return address
    own = node_ip or machine.own_address()
    return f"[{own}]:{port}" if ":" in own else f"{own}:{port}"


def node_options(options: Namespace, name: str) -> NodeOptions:
    """One node of this process, as the flags ask for it."""
    pretend = options.runtime == SIMULATED
    network = PodNetwork(options.cni_conf_dir, options.bridge, options.cluster_cidr, options.mtu)
    return NodeOptions(
        name=name,
        root=None if pretend else options.state_dir,
        network=None if pretend else network,
        cgroup_root=options.cgroup_root or f"/kybern/{name}",
        cluster_dns=tuple(server for server in options.cluster_dns.split(",") if server),
        cluster_domain=options.cluster_domain,
        address=options.node_ip,
        agent_target=agent_target(options.address, options.node_ip),
        labels=tuple(options.node_label),
        taints=tuple(options.register_with_taint),
        max_pods=options.max_pods,
        manifests=options.pod_manifest_path,
    )


def node_names(options: Namespace) -> list[str]:
    """The nodes of this process. Raises ServiceFailure."""
    names = [*options.node_name, *(f"simulated-{i + 1}" for i in range(options.simulated_count))]
    if options.simulated_count and options.runtime != SIMULATED:
        raise ServiceFailure("--simulated-count needs --runtime simulated")
    if len(names) > 1 and options.runtime != SIMULATED:
        raise ServiceFailure("one container runtime is one node: give one --node-name, or --runtime simulated")
    if not names:
        raise ServiceFailure("give --node-name, or --runtime simulated with --simulated-count")
    return names


def make_runtime(options: Namespace, env: Env, name: str, index: int) -> Runtime:
    if options.runtime != SIMULATED:
        return Runtime.connect(options.runtime)
    cidr = f"10.{128 + index // 256 % 64}.{index % 256}.0/24"  # until the node has a range of its own
    return simulated.connect(simulated.SimulatedRuntime(env.clock, name, cidr))


async def run(options: Namespace, env: Env) -> None:
    """Run every node of this process until cancelled; containers go on running then."""
    names = node_names(options)
    async with Client(env.transport.channel(options.apiserver, "apiserver.kybern")) as client:
        services = SharedInformer(client, SERVICES, env.random, env.telemetry)
        shared = Shared(
            client, env.clock, env.random, env.telemetry, services.store.list, Metrics(env.telemetry.registry)
        )
        agents: dict[str, NodeAgent] = {}
        for index, name in enumerate(names):
            runtime = make_runtime(options, env, name, index)
            agents[name] = build_agent(node_options(options, name), runtime, shared, index * STAGGER_SECONDS)
        server = env.transport.server(options.address, POLICY)
        node_pb2_grpc.add_NodeAgentServicer_to_server(NodeAgentService(agents), server)  # type: ignore[arg-type]  # any transport's server
        source = PodSource(client, agents, env.random, env.telemetry)
        try:
            async with asyncio.TaskGroup() as tasks:
                await server.start()
                tasks.create_task(services.run())
                if options.runtime != SIMULATED:
                    tasks.create_task(NodeRoutes(client, names[0], env.random, env.telemetry).run())
                for agent in agents.values():
                    tasks.create_task(agent.run())
                for agent in agents.values():
                    await agent.started.wait()
                await services.wait_for_sync()
                tasks.create_task(source.run())
                for agent in agents.values():
                    await agent.registration.pods_allowed.wait()
                env.ready()
        finally:
            await server.stop(1.0)
            for agent in agents.values():
                await agent.node.runtime.close()


SERVICE = Service(
    name="node",
    user="system:node",
    groups=("system:nodes",),
    help="A node's agent: pods through CRI, node status, logs and exec.",
    add_flags=add_flags,
    run=run,
)
