"""Pod: its containers and volumes together, scheduling and DNS fields, and the references between them."""

from kybern.kube.field import (
    Struct,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from kybern.kube.validation.container import (
    PADDED,
    Surroundings,
    host_port_conflicts,
    is_padded,
    surroundings,
    validate_container,
)
from kybern.kube.validation.env import validate_env_volumes
from kybern.kube.validation.ephemeral import validate_ephemeral_containers
from kybern.kube.validation.fields import Errors, Object, child, in_range, items, one_of, text
from kybern.kube.validation.metadata import validate_annotations, validate_labels
from kybern.kube.validation.names import (
    dns1123_label,
    dns1123_subdomain,
    label_key,
    strict_ip_address,
)
from kybern.kube.validation.pod_annotations import validate_profile_annotations
from kybern.kube.validation.pod_os import validate_os
from kybern.kube.validation.pod_resources import validate_pod_resources
from kybern.kube.validation.pod_system import dns_config, security_context
from kybern.kube.validation.probe import validate_lifecycle, validate_probe
from kybern.kube.validation.resources import validate_overhead
from kybern.kube.validation.scheduling import validate_affinity, validate_tolerations, validate_topology_spread
from kybern.kube.validation.volume import validate_volumes
from kybern.kube.validation.windows import validate_host_processes, validate_windows_options

RESTART_POLICIES = ("Always", "OnFailure", "Never")
MAX_RESTART_RULES, MAX_EXIT_CODES = 20, 255
_RESTART_ACTIONS = ("Restart", "RestartAllContainers")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_EXIT_CODE_OPERATORS = ("In", "NotIn")
_MAX_INT32 = 2**31 - 1
MIRROR = "kubernetes.io/config.mirror"
MAX_KERNEL_HOSTNAME = 64


def validate_pod(pod: Object) -> Errors:
    yield from validate_whole_pod(pod, is_new=True)
    if items(child(pod, "spec"), "ephemeralContainers"):
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")


def validate_whole_pod(pod: Object, is_new: bool = False) -> Errors:
    """What is asked of a pod at its creation and at each change of its spec alike; of a new one a little more."""
    spec, metadata = child(pod, "spec"), child(pod, "metadata")
    yield from validate_mirror(child(metadata, "annotations"), spec)
    yield from validate_pod_spec(spec, "spec", metadata.get("name") or "", is_new)
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(items(spec, name)):
            if is_padded(container.get("image") or ""):
                yield invalid(f"spec.{name}[{index}].image", container["image"], PADDED)
    yield from validate_profile_annotations(metadata, spec, "metadata", "spec")


def validate_mirror(annotations: Object, spec: Object) -> Errors:
    if MIRROR in annotations and not spec.get("nodeName"):
        detail = "must set spec.nodeName if mirror pod annotation is set"
        yield invalid(f"metadata.annotations[{MIRROR}]", annotations[MIRROR], detail)


def validate_template_metadata(template: Object, path: str) -> Errors:
    metadata = child(template, "metadata")
    yield from validate_labels(metadata.get("labels"), f"{path}.labels")
    yield from validate_annotations(metadata.get("annotations"), f"{path}.annotations")


def validate_template(template: Object, path: str) -> Errors:
    """A PodTemplateSpec inside a workload."""
    yield from validate_template_metadata(template, path)
    spec = child(template, "spec")
    yield from validate_pod_spec(spec, f"{path}.spec")
    yield from validate_profile_annotations(child(template, "metadata"), spec, path, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        yield forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def validate_pod_spec(spec: Object, path: str, pod_name: str = "", is_new: bool = True) -> Errors:
    volumes: dict[str, Object] = {}
    yield from validate_volumes(items(spec, "volumes"), f"{path}.volumes", pod_name, volumes)
    yield from _claims(items(spec, "resourceClaims"), f"{path}.resourceClaims")
    pod = surroundings(spec, volumes)
    yield from _containers(spec, pod, f"{path}.containers")
    yield from _init_containers(spec, pod, f"{path}.initContainers")
    if is_new:
        yield from _resized_by_restart(spec, f"{path}.initContainers")
    yield from validate_ephemeral_containers(spec, pod, f"{path}.ephemeralContainers")
    yield from validate_pod_resources(spec, f"{path}.resources", pod.claims)
    if not spec.get("restartPolicy"):
        yield required(f"{path}.restartPolicy")
    elif spec["restartPolicy"] not in RESTART_POLICIES:
        yield not_supported(f"{path}.restartPolicy", spec["restartPolicy"], RESTART_POLICIES, in_order=True)
    yield from one_of(spec, "dnsPolicy", path, _DNS_POLICIES, must=True, in_order=True)
    yield from validate_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    yield from security_context(spec, f"{path}.securityContext")
    yield from validate_affinity(child(spec, "affinity"), f"{path}.affinity")
    yield from dns_config(spec, f"{path}.dnsConfig")
    yield from _readiness_gates(items(spec, "readinessGates"), f"{path}.readinessGates")
    yield from _scheduling_gates(items(spec, "schedulingGates"), f"{path}.schedulingGates")
    yield from validate_topology_spread(items(spec, "topologySpreadConstraints"), f"{path}.topologySpreadConstraints")
    options = child(child(spec, "securityContext"), "windowsOptions")
    if options:
        yield from validate_windows_options(options, f"{path}.securityContext.windowsOptions")
    yield from validate_host_processes(spec, path)
    yield from _host_users(spec, path)
    for name in ("serviceAccountName", "nodeName"):
        if spec.get(name):
            yield from text(spec[name], f"{path}.{name}", dns1123_subdomain)
    yield from in_range(spec, "activeDeadlineSeconds", path, 1, _MAX_INT32)
    yield from _names(spec, path)
    yield from validate_tolerations(items(spec, "tolerations"), f"{path}.tolerations")
    for index, alias in enumerate(items(spec, "hostAliases")):
        at = f"{path}.hostAliases[{index}]"
        yield from text(alias.get("ip") or "", f"{at}.ip", strict_ip_address)
        for position, name in enumerate(items(alias, "hostnames")):
            yield from text(name, f"{at}.hostnames[{position}]", dns1123_subdomain)
    for name in ("priorityClassName", "runtimeClassName"):
        if spec.get(name) or (name == "runtimeClassName" and spec.get(name) is not None):
            yield from text(spec[name], f"{path}.{name}", dns1123_subdomain)
    if spec.get("preemptionPolicy") == "":
        yield required(f"{path}.preemptionPolicy")
    yield from one_of(spec, "preemptionPolicy", path, ("PreemptLowerPriority", "Never"), in_order=True)
    if spec.get("overhead"):
        yield from validate_overhead(spec["overhead"], f"{path}.overhead")
    yield from validate_os(spec, path)
    for name in ("containers", "initContainers"):
        for index, container in enumerate(items(spec, name)):
            yield from validate_env_volumes(container, volumes, f"{path}.{name}[{index}]")


def _names(spec: Object, path: str) -> Errors:
    """Host names, each a DNS label when given."""
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            yield from text(spec[name], f"{path}.{name}", dns1123_label)
    yield from _hostname_override(spec, f"{path}.hostnameOverride")


def _host_users(spec: Object, path: str) -> Errors:
    """A user namespace of its own goes with namespaces of its own."""
    if spec.get("hostUsers") is not False:
        return
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield forbidden(f"{path}.{name}", "when `hostUsers` is false")


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


def _containers(spec: Object, pod: Surroundings, path: str) -> Errors:
    containers = items(spec, "containers")
    if not containers:
        yield required(path)
        return
    names = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        yield from validate_container(container, pod, at)
        name = container.get("name") or ""
        if name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _running(container, pod.grace, at)
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


def _running(container: Object, grace: int, path: str) -> Errors:
    """Hooks and probes, which only containers that keep running have."""
    yield from validate_lifecycle(child(container, "lifecycle"), f"{path}.lifecycle", grace)
    for name, one in (("livenessProbe", True), ("readinessProbe", False), ("startupProbe", True)):
        if container.get(name) is not None:
            yield from validate_probe(container[name], f"{path}.{name}", grace, success_must_be_one=one)
    readiness = child(container, "readinessProbe")
    if readiness.get("terminationGracePeriodSeconds") is not None:
        detail = "must not be set for readinessProbes"
        yield invalid(
            f"{path}.readinessProbe.terminationGracePeriodSeconds", readiness["terminationGracePeriodSeconds"], detail
        )


def _init_containers(spec: Object, pod: Surroundings, path: str) -> Errors:
    """Init containers end, and so have no probes; with restartPolicy Always they are sidecars and keep running."""
    names = {container.get("name") for container in items(spec, "containers")}
    for index, container in enumerate(items(spec, "initContainers")):
        at = f"{path}[{index}]"
        yield from validate_container(container, pod, at)
        name = container.get("name")
        if name and name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _restarts(container, at)
        if container.get("restartPolicy") == "Always":
            yield from _running(container, pod.grace, at)
            continue
        for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(field) is not None:
                yield forbidden(f"{at}.{field}", "may not be set for init containers without restartPolicy=Always")


def _resized_by_restart(spec: Object, path: str) -> Errors:
    """What ends by itself is not restarted to be resized."""
    for index, container in enumerate(items(spec, "initContainers")):
        if container.get("restartPolicy") == "Always":
            continue
        for number, policy in enumerate(items(container, "resizePolicy")):
            if policy.get("restartPolicy") == "RestartContainer":
                detail = "must not be set to 'RestartContainer' for non-sidecar initContainers"
                yield invalid(f"{path}[{index}].resizePolicy[{number}].restartPolicy", "RestartContainer", detail)


def _claims(claims: list[Object], path: str) -> Errors:
    names = set()
    for index, claim in enumerate(claims):
        at = f"{path}[{index}]"
        name = claim.get("name") or ""
        if not name:
            yield required(f"{at}.name")
        elif name in names:
            yield duplicate(f"{at}.name", name)
        else:
            yield from text(name, f"{at}.name", dns1123_label)
            names.add(name)
        sources = ("resourceClaimName", "resourceClaimTemplateName")
        given = [field for field in sources if claim.get(field) is not None]
        listed = "`resourceClaimName`, `resourceClaimTemplateName`"
        if len(given) > 1:
            shown = Struct(Name=name, ResourceClaimName=claim[given[0]], ResourceClaimTemplateName=claim[given[1]])
            yield invalid(at, shown, f"at most one of {listed} may be specified")
        elif not given:
            shown = Struct(Name=name, ResourceClaimName=None, ResourceClaimTemplateName=None)
            yield invalid(at, shown, f"must specify one of: {listed}")
        for field in given:
            yield from text(claim[field], f"{at}.{field}", dns1123_subdomain)


def _readiness_gates(gates: list[Object], path: str) -> Errors:
    for index, gate in enumerate(gates):
        yield from text(gate.get("conditionType") or "", f"{path}[{index}].conditionType", label_key)


def _scheduling_gates(gates: list[Object], path: str) -> Errors:
    names = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        yield from text(name, f"{path}[{index}]", label_key)
        if name in names:
            yield duplicate(f"{path}[{index}]", name)
        names.add(name)
