"""The processes of a cluster on one host, from its options: one service a process, one containerd a node."""

from dataclasses import dataclass, replace

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import FILES, ClusterOptions
from kybern.runtime.containerd import Layout as ContainerdLayout
from kybern.runtime.processes import ProcessSpec

SERVICE_RANGE = "10.96.0.0/16"
CLUSTER_CIDR = "10.244.0.0/16"
CLUSTER_DNS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
ISSUER = "https://kubernetes.default.svc.cluster.local"
LOOPBACK = "127.0.0.1"
FRONT_PROXY, FRONT_PROXY_CA = "front-proxy-client", "front-proxy-ca"  # folders below DIR/pki
DNS_PORT = 10053  # where dns listens behind the kube-dns Service
USERS = {
    "apiserver": "system:kybern:apiserver",
    "controllers": "system:kube-controller-manager",
    "dns": "system:kybern:dns",
    "gateway": "system:kybern:gateway",
    "proxy": "system:kube-proxy",
    "scheduler": "system:kube-scheduler",
    "traces": "system:kybern:traces",
}  # as each service's SERVICE.user says, without importing the services
GATEWAY_FLAGS = ("request-timeout=", "requestheader-", "workers=", "logs-dir=", "external-address=")
AGENTS, LOOPS, FRONT, CORE, TRACES, RUNTIMES = range(6)  # stop order


def bridge_name(node: str) -> str:
    """The pod bridge of a node; 15 bytes at most."""
    return f"kybern{node.removeprefix('node-')}"[:15]


def cgroup_root(node: str) -> str:
    """Below which all cgroups of a node's pods are."""
    return f"/kybern/{node}"


@dataclass(frozen=True)
class Node:
    """One real node of the plan."""

    name: str
    address: str  # IP that pods and other nodes reach it at
    namespace: str = ""  # network namespace; "" is the host's
    runtime_endpoint: str = ""  # "" is a containerd of its own


@dataclass(frozen=True)
class Plan:
    """What to run, and which nodes that makes."""

    specs: tuple[ProcessSpec, ...]
    nodes: tuple[Node, ...]


def service(
    layout: Layout,
    package: str,
    *arguments: str,
    name: str = "",
    pki: str = "",
    stop_order: int = LOOPS,
    namespace: str = "",
) -> ProcessSpec:
    """One service with the flags that all share."""
    name = name or package
    shared = ["--address", layout.socket(name), "--pki", str(layout.pki / (pki or name))]
    if package not in ("apiserver", "traces"):
        shared += ["--apiserver", layout.socket("apiserver")]
    if package != "traces":
        shared += ["--traces", layout.socket("traces")]
    return ProcessSpec(name, (*shared, *arguments), service=package, stop_order=stop_order, namespace=namespace)


def storage_flags(options: ClusterOptions) -> tuple[str, ...]:
    """TLS to etcd and encryption at rest."""
    given = {f"--{name.replace('_', '-')}": getattr(options, name) for name in FILES}
    flags = [part for flag, value in given.items() if value for part in (flag, value)]
    if options.encryption_provider_config:
        flags += ["--encryption-provider-config-automatic-reload", "true"]
    return tuple(flags)


def apiserver_flags(options: ClusterOptions, of_gateway: bool) -> list[str]:
    """The flags of kube-apiserver that were passed on: some are the gateway's here, the others the apiserver's."""
    return [f"--{flag}" for flag in options.apiserver_flags if flag.startswith(GATEWAY_FLAGS) is of_gateway]


def control_plane(options: ClusterOptions, layout: Layout, host_address: str, bind_address: str) -> list[ProcessSpec]:
    """The services that every cluster has once."""
    store = options.store or f"sqlite:{layout.data / 'store' / 'kybern.db'}"
    reachable = host_address != LOOPBACK  # endpoints may not be loopback addresses
    advertised = ("--advertise-address", f"{host_address}:{options.secure_port}") if reachable else ()
    keep = ("--otlp-endpoint", options.otlp_endpoint) if options.otlp_endpoint else ()
    return [
        service(
            layout,
            "apiserver",
            *("--store", store),
            *storage_flags(options),
            *("--service-account-key", str(layout.pki / "sa.key"), "--service-account-issuer", ISSUER),
            *("--service-cluster-ip-range", SERVICE_RANGE),
            *("--proxy-client", str(layout.pki / FRONT_PROXY)),
            *advertised,
            *apiserver_flags(options, of_gateway=False),
            stop_order=CORE,
        ),
        service(
            layout,
            "gateway",
            *("--bind-address", bind_address, "--secure-port", str(options.secure_port)),
            *("--proxy-client", str(layout.pki / FRONT_PROXY), "--logs-dir", str(layout.logs)),
            *apiserver_flags(options, of_gateway=True),
            stop_order=FRONT,
        ),
        service(layout, "scheduler"),
        service(
            layout,
            "controllers",
            *("--cluster-cidr", CLUSTER_CIDR, "--root-ca-file", str(layout.pki / "ca.crt")),
            *("--cluster-signing-cert-file", str(layout.pki / "ca.crt")),
            *("--cluster-signing-key-file", str(layout.pki / "ca.key")),
            *("--service-account-private-key-file", str(layout.pki / "sa.key")),
        ),
        service(layout, "traces", *keep, stop_order=TRACES),
        service(
            layout,
            "dns",
            "--cluster-domain",
            CLUSTER_DOMAIN,
            "--listen",
            f"{host_address}:{DNS_PORT}" if options.nodes else f"{LOOPBACK}:0",
            "--publish",
            CLUSTER_DNS,
        ),
    ]


