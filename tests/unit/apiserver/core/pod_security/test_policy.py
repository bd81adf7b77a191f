"""Namespace labels, and what a change of them says about pods that are there."""

from typing import Any

import pytest

from kybern.apiserver.core.pod_security.evaluate import (
    Template,
    is_significant_update,
    namespace_warnings,
    template_of,
)
from kybern.apiserver.core.pod_security.policy import LevelVersion, Policy, is_stricter, read_policy

PREFIX = "pod-security.kubernetes.io/"


@pytest.mark.parametrize(
    ("labels", "expected", "errors"),
    [
        ({}, ("privileged:latest", "privileged:latest", "privileged:latest"), []),
        ({"enforce": "baseline"}, ("baseline:latest", "privileged:latest", "baseline:latest"), []),
        (
            {"enforce": "baseline", "enforce-version": "v1.30", "warn": "restricted"},
            ("baseline:v1.30", "privileged:latest", "restricted:latest"),
            [],
        ),
        (
            {"enforce": "strict", "warn": "strict", "audit-version": "1.3"},
            ("restricted:latest", "privileged:latest", "privileged:latest"),
            [
                f'metadata.labels[{PREFIX}enforce]: Invalid value: "strict": '
                "must be one of privileged, baseline, restricted",
                f'metadata.labels[{PREFIX}audit-version]: Invalid value: "1.3": must be "latest" or "v1.x"',
                f'metadata.labels[{PREFIX}warn]: Invalid value: "strict": '
                "must be one of privileged, baseline, restricted",
            ],
        ),
    ],
)
def test_read_policy(labels: dict[str, str], expected: tuple[str, ...], errors: list[str]) -> None:
    policy, found = read_policy({PREFIX + name: value for name, value in labels.items()}, Policy())
    assert (str(policy.enforce), str(policy.audit), str(policy.warn)) == expected
    assert [str(error) for error in found] == errors


@pytest.mark.parametrize(
    ("old", "new", "stricter"),
    [
        ("privileged:latest", "baseline:latest", True),
        ("baseline:latest", "restricted:latest", True),
        ("restricted:latest", "baseline:latest", False),
        ("baseline:v1.30", "baseline:latest", True),
        ("baseline:latest", "privileged:latest", False),
        ("baseline:latest", "baseline:latest", False),
    ],
)
def test_is_stricter(old: str, new: str, stricter: bool) -> None:
    assert is_stricter(LevelVersion(*new.split(":")), LevelVersion(*old.split(":"))) is stricter


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def test_namespace_warnings_count_pods_by_what_they_violate() -> None:
    pods = [pod("c", hostPID=True), pod("a", hostPID=True), pod("b", hostIPC=True), pod("ok")]
    pods += [pod("z", hostPID=True, volumes=[{"name": "v", "hostPath": {}}])]
    assert namespace_warnings("n", LevelVersion("baseline"), pods) == [
        'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 2 other pods): host namespaces",
        "z: host namespaces, hostPath volumes",
    ]
    assert namespace_warnings("n", LevelVersion("baseline"), [pod("ok")]) == []
    warnings = namespace_warnings("n", LevelVersion("baseline"), [pod("a"), pod("b")], most=1)
    assert warnings == ["new PodSecurity enforce level only checked against the first 1 of 2 existing pods"]


TEMPLATE = {"metadata": {"labels": {}}, "spec": {"containers": []}}


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        (("apps", "deployments"), {"spec": {"template": TEMPLATE}}),
        (("batch", "jobs"), {"spec": {"template": TEMPLATE}}),
        (("batch", "cronjobs"), {"spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}}),
        (("", "podtemplates"), {"template": TEMPLATE}),
        (("", "replicationcontrollers"), {"spec": {"template": TEMPLATE}}),
    ],
)
def test_template_of(kind: tuple[str, str], obj: dict[str, Any]) -> None:
    assert template_of(*kind, obj) == Template(TEMPLATE["metadata"], TEMPLATE["spec"])
    assert template_of(*kind, {}) is None
    assert template_of("example.com", "widgets", obj) is None


def test_significant_updates() -> None:
    old = pod("a")
    assert not is_significant_update(pod("a", nodeName="n"), old)
    assert is_significant_update(pod("a", containers=[{"name": "c", "image": "j"}]), old)
    assert is_significant_update(pod("a", ephemeralContainers=[{"name": "e", "image": "i"}]), old)
    annotated = {**pod("a"), "metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "x"}}}
    assert is_significant_update(annotated, old)
