"""The controls of the Pod Security Standards, one row for each thing a pod may not do."""

from typing import Any

import pytest

from kybern.apiserver.core.pod_security.evaluate import describe, violations
from kybern.apiserver.core.pod_security.policy import LevelVersion

HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def container(name: str = "c", **members: Any) -> dict[str, Any]:
    return {"name": name, "image": "i", **members}


def judge(level: str, spec: dict[str, Any], version: str = "latest", annotations: Any = None) -> str:
    spec = {"containers": [container()], **spec}
    return describe(violations(LevelVersion(level, version), {"annotations": annotations or {}}, spec))


def secure(**members: Any) -> dict[str, Any]:
    """A spec whose one container says this in its securityContext."""
    return {"containers": [container(securityContext=members)]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, "", id="plain"),
        pytest.param(
            {"hostNetwork": True, "hostIPC": True}, "host namespaces (hostNetwork=true, hostIPC=true)", id="host"
        ),
        pytest.param(
            {"containers": [container("a", ports=[{"hostPort": 80}]), container("b", ports=[{"hostPort": 443}])]},
            'hostPort (containers "a", "b" use hostPorts 443, 80)',
            id="host ports",
        ),
        pytest.param(
            {"volumes": [{"name": "v", "hostPath": {}}, {"name": "w", "emptyDir": {}}]},
            'hostPath volumes (volume "v")',
            id="host paths",
        ),
        pytest.param(
            secure(privileged=True),
            'privileged (container "c" must not set securityContext.privileged=true)',
            id="privileged",
        ),
        pytest.param(
            {"initContainers": [container("i", securityContext={"privileged": True})]},
            'privileged (container "i" must not set securityContext.privileged=true)',
            id="init containers too",
        ),
        pytest.param(
            {"ephemeralContainers": [container("e", securityContext={"privileged": True})]},
            'privileged (container "e" must not set securityContext.privileged=true)',
            id="ephemeral containers too",
        ),
        pytest.param(
            secure(capabilities={"add": ["SYS_ADMIN", "CHOWN", "NET_RAW"]}),
            'non-default capabilities (container "c" must not include "NET_RAW", "SYS_ADMIN" in '
            "securityContext.capabilities.add)",
            id="capabilities",
        ),
        pytest.param(
            {"containers": [container(livenessProbe={"httpGet": {"host": "example.com", "port": 1}})]},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "example.com")',
            id="probes of others",
        ),
        pytest.param(
            {"containers": [container(lifecycle={"preStop": {"tcpSocket": {"host": "h", "port": 1}}})]},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
            id="hooks to others",
        ),
        pytest.param(
            secure(procMount="Unmasked"),
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
            id="proc",
        ),
        pytest.param({**secure(procMount="Unmasked"), "hostUsers": False}, "", id="proc with own users"),
        pytest.param(
            {"securityContext": {"seLinuxOptions": {"type": "spc_t", "user": "u", "role": "r"}}},
            'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; '
            "role may not be set)",
            id="selinux",
        ),
        pytest.param({"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}, "", id="selinux type"),
        pytest.param(
            {"securityContext": {"seccompProfile": {"type": "Unconfined"}}, **secure(seccompProfile={"type": "X"})},
            'seccompProfile (pod and container "c" must not set securityContext.seccompProfile.type to '
            '"Unconfined", "X")',
            id="seccomp",
        ),
        pytest.param(
            {"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}},
            "forbidden sysctls (kernel.msgmax)",
            id="sysctls",
        ),
        pytest.param(
            secure(windowsOptions={"hostProcess": True}),
            'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
            id="host process",
        ),
        pytest.param(
            secure(appArmorProfile={"type": "Unconfined"}),
            'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
            id="app armor",
        ),
    ],
)
def test_baseline(spec: dict[str, Any], expected: str) -> None:
    assert judge("baseline", spec) == expected
    assert judge("privileged", spec) == ""


NONE = (
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
    '"Localhost")'
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, NONE, id="plain"),
        pytest.param(secure(**HARDENED), "", id="hardened"),
        pytest.param({"hostPID": True}, f"host namespaces (hostPID=true), {NONE}", id="baseline comes first"),
        pytest.param(
            {
                **secure(**{**HARDENED, "runAsNonRoot": None, "seccompProfile": None}),
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}},
            },
            "",
            id="said for the pod",
        ),
        pytest.param(
            secure(**{**HARDENED, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}), "", id="low ports"
        ),
        pytest.param(
            secure(**{**HARDENED, "capabilities": {"drop": ["KILL"], "add": ["SYS_TIME"]}}),
            'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; '
            'container "c" must not include "SYS_TIME" in securityContext.capabilities.add)',
            id="capabilities, named once",
        ),
        pytest.param(
            {**secure(**HARDENED), "volumes": [{"name": "v", "hostPath": {}}, {"name": "w", "nfs": {}}]},
            'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
            id="volumes, named once",
        ),
        pytest.param(
            {**secure(**{**HARDENED, "runAsNonRoot": False}), "securityContext": {"runAsNonRoot": False}},
            'runAsNonRoot != true (pod and container "c" must not set securityContext.runAsNonRoot=false)',
            id="root",
        ),
        pytest.param(
            secure(**{**HARDENED, "runAsUser": 0}), 'runAsUser=0 (container "c" must not set runAsUser=0)', id="uid 0"
        ),
        pytest.param(
            {**secure(**{**HARDENED, "runAsUser": 0, "runAsNonRoot": False}), "hostUsers": False}, "", id="own users"
        ),
        pytest.param(
            {**secure(**{**HARDENED, "procMount": "Unmasked"}), "hostUsers": False},
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
            id="proc is masked even with own users",
        ),
        pytest.param(
            {"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": True}}, "", id="windows has no such things"
        ),
    ],
)
def test_restricted(spec: dict[str, Any], expected: str) -> None:
    assert judge("restricted", spec) == expected


@pytest.mark.parametrize(
    ("level", "version", "spec", "annotations", "expected"),
    [
        ("baseline", "v1.33", {"containers": [container(startupProbe={"httpGet": {"host": "h"}})]}, {}, ""),
        (
            "baseline", "v1.26", {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}}, {},
            "forbidden sysctls (net.ipv4.ip_local_reserved_ports)",
        ),
        ("baseline", "v1.27", {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}}, {}, ""),
        ("baseline", "v1.18", secure(seccompProfile={"type": "Unconfined"}), {}, ""),
        (
            "baseline", "v1.18", {}, {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"},
            'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
        ),
        ("baseline", "latest", {}, {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}, ""),
        (
            "baseline", "latest", {}, {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"},
            "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
            '"container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
        ),
        (
            "baseline", "v1.30", {"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}, {},
            'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
        ),
        (
            "restricted", "v1.7", {}, {},
            'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
        ),
        (
            "restricted", "v1.21", secure(**{**HARDENED, "capabilities": {"add": ["SYS_TIME"]}}), {},
            'non-default capabilities (container "c" must not include "SYS_TIME" in securityContext.capabilities.add)',
        ),
        (
            "restricted", "v1.34", {**secure(**{**HARDENED, "runAsUser": 0}), "hostUsers": False}, {},
            'runAsUser=0 (container "c" must not set runAsUser=0)',
        ),
        ("restricted", "v1.22", secure(**{**HARDENED, "runAsUser": 0}), {}, ""),
        ("restricted", "v1.99", secure(**HARDENED), {}, ""),
    ],
)  # fmt: skip
def test_versions(level: str, version: str, spec: dict[str, Any], annotations: Any, expected: str) -> None:
    assert judge(level, spec, version, annotations) == expected
