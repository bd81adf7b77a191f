"""A pod's sandbox in CRI's words: names, DNS, ports, namespaces and security shared by its containers."""

from dataclasses import dataclass

from kybern.kube.meta import Object
from kybern.node.core import labels, resources
from kybern.protos.runtime.v1 import api_pb2 as cri

PROTOCOLS = {"TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}
MAX_HOSTNAME, MAX_KERNEL_HOSTNAME = 63, 64


@dataclass(frozen=True)
class NodeSettings:
    """What a node's agent adds to every pod."""

    node_name: str
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    cgroup_root: str = "/kybern"
    memory_capacity: int = 0
    host_dns: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())  # servers, searches, options


def hostname(pod: Object) -> str:
    """The pod's own host name: spec.hostnameOverride or hostname, else its name, at most 63 characters."""
    spec = pod["spec"]
    name: str = spec.get("hostnameOverride") or spec.get("hostname") or pod["metadata"]["name"]
    return name[:MAX_HOSTNAME].rstrip("-.")


def host_domain(pod: Object, settings: NodeSettings) -> str:
    """The domain of a pod with a subdomain: what a headless Service of that name answers for."""
    subdomain = pod["spec"].get("subdomain")
    if not subdomain or pod["spec"].get("hostnameOverride"):
        return ""
    return f"{subdomain}.{pod['metadata']['namespace']}.svc.{settings.cluster_domain}"


def kernel_hostname(pod: Object, settings: NodeSettings) -> str:
    """What `hostname` prints in the pod: with setHostnameAsFQDN the full name. ValueError if that is too long."""
    name, domain = hostname(pod), host_domain(pod, settings)
    if not domain or not pod["spec"].get("setHostnameAsFQDN"):
        return name
    full = f"{name}.{domain}"
    if len(full) > MAX_KERNEL_HOSTNAME:
        raise ValueError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
            f"({MAX_KERNEL_HOSTNAME} characters is the max, {len(full)} characters requested)"
        )
    return full


def dns_config(pod: Object, settings: NodeSettings) -> cri.DNSConfig:
    """The pod's resolv.conf, by dnsPolicy and dnsConfig."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    servers, searches, options = (list(part) for part in settings.host_dns)
    cluster = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.get("hostNetwork"))
    if policy == "None":
        servers, searches, options = [], [], []
    elif cluster and settings.cluster_dns:
        domain = settings.cluster_domain
        searches = [f"{pod['metadata']['namespace']}.svc.{domain}", f"svc.{domain}", domain, *searches]
        servers, options = list(settings.cluster_dns), ["ndots:5"]
    extra = spec.get("dnsConfig") or {}
    servers += [s for s in extra.get("nameservers") or [] if s not in servers]
    searches += [s for s in extra.get("searches") or [] if s not in searches]
    named = {option.partition(":")[0]: option for option in options}
    for option in extra.get("options") or []:
        value = option.get("value")
        named[option["name"]] = f"{option['name']}:{value}" if value else option["name"]
    return cri.DNSConfig(servers=servers[:3], searches=searches[:32], options=list(named.values()))


def port_mappings(pod: Object) -> list[cri.PortMapping]:
    """Host ports that CNI's portmap has to open."""
    if pod["spec"].get("hostNetwork"):
        return []
    return [
        cri.PortMapping(
            protocol=PROTOCOLS[port.get("protocol") or "TCP"],
            container_port=port["containerPort"],
            host_port=port["hostPort"],
            host_ip=port.get("hostIP") or "",
        )
        for container in resources.all_containers(pod)
        for port in container.get("ports") or []
        if port.get("hostPort")
    ]


def namespace_options(pod: Object) -> cri.NamespaceOption:
    """Which namespaces the pod shares with the node, and which its containers share with each other."""
    spec = pod["spec"]
    pid = cri.NODE if spec.get("hostPID") else cri.POD if spec.get("shareProcessNamespace") else cri.CONTAINER
    return cri.NamespaceOption(
        network=cri.NODE if spec.get("hostNetwork") else cri.POD,
        pid=pid,
        ipc=cri.NODE if spec.get("hostIPC") else cri.POD,
    )


def security_profile(
    profile: Object | None, seccomp_root: str = "/var/lib/kubelet/seccomp"
) -> cri.SecurityProfile | None:
    """A seccompProfile or appArmorProfile; None when the pod does not say."""
    if not profile or not profile.get("type"):
        return None
    kind = {"RuntimeDefault": cri.SecurityProfile.RuntimeDefault, "Localhost": cri.SecurityProfile.Localhost}
    found = cri.SecurityProfile(profile_type=kind.get(profile["type"], cri.SecurityProfile.Unconfined))
    if profile["type"] == "Localhost":
        name = profile.get("localhostProfile") or ""
        found.localhost_ref = name if name.startswith("/") else f"{seccomp_root}/{name}"
    return found


def privileged(pod: Object) -> bool:
    """Whether some container of the pod is privileged: its sandbox must be, too."""
    return any((c.get("securityContext") or {}).get("privileged") for c in resources.all_containers(pod))


def sandbox_security(pod: Object) -> cri.LinuxSandboxSecurityContext:
    context = pod["spec"].get("securityContext") or {}
    found = cri.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod),
        privileged=privileged(pod),
        supplemental_groups=supplemental_groups(pod),
    )
    if context.get("runAsUser") is not None:
        found.run_as_user.value = context["runAsUser"]
        if context.get("runAsGroup") is not None:
            found.run_as_group.value = context["runAsGroup"]
    found.seccomp.profile_type = cri.SecurityProfile.RuntimeDefault
    if profile := security_profile(context.get("seccompProfile")):
        found.seccomp.CopyFrom(profile)
    return found


def supplemental_groups(pod: Object) -> list[int]:
    """Groups of every process: supplementalGroups and fsGroup."""
    context = pod["spec"].get("securityContext") or {}
    groups = list(context.get("supplementalGroups") or [])
    return [*groups, context["fsGroup"]] if context.get("fsGroup") is not None else groups


def log_directory(pod: Object, root: str) -> str:
    meta = pod["metadata"]
    return f"{root}/{meta['namespace']}_{meta['name']}_{meta['uid']}"


def sandbox_config(pod: Object, settings: NodeSettings, attempt: int, logs_root: str) -> cri.PodSandboxConfig:
    """What RunPodSandbox gets, and CreateContainer for each of the pod's containers. Raises ValueError."""
    meta, spec = pod["metadata"], pod["spec"]
    values = resources.pod_values(pod)
    config = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=meta["name"], namespace=meta["namespace"], uid=meta["uid"], attempt=attempt
        ),
        hostname="" if spec.get("hostNetwork") else kernel_hostname(pod, settings),
        log_directory=log_directory(pod, logs_root),
        dns_config=dns_config(pod, settings),
        port_mappings=port_mappings(pod),
        labels=labels.sandbox_labels(pod, settings.node_name),
        annotations={k: v for k, v in (meta.get("annotations") or {}).items() if not k.startswith("kubectl.")},
    )
    config.annotations[labels.CONFIG_SOURCE] = "api"
    linux = config.linux
    linux.cgroup_parent = resources.pod_cgroup(pod, settings.cgroup_root)
    linux.security_context.CopyFrom(sandbox_security(pod))
    linux.resources.cpu_shares = values.cpu_shares
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or []:
        linux.sysctls[sysctl["name"]] = sysctl["value"]
    return config
