"""What of a pod goes with its operating system: settings of the other one are refused."""

from kybern.kube.field import forbidden, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, items

_LISTS = ("containers", "initContainers", "ephemeralContainers")
# Of Windows pods: what only Linux knows, in the order it is looked for.
_LINUX_SPEC = ("hostPID", "hostIPC", "shareProcessNamespace")
_LINUX_POD = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls",
    "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
)  # fmt: skip
_LINUX_CONTAINER = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip
_WINDOWS = "windows options cannot be set for a linux pod"


def validate_os(spec: Object, path: str) -> Errors:
    system = spec.get("os")
    if system is None:
        return
    name = system.get("name") or ""
    if not name:
        yield required(f"{path}.os.name")
    elif name == "linux":
        yield from _linux(spec, path)
    elif name == "windows":
        yield from _windows(spec, path)
    else:
        yield not_supported(f"{path}.os", name, ("linux", "windows"))


def _linux(spec: Object, path: str) -> Errors:
    if child(spec, "securityContext").get("windowsOptions") is not None:
        yield forbidden(f"{path}.securityContext.windowsOptions", _WINDOWS)
    for name in _LISTS:
        for index, container in enumerate(items(spec, name)):
            if child(container, "securityContext").get("windowsOptions") is not None:
                yield forbidden(f"{path}.{name}[{index}].securityContext.windowsOptions", _WINDOWS)


def _windows(spec: Object, path: str) -> Errors:
    yield from _refused(spec, _LINUX_SPEC, path)
    yield from _refused(child(spec, "securityContext"), _LINUX_POD, f"{path}.securityContext")
    for name in _LISTS:
        for index, container in enumerate(items(spec, name)):
            context = child(container, "securityContext")
            yield from _refused(context, _LINUX_CONTAINER, f"{path}.{name}[{index}].securityContext")


def _refused(obj: Object, names: tuple[str, ...], path: str) -> Errors:
    for name in names:
        value = obj.get(name)
        if value is not None and value != [] and (value or name not in ("hostPID", "hostIPC")):
            yield forbidden(f"{path}.{name}", "cannot be set for a windows pod")
