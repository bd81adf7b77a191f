"""What a pod asks of the system beneath it: users, sysctls, name resolution."""

import re

from kybern.kube.field import (
    duplicate,
    invalid,
    required,
)
from kybern.kube.validation.fields import Errors, Object, child, chosen, in_range, items, text
from kybern.kube.validation.names import (
    range_error,
    search_domain,
    strict_ip_address,
)
from kybern.kube.validation.security import MAX_ID, validate_app_armor, validate_seccomp

MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 32, 2048
SYSCTL_LENGTH = 253
_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
SYSCTL = rf"({_SYSCTL_SEGMENT}[\./])*{_SYSCTL_SEGMENT}"


def security_context(spec: Object, path: str) -> Errors:
    context = child(spec, "securityContext")
    yield from in_range(context, "fsGroup", path, 0, MAX_ID)
    for name in ("runAsUser", "runAsGroup"):
        yield from in_range(context, name, path, 0, MAX_ID)
    for index, group in enumerate(items(context, "supplementalGroups")):
        if not 0 <= (group or 0) <= MAX_ID:
            yield invalid(f"{path}.supplementalGroups[{index}]", group, range_error(0, MAX_ID))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        yield invalid(f"{path}.shareProcessNamespace", True, "ShareProcessNamespace and HostPID cannot both be enabled")
    yield from _sysctls(context, bool(spec.get("hostNetwork")), bool(spec.get("hostIPC")), f"{path}.sysctls")
    yield from chosen(context, "fsGroupChangePolicy", path, ("Always", "OnRootMismatch"))
    yield from validate_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    yield from validate_app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile")
    yield from chosen(context, "supplementalGroupsPolicy", path, ("Merge", "Strict"))
    yield from chosen(context, "seLinuxChangePolicy", path, ("Recursive",))


def _sysctls(context: Object, host_network: bool, host_ipc: bool, path: str) -> Errors:
    names = set()
    for index, sysctl in enumerate(items(context, "sysctls")):
        at, name = f"{path}[{index}].name", sysctl.get("name") or ""
        if not name:
            yield required(at)
        elif len(name) > SYSCTL_LENGTH or not re.fullmatch(SYSCTL, name):
            why = f"must have at most {SYSCTL_LENGTH} characters and match regex ^{SYSCTL}$"
            yield invalid(at, name, why)
        elif name in names:
            yield duplicate(at, name)
        dotted = name.replace("/", ".") if "/" in name.partition(".")[0] else name
        if host_network and dotted.startswith("net."):
            yield invalid(at, name, "may not be specified when 'hostNetwork' is true")
        if host_ipc and (dotted.startswith(("kernel.shm", "kernel.msg", "fs.mqueue.")) or dotted == "kernel.sem"):
            yield invalid(at, name, "may not be specified when 'hostIPC' is true")
        names.add(name)


def dns_config(spec: Object, path: str) -> Errors:
    config = spec.get("dnsConfig")
    if config is None:
        if spec.get("dnsPolicy") == "None":
            yield required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
        return
    servers, searches = items(config, "nameservers"), items(config, "searches")
    if spec.get("dnsPolicy") == "None" and not servers:
        yield required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
    if len(servers) > 3:
        yield invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        yield from text(server, f"{path}.nameservers[{index}]", strict_ip_address)
    if len(searches) > MAX_SEARCHES:
        yield invalid(f"{path}.searches", searches, f"must not have more than {MAX_SEARCHES} search paths")
    if len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        detail = f"must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        yield invalid(f"{path}.searches", searches, detail)
    for index, search in enumerate(searches):
        if search != ".":
            for problem in search_domain(search.removesuffix(".")):
                yield invalid(f"{path}.searches[{index}]", search, problem)
    for index, option in enumerate(items(config, "options")):
        if not option.get("name"):
            yield required(f"{path}.options[{index}]", "must not be empty")
