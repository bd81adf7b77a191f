"""kubectl and the Pod Security Standards: what is refused, what is warned of."""

from kybern.testing.cluster import Kubectl

PREFIX = "pod-security.kubernetes.io"
WHY = (
    'allowPrivilegeEscalation != false (container "p" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "p" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "p" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "p" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
    '"Localhost")'
)


def test_pods_are_refused_and_workloads_warned_of(kubectl: Kubectl) -> None:
    kubectl("label", "namespace", kubectl.namespace, f"{PREFIX}/enforce=restricted", f"{PREFIX}/warn=restricted")
    error = kubectl.error("run", "p", "--image=busybox:1")
    assert (
        error
        == f'Error from server (Forbidden): pods "p" is forbidden: violates PodSecurity "restricted:latest": {WHY}'
    )
    made = kubectl.run("create", "deployment", "d", "--image=busybox:1")
    assert made.code == 0
    said = WHY.replace('"p"', '"busybox"')
    assert made.err.splitlines() == [f'Warning: would violate PodSecurity "restricted:latest": {said}']


def test_a_stricter_level_is_tried_on_the_pods_there_are(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox:1")
    kubectl("run", "q", "--image=busybox:1")
    labelled = kubectl.run(
        "label", "namespace", kubectl.namespace, f"{PREFIX}/enforce=restricted", "--overwrite", "--dry-run=server"
    )
    reasons = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
    assert labelled.err.splitlines() == [
        f'Warning: existing pods in namespace "{kubectl.namespace}" violate the new PodSecurity enforce level '
        '"restricted:latest"',
        f"Warning: p (and 1 other pod): {reasons}",
    ]
    error = kubectl.error("label", "namespace", kubectl.namespace, f"{PREFIX}/enforce=strict")
    assert "must be one of privileged, baseline, restricted" in error
