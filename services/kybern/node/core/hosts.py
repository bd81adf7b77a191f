"""The /etc/hosts that a pod's containers share."""

from kybern.kube.meta import Object

HEADER = "# Kubernetes-managed hosts file"
LOCAL = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
)


def render_hosts(pod: Object, ips: tuple[str, ...], hostname: str, domain: str, host_file: str | None) -> str:
    """The file's text; `host_file` is the node's own file for pods on its network."""
    if host_file is not None:
        lines = [f"{HEADER} (host network).", *host_file.rstrip("\n").splitlines()]
    else:
        names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
        lines = [f"{HEADER}.", *LOCAL, *(f"{ip}\t{names}" for ip in ips)]
    aliases = pod["spec"].get("hostAliases") or []
    if aliases:
        lines += ["", "# Entries added by HostAliases."]
        lines += [f"{alias['ip']}\t" + "\t".join(alias.get("hostnames") or []) for alias in aliases]
    return "\n".join(lines) + "\n"
