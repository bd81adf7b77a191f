"""Pod: its containers and volumes together, scheduling and DNS fields, and the references between them."""

import re

from kybern.kube.field import duplicate, forbidden, invalid, not_found, not_supported, required, too_long, too_many
from kybern.kube.validation.container import host_port_conflicts, validate_container
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    in_range,
    items,
    one_of,
    required_text,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_annotations, validate_labels
from kybern.kube.validation.names import (
    dns1123_label,
    dns1123_subdomain,
    ip_address,
    qualified_name,
    range_error,
)  # fmt: skip
from kybern.kube.validation.probe import validate_lifecycle, validate_probe
from kybern.kube.validation.scheduling import validate_affinity, validate_tolerations, validate_topology_spread
from kybern.kube.validation.security import validate_seccomp
from kybern.kube.validation.volume import validate_volumes

RESTART_POLICIES = ("Always", "OnFailure", "Never")
MAX_RESTART_RULES, MAX_EXIT_CODES = 20, 255
_RESTART_ACTIONS = ("Restart", "RestartAllContainers")
_EXIT_CODE_OPERATORS = ("In", "NotIn")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_MAX_INT32 = 2**31 - 1
MIRROR = "kubernetes.io/config.mirror"
MAX_KERNEL_HOSTNAME = 64
SYSCTL_LENGTH = 253
_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
SYSCTL = rf"({_SYSCTL_SEGMENT}[\./])*{_SYSCTL_SEGMENT}"

Volumes = dict[str, Object]


def validate_pod(pod: Object) -> Errors:
    spec = child(pod, "spec")
    annotations = child(child(pod, "metadata"), "annotations")
    if MIRROR in annotations and not spec.get("nodeName"):
        detail = "must set spec.nodeName if mirror pod annotation is set"
        yield invalid(f"metadata.annotations[{MIRROR}]", annotations[MIRROR], detail)
    yield from validate_pod_spec(spec, "spec")
    for index, _ in enumerate(items(spec, "ephemeralContainers")):
        if index == 0:
            yield forbidden("spec.ephemeralContainers", "cannot be set on create")


def validate_template_metadata(template: Object, path: str) -> Errors:
    metadata = child(template, "metadata")
    yield from validate_labels(metadata.get("labels"), f"{path}.labels")
    yield from validate_annotations(metadata.get("annotations"), f"{path}.annotations")


def validate_template(template: Object, path: str) -> Errors:
    """A PodTemplateSpec inside a workload."""
    yield from validate_template_metadata(template, path)
    spec = child(template, "spec")
    yield from validate_pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        yield forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def validate_pod_spec(spec: Object, path: str) -> Errors:
    yield from validate_volumes(items(spec, "volumes"), f"{path}.volumes")
    volumes: Volumes = {volume.get("name", ""): volume for volume in items(spec, "volumes")}
    claims = items(spec, "resourceClaims")
    yield from _containers(spec, volumes, f"{path}.containers")
    yield from _init_containers(spec, volumes, f"{path}.initContainers")
    yield from _claims(spec, claims, path)
    yield from one_of(spec, "restartPolicy", path, RESTART_POLICIES, must=True)
    yield from one_of(spec, "dnsPolicy", path, _DNS_POLICIES, must=True)
    yield from validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    yield from _security_context(spec, f"{path}.securityContext")
    for index, secret in enumerate(items(spec, "imagePullSecrets")):
        if not secret.get("name"):
            yield required(f"{path}.imagePullSecrets[{index}].name")
    yield from validate_affinity(child(spec, "affinity"), f"{path}.affinity")
    yield from _dns_config(spec, f"{path}.dnsConfig")
    yield from _readiness_gates(items(spec, "readinessGates"), f"{path}.readinessGates")
    yield from _scheduling_gates(items(spec, "schedulingGates"), f"{path}.schedulingGates")
    yield from validate_topology_spread(items(spec, "topologySpreadConstraints"), f"{path}.topologySpreadConstraints")
    yield from _names(spec, path)
    yield from in_range(spec, "activeDeadlineSeconds", path, 1, _MAX_INT32)
    yield from validate_tolerations(items(spec, "tolerations"), f"{path}.tolerations")
    for index, alias in enumerate(items(spec, "hostAliases")):
        yield from text(alias.get("ip") or "", f"{path}.hostAliases[{index}].ip", ip_address)
        for name in items(alias, "hostnames"):
            yield from text(name, f"{path}.hostAliases[{index}].hostnames", dns1123_subdomain)
    yield from one_of(spec, "preemptionPolicy", path, ("Never", "PreemptLowerPriority"))


