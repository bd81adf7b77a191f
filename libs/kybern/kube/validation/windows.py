"""Windows: pods whose processes are the host's own, and who they run as."""

from kybern.kube.field import invalid
from kybern.kube.validation.fields import Errors, Object, child, items, text
from kybern.kube.validation.names import dns1123_subdomain

_LISTS = ("initContainers", "containers")
_ALL = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
_NETWORK = "hostNetwork must be true if pod contains any hostProcess containers"


def validate_windows_options(options: Object, path: str) -> Errors:
    """The `windowsOptions` of a pod's or container's security context."""
    credentials, user = options.get("gmsaCredentialSpecName"), options.get("runAsUserName")
    if credentials is not None:
        yield from text(credentials, f"{path}.gmsaCredentialSpecName", dns1123_subdomain)
    if user == "":
        yield invalid(f"{path}.runAsUserName", user, "runAsUserName cannot be an empty string")


def validate_host_processes(spec: Object, path: str) -> Errors:
    """All containers are processes of the host, or none; if they are, in the host's network."""
    of_pod = _host_process(spec)
    containers = [
        (f"{path}.{name}[{index}]", container) for name in _LISTS for index, container in enumerate(items(spec, name))
    ]
    count = 0
    for at, container in containers:
        own = _host_process(container)
        if of_pod is not None and own is not None and own != of_pod:
            shown = "true" if of_pod else "false"
            why = f"pod hostProcess value must be identical if both are specified, was {shown}"
            yield invalid(f"{at}.securityContext.windowsOptions.hostProcess", own, why)
        count += bool(of_pod if own is None else own)
    if count and count != len(containers):
        yield invalid(path, "", _ALL)
    if count and not spec.get("hostNetwork"):
        yield invalid(f"{path}.hostNetwork", False, _NETWORK)


def _host_process(holder: Object) -> bool | None:
    found: bool | None = child(child(holder, "securityContext"), "windowsOptions").get("hostProcess")
    return found
