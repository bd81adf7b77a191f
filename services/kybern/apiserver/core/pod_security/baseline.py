"""The controls of the `baseline` level: nothing that is known to lead out of a container."""

from collections.abc import Callable

from kybern.apiserver.core.pod_security.control import (
    Check,
    Control,
    Object,
    Violation,
    containers,
    has_own_users,
    named,
    plural,
    quoted,
    security,
    setters,
)

APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
CONFINED = ("RuntimeDefault", "Localhost")
CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t")
SYSCTLS = {
    0: ("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range"),
    27: ("net.ipv4.ip_local_reserved_ports",),
    29: ("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
         "net.ipv4.tcp_keepalive_probes"),
    32: ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
}  # fmt: skip


def app_armor_profile(metadata: Object, spec: Object) -> Violation | None:
    """No container leaves the runtime's AppArmor profile or one of the node's own."""

    def profile(owner: Object) -> str | None:
        found = security(owner).get("appArmorProfile")
        return None if found is None else found.get("type") or ""

    pod, bad, values = _unconfined(spec, profile)
    wrong = [
        f"{key}={_go_quoted(value)}"
        for key, value in (metadata.get("annotations") or {}).items()
        if key.startswith(APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    ]
    if not pod and not bad and not wrong:
        return None
    who = setters(pod, bad)
    if wrong:
        who = " and ".join([*([who] if who else []), plural(len(wrong), "annotation", "annotations")])
    listed = [*sorted(values), *sorted(wrong)]
    reason = plural(len(listed), "forbidden AppArmor profile", "forbidden AppArmor profiles")
    return Violation(reason, f"{who} must not set AppArmor profile type to {quoted(listed)}")


def _unconfined(spec: Object, profile: Callable[[Object], str | None]) -> tuple[bool, list[str], set[str]]:
    """Whether the pod, and which containers, ask for a profile that confines nothing; and for which ones."""
    found = profile(spec)
    pod = found is not None and found not in CONFINED
    wrong = {c["name"]: p for c in containers(spec) if (p := profile(c)) is not None and p not in CONFINED}
    return pod, [*wrong], {*wrong.values(), *([found] if pod and found is not None else [])}


def _go_quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def capabilities(metadata: Object, spec: Object) -> Violation | None:
    """No capabilities beyond those that runtimes give by default."""
    bad, added = [], set()
    for container in containers(spec):
        wrong = set((security(container).get("capabilities") or {}).get("add") or ()) - CAPABILITIES
        if wrong:
            bad.append(container["name"])
            added |= wrong
    if not bad:
        return None
    detail = f"{named(bad)} must not include {quoted(sorted(added))} in securityContext.capabilities.add"
    return Violation("non-default capabilities", detail)


def host_namespaces(metadata: Object, spec: Object) -> Violation | None:
    """No namespaces of the host."""
    shared = [f"{member}=true" for member in ("hostNetwork", "hostPID", "hostIPC") if spec.get(member)]
    return Violation("host namespaces", ", ".join(shared)) if shared else None


def host_path_volumes(metadata: Object, spec: Object) -> Violation | None:
    """No paths of the host."""
    bad = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    if not bad:
        return None
    return Violation("hostPath volumes", f"{plural(len(bad), 'volume', 'volumes')} {quoted(bad)}")


def host_ports(metadata: Object, spec: Object) -> Violation | None:
    """No ports of the host."""
    bad: dict[str, set[str]] = {}
    for container in containers(spec):
        ports = {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}
        if ports:
            bad[container["name"]] = ports
    if not bad:
        return None
    used = sorted(set().union(*bad.values()))
    what = plural(len(used), "hostPort", "hostPorts")
    return Violation("hostPort", f"{named(bad)} {plural(len(bad), 'uses', 'use')} {what} {', '.join(used)}")


def host_probes(metadata: Object, spec: Object) -> Violation | None:
    """Probes and hooks speak to their own pod, to no other host."""
    bad: dict[str, set[str]] = {}
    for container in containers(spec):
        lifecycle = container.get("lifecycle") or {}
        handlers = [container.get(probe) or {} for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [lifecycle.get(hook) or {} for hook in ("postStart", "preStop")]
        hosts = {(handler.get(way) or {}).get("host") for handler in handlers for way in ("httpGet", "tcpSocket")}
        if any(hosts):
            bad[container["name"]] = {host for host in hosts if host}
    if not bad:
        return None
    asked = sorted(set().union(*bad.values()))
    what = plural(len(asked), "probe or lifecycle host", "probe or lifecycle hosts")
    detail = f"{named(sorted(bad))} {plural(len(bad), 'uses', 'use')} {what} {quoted(asked)}"
    return Violation("probe or lifecycle host", detail)


def privileged(metadata: Object, spec: Object) -> Violation | None:
    """No privileged containers."""
    bad = [container["name"] for container in containers(spec) if security(container).get("privileged")]
    return Violation("privileged", f"{named(bad)} must not set securityContext.privileged=true") if bad else None


def proc_mount(metadata: Object, spec: Object) -> Violation | None:
    """/proc stays masked."""
    bad = {
        container["name"]: security(container)["procMount"]
        for container in containers(spec)
        if security(container).get("procMount") not in (None, "Default")
    }
    if not bad:
        return None
    detail = f"{named(bad)} must not set securityContext.procMount to {quoted(sorted(set(bad.values())))}"
    return Violation("procMount", detail)


def unless_own_users(check: Check) -> Check:
    """The same, but for pods in a user namespace."""
    return lambda metadata, spec: None if has_own_users(spec) else check(metadata, spec)


def seccomp_annotations(metadata: Object, spec: Object) -> Violation | None:
    """Seccomp as it was asked for before it had fields."""
    annotations = metadata.get("annotations") or {}
    keys = [SECCOMP_POD, *(SECCOMP_CONTAINER + container["name"] for container in containers(spec))]
    bad = {
        f"{key}={_go_quoted(annotations[key])}"
        for key in keys
        if key in annotations
        and annotations[key] not in ("runtime/default", "docker/default")
        and not annotations[key].startswith("localhost/")
    }
    if not bad:
        return None
    what = plural(len(bad), "annotation", "annotations")
    return Violation("seccompProfile", f"forbidden {what} {', '.join(sorted(bad))}")


def seccomp_type(owner: Object) -> str | None:
    """The type of the seccomp profile that a pod or container asks for; None if it does not."""
    profile = security(owner).get("seccompProfile")
    return None if profile is None else profile.get("type") or ""


def seccomp_profile(metadata: Object, spec: Object) -> Violation | None:
    """Nobody asks to be unconfined."""
    pod, bad, values = _unconfined(spec, seccomp_type)
    if not pod and not bad:
        return None
    detail = f"{setters(pod, bad)} must not set securityContext.seccompProfile.type to {quoted(sorted(values))}"
    return Violation("seccompProfile", detail)


def selinux_options(types: tuple[str, ...]) -> Check:
    """No SELinux user or role, and only these types."""

    def check(metadata: Object, spec: Object) -> Violation | None:
        found = {"": security(spec).get("seLinuxOptions")}
        found |= {container["name"]: security(container).get("seLinuxOptions") for container in containers(spec)}
        bad = {name: options for name, options in found.items() if options and _breaks(options, types)}
        if not bad:
            return None
        wrong = sorted({options.get("type") or "" for options in bad.values()} - {*types})
        data = [f"{plural(len(wrong), 'type', 'types')} {quoted(wrong)}"] if wrong else []
        data += [f"{what} may not be set" for what in ("user", "role") if any(o.get(what) for o in bad.values())]
        who = setters("" in bad, [name for name in bad if name])
        return Violation("seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}")

    return check


def _breaks(options: Object, types: tuple[str, ...]) -> bool:
    return bool(options.get("user") or options.get("role")) or (options.get("type") or "") not in types


def sysctls(minor: int) -> Check:
    """Only sysctls that are a pod's own business."""
    allowed = {name for since, names in SYSCTLS.items() if since <= minor for name in names}

    def check(metadata: Object, spec: Object) -> Violation | None:
        bad = [entry["name"] for entry in security(spec).get("sysctls") or () if entry["name"] not in allowed]
        return Violation("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


def windows_host_process(metadata: Object, spec: Object) -> Violation | None:
    """No processes on the host."""

    def asks(owner: Object) -> bool:
        return bool((security(owner).get("windowsOptions") or {}).get("hostProcess"))

    who = setters(asks(spec), [container["name"] for container in containers(spec) if asks(container)])
    if not who:
        return None
    return Violation("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true")


CONTROLS = (
    Control("appArmorProfile", ((0, app_armor_profile),)),
    Control("capabilities_baseline", ((0, capabilities),)),
    Control("hostNamespaces", ((0, host_namespaces),)),
    Control("hostPathVolumes", ((0, host_path_volumes),)),
    Control("hostPorts", ((0, host_ports),)),
    Control("hostProbesAndHostLifecycle", ((34, host_probes),)),
    Control("privileged", ((0, privileged),)),
    Control("procMount", ((0, proc_mount), (35, unless_own_users(proc_mount)))),
    Control(
        "seLinuxOptions",
        ((0, selinux_options(SELINUX_TYPES)), (31, selinux_options((*SELINUX_TYPES, "container_engine_t")))),
    ),
    Control("seccompProfile_baseline", ((0, seccomp_annotations), (19, seccomp_profile))),
    Control("sysctls", tuple((minor, sysctls(minor)) for minor in SYSCTLS)),
    Control("windowsHostProcess", ((0, windows_host_process),)),
)  # fmt: skip