def _names(spec: Object, path: str) -> Errors:
    """References and host names, each a DNS name when given."""
    for name in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        if spec.get(name):
            yield from text(spec[name], f"{path}.{name}", dns1123_subdomain)
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            yield from text(spec[name], f"{path}.{name}", dns1123_label)
    yield from _hostname_override(spec, f"{path}.hostnameOverride")
    if spec.get("schedulerName"):
        yield from text(spec["schedulerName"], f"{path}.schedulerName", dns1123_subdomain)


def _hostname_override(spec: Object, path: str) -> Errors:
    name = spec.get("hostnameOverride")
    if name is None:
        return
    for other in ("setHostnameAsFQDN", "hostNetwork"):
        if spec.get(other):
            yield forbidden(path, f"may not be specified when {other} is true")
    if len(name) > MAX_KERNEL_HOSTNAME:
        yield too_long(path, MAX_KERNEL_HOSTNAME)
    yield from text(name, path, dns1123_subdomain)


def _containers(spec: Object, volumes: Volumes, path: str) -> Errors:
    containers = items(spec, "containers")
    if not containers:
        yield required(path)
        return
    names = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        yield from validate_container(container, volumes, bool(spec.get("hostNetwork")), at)
        name = container.get("name")
        if name and name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _running(container, at)
        yield from _restarts(container, at)
    yield from host_port_conflicts(containers, path)


def _restarts(container: Object, path: str) -> Errors:
    """A container's own restart policy, and what it does about certain exit codes."""
    policy, rules = container.get("restartPolicy"), items(container, "restartPolicyRules")
    if policy is None and rules:
        yield required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
    elif policy is not None and policy not in RESTART_POLICIES:
        yield not_supported(f"{path}.restartPolicy", policy, sorted(RESTART_POLICIES))
    if len(rules) > MAX_RESTART_RULES:
        yield too_many(f"{path}.restartPolicyRules", len(rules), MAX_RESTART_RULES)
    for index, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{index}]"
        if rule.get("action") not in _RESTART_ACTIONS:
            yield not_supported(f"{at}.action", rule.get("action") or "", _RESTART_ACTIONS)
        codes = rule.get("exitCodes")
        if codes is None:
            yield required(f"{at}.exitCodes", "must be specified")
            continue
        if codes.get("operator") not in _EXIT_CODE_OPERATORS:
            yield not_supported(f"{at}.exitCodes.operator", codes.get("operator") or "", _EXIT_CODE_OPERATORS)
        if len(items(codes, "values")) > MAX_EXIT_CODES:
            yield too_many(f"{at}.exitCodes.values", len(codes["values"]), MAX_EXIT_CODES)


def _running(container: Object, path: str) -> Errors:
    """Hooks and probes, which only containers that keep running have."""
    yield from validate_lifecycle(child(container, "lifecycle"), f"{path}.lifecycle")
    for name, one in (("livenessProbe", True), ("readinessProbe", False), ("startupProbe", True)):
        if container.get(name) is not None:
            yield from validate_probe(container[name], f"{path}.{name}", success_must_be_one=one)
    readiness = child(container, "readinessProbe")
    if readiness.get("terminationGracePeriodSeconds") is not None:
        detail = "must not be set for readinessProbes"
        yield invalid(
            f"{path}.readinessProbe.terminationGracePeriodSeconds", readiness["terminationGracePeriodSeconds"], detail
        )


