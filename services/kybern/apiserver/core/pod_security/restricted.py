"""The controls of the `restricted` level: what hardened pods do without."""

from kybern.apiserver.core.pod_security.baseline import (
    CONFINED,
    proc_mount,
    seccomp_profile,
    seccomp_type,
    unless_own_users,
)
from kybern.apiserver.core.pod_security.control import (
    Check,
    Control,
    Object,
    Violation,
    containers,
    named,
    plural,
    quoted,
    runs_windows,
    security,
    setters,
)

VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)


def allow_privilege_escalation(metadata: Object, spec: Object) -> Violation | None:
    """Nobody gains more than its parent had."""
    bad = [c["name"] for c in containers(spec) if security(c).get("allowPrivilegeEscalation") is not False]
    if not bad:
        return None
    detail = f"{named(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail)


def capabilities(metadata: Object, spec: Object) -> Violation | None:
    """All capabilities dropped; at most the one to bind low ports is given back."""
    keeping, adding, added = [], [], set()
    for container in containers(spec):
        asked = security(container).get("capabilities") or {}
        if "ALL" not in (asked.get("drop") or ()):
            keeping.append(container["name"])
        wrong = set(asked.get("add") or ()) - {"NET_BIND_SERVICE"}
        if wrong:
            adding.append(container["name"])
            added |= wrong
    details = []
    if keeping:
        details.append(f'{named(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        listed = quoted(sorted(added))
        details.append(f"{named(adding)} must not include {listed} in securityContext.capabilities.add")
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


def restricted_volumes(metadata: Object, spec: Object) -> Violation | None:
    """Only volumes that hold the pod's own data, or storage that was asked for by a claim."""
    bad: dict[str, str] = {}
    for volume in spec.get("volumes") or ():
        kinds = [kind for kind, source in volume.items() if kind != "name" and source is not None]
        if not VOLUMES.intersection(kinds):
            bad[volume["name"]] = kinds[0] if kinds else "unknown"
    if not bad:
        return None
    types = sorted(set(bad.values()))
    volumes = f"{plural(len(bad), 'volume', 'volumes')} {quoted(bad)} {plural(len(bad), 'uses', 'use')}"
    what = plural(len(types), "restricted volume type", "restricted volume types")
    return Violation("restricted volume types", f"{volumes} {what} {quoted(types)}")


def run_as_non_root(metadata: Object, spec: Object) -> Violation | None:
    """Everybody is required to be somebody else than root."""
    pod, reason = security(spec).get("runAsNonRoot"), "runAsNonRoot != true"
    said = {container["name"]: security(container).get("runAsNonRoot") for container in containers(spec)}
    who = setters(pod is False, [name for name, value in said.items() if value is False])
    if who:
        return Violation(reason, f"{who} must not set securityContext.runAsNonRoot=false")
    silent = [name for name, value in said.items() if value is None]
    if silent and not pod:
        return Violation(reason, f"pod or {named(silent)} must set securityContext.runAsNonRoot=true")
    return None


def run_as_user(metadata: Object, spec: Object) -> Violation | None:
    """Nobody asks to be root."""
    bad = [container["name"] for container in containers(spec) if security(container).get("runAsUser") == 0]
    who = setters(security(spec).get("runAsUser") == 0, bad)
    return Violation("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def seccomp_required(metadata: Object, spec: Object) -> Violation | None:
    """Everybody is confined, and says so."""
    wrong = seccomp_profile(metadata, spec)
    if wrong is not None:
        return wrong
    silent = [container["name"] for container in containers(spec) if seccomp_type(container) is None]
    if not silent or seccomp_type(spec) in CONFINED:
        return None
    detail = f'pod or {named(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", detail)


def _unless_windows(check: Check) -> Check:
    return lambda metadata, spec: None if runs_windows(spec) else check(metadata, spec)


CONTROLS = (
    Control(
        "allowPrivilegeEscalation",
        ((8, allow_privilege_escalation), (25, _unless_windows(allow_privilege_escalation))),
    ),
    Control(
        "capabilities_restricted",
        ((22, capabilities), (25, _unless_windows(capabilities))),
        overrides=((22, "capabilities_baseline"),),
    ),
    Control("procMount_restricted", ((35, proc_mount),), overrides=((35, "procMount"),)),
    Control("restrictedVolumes", ((0, restricted_volumes),), overrides=((0, "hostPathVolumes"),)),
    Control("runAsNonRoot", ((0, run_as_non_root), (35, unless_own_users(run_as_non_root)))),
    Control("runAsUser", ((23, run_as_user), (35, unless_own_users(run_as_user)))),
    Control(
        "seccompProfile_restricted",
        ((19, seccomp_required), (25, _unless_windows(seccomp_required))),
        overrides=((19, "seccompProfile_baseline"),),
    ),
)
