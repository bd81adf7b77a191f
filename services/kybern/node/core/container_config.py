"""A container in CRI's words: command, environment, mounts, resources and security."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kybern.kube.meta import Object
from kybern.node.core import labels, resources
from kybern.node.core.environment import expand
from kybern.node.core.pod_sandbox import NodeSettings, namespace_options, security_profile, supplemental_groups
from kybern.protos.runtime.v1 import api_pb2 as cri

MASKED_PATHS = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
PROPAGATION = {
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}


class ConfigError(Exception):
    """The pod asks for something that cannot be; shown as CreateContainerConfigError."""


@dataclass(frozen=True)
class Mount:
    """A host path in a container, or what is under `sub_path` in the image of a volume."""

    container_path: str
    host_path: str
    readonly: bool = False
    propagation: str = ""
    volume: str = ""  # of an image
    sub_path: str = ""


@dataclass(frozen=True)
class ImageFacts:
    """What the image says about who runs in it."""

    ref: str
    uid: int | None = None
    username: str = ""


def log_path(name: str, attempt: int) -> str:
    return f"{name}/{attempt}.log"


def merged_security(pod: Object, container: Object) -> dict[str, Any]:
    """The container's securityContext over the pod's."""
    shared = pod["spec"].get("securityContext") or {}
    inherited = ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "appArmorProfile", "seLinuxOptions")
    base = {name: shared[name] for name in inherited if shared.get(name) is not None}
    own = container.get("securityContext") or {}
    return {**base, **{name: value for name, value in own.items() if value is not None}}


def check_non_root(pod: Object, container: Object, context: Object, image: ImageFacts) -> None:
    """runAsNonRoot against runAsUser or the image's user. Raises ConfigError."""
    if not context.get("runAsNonRoot"):
        return
    meta = pod["metadata"]
    where = f'(pod: "{meta["name"]}_{meta["namespace"]}({meta["uid"]})", container: {container["name"]})'
    if context.get("runAsUser") is not None:
        if context["runAsUser"] == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
    elif image.uid is None and image.username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    elif not image.uid:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def container_security(pod: Object, container: Object, image: ImageFacts) -> cri.LinuxContainerSecurityContext:
    context = merged_security(pod, container)
    check_non_root(pod, container, context, image)
    found = cri.LinuxContainerSecurityContext(
        privileged=bool(context.get("privileged")),
        readonly_rootfs=bool(context.get("readOnlyRootFilesystem")),
        no_new_privs=context.get("allowPrivilegeEscalation") is False,
        namespace_options=namespace_options(pod),
        supplemental_groups=supplemental_groups(pod),
    )
    capabilities = context.get("capabilities") or {}
    found.capabilities.add_capabilities.extend(capabilities.get("add") or [])
    found.capabilities.drop_capabilities.extend(capabilities.get("drop") or [])
    if context.get("runAsUser") is not None:
        found.run_as_user.value = context["runAsUser"]
    elif image.uid is not None:
        found.run_as_user.value = image.uid
    elif image.username:
        found.run_as_username = image.username
    if context.get("runAsGroup") is not None:
        found.run_as_group.value = context["runAsGroup"]
    if not found.privileged and context.get("procMount") != "Unmasked":
        found.masked_paths.extend(MASKED_PATHS)
        found.readonly_paths.extend(READONLY_PATHS)
    found.seccomp.profile_type = cri.SecurityProfile.Unconfined
    if seccomp := security_profile(context.get("seccompProfile")):
        found.seccomp.CopyFrom(seccomp)
    if apparmor := security_profile(context.get("appArmorProfile")):
        found.apparmor.CopyFrom(apparmor)
    options = context.get("seLinuxOptions") or {}
    for name in ("user", "role", "type", "level"):
        if options.get(name):
            setattr(found.selinux_options, name, options[name])
    return found


def linux_resources(pod: Object, container: Object, memory_capacity: int) -> cri.LinuxContainerResources:
    values = resources.container_values(container)
    return cri.LinuxContainerResources(
        cpu_period=resources.PERIOD,
        cpu_quota=values.cpu_quota,
        cpu_shares=values.cpu_shares,
        memory_limit_in_bytes=values.memory_limit,
        oom_score_adj=resources.oom_score(pod, container, memory_capacity),
    )


def container_config(
    pod: Object,
    container: Object,
    attempt: int,
    image: ImageFacts,
    environment: Mapping[str, str],
    mounts: Sequence[Mount],
    settings: NodeSettings,
    termination_log: str,
    target: str = "",
    images: Mapping[str, cri.ImageSpec] | None = None,
) -> cri.ContainerConfig:
    """What CreateContainer gets. `$(NAME)` in command and arguments is replaced from the environment.

    `images` are those of image volumes, by the volume's name.
    """
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=container["name"], attempt=attempt),
        image=cri.ImageSpec(image=image.ref, user_specified_image=container.get("image", "")),
        command=[expand(word, environment) for word in container.get("command") or []],
        args=[expand(word, environment) for word in container.get("args") or []],
        working_dir=container.get("workingDir") or "",
        envs=[cri.KeyValue(key=key, value=value) for key, value in environment.items()],
        labels=labels.container_labels(pod, container, settings.node_name),
        annotations=labels.container_annotations(pod, container, attempt, termination_log),
        log_path=log_path(container["name"], attempt),
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
    )
    config.mounts.extend(
        cri.Mount(
            container_path=mount.container_path,
            host_path=mount.host_path,
            readonly=mount.readonly,
            propagation=PROPAGATION.get(mount.propagation, cri.PROPAGATION_PRIVATE),
            image=(images or {}).get(mount.volume),
            image_sub_path=mount.sub_path,
        )
        for mount in mounts
    )
    config.linux.resources.CopyFrom(linux_resources(pod, container, settings.memory_capacity))
    config.linux.security_context.CopyFrom(container_security(pod, container, image))
    if target:  # an ephemeral container that looks into another's processes
        config.linux.security_context.namespace_options.pid = cri.TARGET
        config.linux.security_context.namespace_options.target_id = target
    return config