def api_alone(specs: list[ProcessSpec], layout: Layout) -> list[ProcessSpec]:
    """Apiserver and gateway, with nobody to send spans to."""
    traces = ("--traces", layout.socket("traces"))
    return [
        replace(spec, arguments=tuple(part for part in spec.arguments if part not in traces))
        for spec in specs
        if spec.name in ("apiserver", "gateway")
    ]


def node_processes(node: Node, layout: Layout, program: str) -> list[ProcessSpec]:
    """containerd, the node agent and the service proxy of one real node."""
    containerd = ContainerdLayout(layout.node(node.name) / "containerd")
    specs = []
    if not node.runtime_endpoint:
        specs.append(
            ProcessSpec(
                f"containerd-{node.name}",
                ("--config", str(containerd.config), "--log-level", "warn"),
                program=program,
                namespace=node.namespace,
                stop_order=RUNTIMES,
            )
        )
    specs.append(
        service(
            layout,
            "node",
            *("--node-name", node.name, "--node-ip", node.address),
            *("--runtime", node.runtime_endpoint or containerd.endpoint),
            *("--state-dir", str(layout.node(node.name)), "--cni-conf-dir", str(containerd.cni_conf_dir)),
            *("--cluster-dns", CLUSTER_DNS, "--cluster-domain", CLUSTER_DOMAIN, "--cluster-cidr", CLUSTER_CIDR),
            *("--bridge", bridge_name(node.name), "--cgroup-root", cgroup_root(node.name)),
            name=node.name,
            stop_order=AGENTS,
            namespace=node.namespace,
        )
    )
    specs.append(
        service(
            layout,
            "proxy",
            *("--node-name", node.name, "--cluster-cidr", CLUSTER_CIDR),
            name=f"proxy-{node.name}",
            pki="proxy",
            stop_order=AGENTS,
            namespace=node.namespace,
        )
    )
    return specs


def simulated_nodes(count: int, layout: Layout) -> ProcessSpec:
    """One process with many simulated nodes."""
    return service(
        layout,
        "node",
        *("--runtime", "simulated", "--simulated-count", str(count), "--state-dir", str(layout.node("simulated"))),
        name="simulated",
        stop_order=AGENTS,
    )


def make_plan(
    options: ClusterOptions,
    layout: Layout,
    nodes: tuple[Node, ...],
    host_address: str,
    containerd: str = "/usr/bin/containerd",
) -> Plan:
    """Every process of the cluster. `host_address` is where pods reach the host, `containerd` the program to run."""
    bind = options.bind_address or ("0.0.0.0" if nodes else LOOPBACK)
    specs = control_plane(options, layout, host_address, bind)
    if options.api_only:
        specs = api_alone(specs, layout)
    for node in nodes:
        specs += node_processes(node, layout, containerd)
    if options.simulated_nodes:
        specs.append(simulated_nodes(options.simulated_nodes, layout))
    return Plan(tuple(specs), nodes)


def with_metrics(plan: Plan, ports: list[int]) -> Plan:
    """The same plan with a metrics port on loopback for each service, taken from `ports` in order."""
    left = iter(ports)
    specs = tuple(
        replace(spec, arguments=(*spec.arguments, "--metrics-address", f"{LOOPBACK}:{next(left)}"))
        if spec.service and not spec.namespace
        else spec
        for spec in plan.specs
    )
    return replace(plan, specs=specs)


def metrics_addresses(plan: Plan) -> dict[str, str]:
    """Process → where Prometheus scrapes it."""
    flag = "--metrics-address"
    return {s.name: s.arguments[s.arguments.index(flag) + 1] for s in plan.specs if flag in s.arguments}