def _init_containers(spec: Object, volumes: Volumes, path: str) -> Errors:
    """Init containers end, and so have no probes; with restartPolicy Always they are sidecars and keep running."""
    names = {container.get("name") for container in items(spec, "containers")}
    for index, container in enumerate(items(spec, "initContainers")):
        at = f"{path}[{index}]"
        yield from validate_container(container, volumes, bool(spec.get("hostNetwork")), at)
        name = container.get("name")
        if name and name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _restarts(container, at)
        if container.get("restartPolicy") == "Always":
            yield from _running(container, at)
            continue
        for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(field) is not None:
                yield forbidden(f"{at}.{field}", "may not be set for init containers without restartPolicy=Always")


def _claims(spec: Object, claims: list[Object], path: str) -> Errors:
    names = set()
    for index, claim in enumerate(claims):
        at = f"{path}.resourceClaims[{index}]"
        yield from required_text(claim, "name", at, dns1123_label)
        if claim.get("name") and claim["name"] in names:
            yield duplicate(f"{at}.name", claim["name"])
        names.add(claim.get("name"))
        if bool(claim.get("resourceClaimName")) == bool(claim.get("resourceClaimTemplateName")):
            detail = "must specify exactly one of: `resourceClaimName`, `resourceClaimTemplateName`"
            yield invalid(at, claim, detail)
    for index, container in enumerate(items(spec, "containers")):
        for position, used in enumerate(child(container, "resources").get("claims") or ()):
            if used.get("name") not in names:
                yield not_found(f"{path}.containers[{index}].resources.claims[{position}].name", used.get("name"))


def _security_context(spec: Object, path: str) -> Errors:
    context = child(spec, "securityContext")
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        yield from in_range(context, name, path, 0, 2**32 - 1)
    for index, group in enumerate(items(context, "supplementalGroups")):
        if not 0 <= group < 2**32:
            yield invalid(f"{path}.supplementalGroups[{index}]", group, range_error(0, 2**32 - 1))
    yield from one_of(context, "fsGroupChangePolicy", path, ("Always", "OnRootMismatch"))
    yield from validate_seccomp(child(context, "seccompProfile"), f"{path}.seccompProfile")
    names = set()
    for index, sysctl in enumerate(items(context, "sysctls")):
        at = f"{path}.sysctls[{index}].name"
        if not sysctl.get("name"):
            yield required(at)
        elif len(sysctl["name"]) > SYSCTL_LENGTH or not re.fullmatch(SYSCTL, sysctl["name"]):
            why = f"must have at most {SYSCTL_LENGTH} characters and match regex ^{SYSCTL}$"
            yield invalid(at, sysctl["name"], why)
        elif sysctl["name"] in names:
            yield duplicate(at, sysctl["name"])
        names.add(sysctl.get("name"))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        yield invalid(f"{path}.shareProcessNamespace", True, "ShareProcessNamespace and HostPID cannot both be enabled")


def _dns_config(spec: Object, path: str) -> Errors:
    config = child(spec, "dnsConfig")
    servers, searches = items(config, "nameservers"), items(config, "searches")
    if spec.get("dnsPolicy") == "None" and not servers:
        yield required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
    if len(servers) > 3:
        yield invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        yield from text(server, f"{path}.nameservers[{index}]", ip_address)
    if len(searches) > 32:
        yield invalid(f"{path}.searches", searches, "must not have more than 32 search paths")
    for index, search in enumerate(searches):
        if search != ".":
            yield from text(search.removesuffix(".").replace("_", "a"), f"{path}.searches[{index}]", dns1123_subdomain)
    for index, option in enumerate(items(config, "options")):
        if not option.get("name"):
            yield required(f"{path}.options[{index}]", "must not be empty")


def _readiness_gates(gates: list[Object], path: str) -> Errors:
    for index, gate in enumerate(gates):
        yield from text(gate.get("conditionType") or "", f"{path}[{index}].conditionType", qualified_name)


def _scheduling_gates(gates: list[Object], path: str) -> Errors:
    names = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        yield from text(name, f"{path}[{index}]", qualified_name)
        if name in names:
            yield duplicate(f"{path}[{index}]", name)
        names.add(name)
